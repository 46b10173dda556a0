// Beside the bytes, where each node has one target: which LUNs it has follows from the claims of all volumes of a pool.
import { randomBytes } from 'node:crypto'
import { NotYet, waitFor } from '../../linux/wait.ts'
import { InvalidRequest } from '../../volume/errors.ts'
import { parseVolumeId } from '../../volume/ids.ts'
import { parseNodeId } from '../../volume/node-id.ts'
import type { Op } from '../../volume/op.ts'
import type { Claim, NodeId, VolumeId } from '../../volume/types.ts'
import type { Ledger } from '../transport.ts'
import { nodeTargetName } from './names.ts'
import type { NodeTargets, ShownUnit, UnitDocument } from './target.ts'

/** Longer than the controller takes to look at all exports again. */
const READY_MS = 15_000

export interface NodeExports {
  /** As Exporter.enrol; `key`: the name of the key that a new session's secrets are to derive from. */
  enrol<T>(
    id: VolumeId,
    node: NodeId,
    key: () => Promise<string | undefined>,
    op: Op,
    work: (session: NonNullable<Claim['session']>) => Promise<T>,
  ): Promise<T>
  /** Adds the unit, and opens the node's target if that was the last that was missing. */
  add(unit: UnitDocument, op: Op): Promise<void>
  ready(id: VolumeId, node: NodeId, op: Op): Promise<void>
  take(id: VolumeId, node: NodeId, op: Op): Promise<void>
  /** Takes all units of the volume away but those below these targets. */
  keepOnly(id: VolumeId, targets: readonly string[], op: Op): Promise<void>
  list(id?: VolumeId): Promise<ShownUnit[]>
}

export function createNodeExports(targets: NodeTargets, ledger: Ledger): NodeExports {
  /** Who changes the target of a node, or what its claims agree upon, has it alone. */
  const alone = <T>(id: VolumeId, target: string, op: Op, work: () => Promise<T>) =>
    ledger.alone(poolOf(id), target, op, work)
  const claimsOf = async (pool: string, target: string) =>
    [...(await ledger.claims(pool))].flatMap(([id, claims]) =>
      claims
        .filter(({ node, session }) => session && targetOf(id, node) === target)
        .map(({ session }) => ({ id, session })),
    )
  const missingIn = async (pool: string, target: string): Promise<VolumeId[]> => {
    const shown = (await targets.find(target)) ?? []
    const isThere = (id: VolumeId) => shown.some(unit => unit.id === id && unit.initiator !== undefined)
    return (await claimsOf(pool, target)).map(({ id }) => id).filter(id => !isThere(id))
  }
  return {
    async enrol(id, node, key, op, work) {
      const target = targetOf(id, node)
      return await alone(id, target, op, async () => {
        const [other] = await claimsOf(poolOf(id), target)
        if (other?.session) return await work(other.session)
        const name = await key()
        return await work({ nonce: randomBytes(16).toString('hex'), ...(name !== undefined && { key: name }) })
      })
    },
    async add(unit, op) {
      const { id, target } = unit
      await alone(id, target, op, async () => {
        await targets.add(unit, op)
        const isOpen = (await targets.find(target))?.some(({ enabled }) => enabled)
        if (!isOpen && (await missingIn(poolOf(id), target)).length === 0) await targets.open(target, op)
      })
    },
    async ready(id, node, op) {
      const target = targetOf(id, node)
      await waitFor(
        { asked: `publish ${id} to node ${node}`, timeoutMs: READY_MS },
        async () => {
          const unit = (await targets.find(target))?.find(each => each.id === id)
          if (unit?.enabled) return
          const missing = await missingIn(poolOf(id), target)
          throw new NotYet(
            `${target} accepts logins when all volumes of the node are exported again; missing: ${missing.join(', ')}`,
          )
        },
        op,
      )
    },
    async take(id, node, op) {
      const target = targetOf(id, node)
      if (await targets.find(target)) await alone(id, target, op, () => targets.take(target, id, op))
    },
    async keepOnly(id, kept, op) {
      const strange = (await targets.list(id)).map(({ target }) => target).filter(target => !kept.includes(target))
      for (const target of strange) await alone(id, target, op, () => targets.take(target, id, op))
    },
    list: id => targets.list(id),
  }
}

/** The target of a node for volumes such as this one. */
export function targetOf(id: VolumeId, node: NodeId): string {
  return nodeTargetName(poolOf(id), parseNodeId(node).initiator ?? '')
}

function poolOf(id: VolumeId): string {
  const pool = parseVolumeId(id)?.pool
  if (pool !== undefined) return pool
  throw new InvalidRequest({ asked: `use ${id}`, found: 'it is no volume of this driver', next: 'check the volume id' })
}
