// Beside the bytes, where each node has one target: which LUNs it has follows from the claims of all volumes of a pool.
import { randomBytes } from 'node:crypto'
import { NotYet, waitFor } from '../../linux/wait.ts'
import { InvalidRequest } from '../../volume/errors.ts'
import { parseVolumeId } from '../../volume/ids.ts'
import { parseNodeId } from '../../volume/node-id.ts'
import type { Op } from '../../volume/op.ts'
import type { Claim, NodeId, NodeSession, VolumeId } from '../../volume/types.ts'
import type { Ledger } from '../transport.ts'
import { nodeTargetName, poolOfNodeTarget } from './names.ts'
import type { NodeTargets, ShownUnit, UnitDocument } from './target.ts'

/** Longer than the controller takes to look at all exports again. */
const READY_MS = 15_000

export interface NodeExports {
  /** As Exporter.enrol; `terms`: how a new session is to prove itself. */
  enrol<T>(
    id: VolumeId,
    node: NodeId,
    terms: () => Promise<Pick<NodeSession, 'chap'>>,
    op: Op,
    work: (session: NodeSession) => Promise<T>,
  ): Promise<T>
  add(unit: UnitDocument, op: Op): Promise<void>
  /** As Exporter.ready, of one of them. */
  ready(id: VolumeId, node: NodeId, op: Op): Promise<void>
  /** As Exporter.settle. */
  settle(op: Op): Promise<void>
  take(id: VolumeId, node: NodeId, op: Op): Promise<void>
  /** From all nodes at once. */
  withdraw(id: VolumeId, op: Op): Promise<void>
  list(id?: VolumeId): Promise<ShownUnit[]>
}

export function createNodeExports(targets: NodeTargets, ledger: Ledger): NodeExports {
  /** Who changes the target of a node, or what its claims agree upon, has it alone. */
  const alone = <T>(target: string, op: Op, work: () => Promise<T>) =>
    ledger.alone(poolOfNodeTarget(target) ?? '', target, op, work)
  const look = async (target: string): Promise<Look> =>
    lookAt(target, (await targets.find(target)) ?? [], await ledger.claims(poolOfNodeTarget(target) ?? ''))
  /** Answers what is missing. */
  const openIfWhole = async (target: string, op: Op): Promise<readonly VolumeId[]> => {
    const { missing } = await look(target)
    if (missing.length > 0) return missing
    return await alone(target, op, async () => {
      const now = await look(target)
      if (now.missing.length === 0 && now.units.length > 0) await targets.open(target, op)
      return now.missing
    })
  }
  const take = (target: string, id: VolumeId, op: Op) => alone(target, op, () => targets.take(target, id, op))
  return {
    async enrol(id, node, terms, op, work) {
      const target = targetOf(id, node)
      return await alone(target, op, async () => {
        const { session } = await look(target)
        return await work(session ?? { nonce: randomBytes(16).toString('hex'), ...(await terms()) })
      })
    },
    add: (unit, op) => alone(unit.target, op, () => targets.add(unit, op)),
    async ready(id, node, op) {
      const target = targetOf(id, node)
      await waitFor(
        { asked: `publish ${id} to node ${node}`, timeoutMs: READY_MS },
        async () => {
          if ((await targets.find(target, id))?.some(({ enabled }) => enabled)) return
          const missing = await openIfWhole(target, op)
          if (missing.length > 0) throw new NotYet(isWaitingFor(target, missing))
        },
        op,
      )
    },
    async settle(op) {
      for (const [target, units] of Map.groupBy(await targets.list(), unit => unit.target)) {
        const { strange } = await look(target)
        for (const { id } of strange)
          await alone(target, op, async () => {
            // Read again: a publish may have come meanwhile, and has the target alone when it adds.
            if ((await look(target)).strange.some(unit => unit.id === id)) await targets.take(target, id, op)
          })
        if (units.some(({ enabled }) => !enabled)) await openIfWhole(target, op)
      }
    },
    async take(id, node, op) {
      const target = targetOf(id, node)
      if (await targets.find(target, id)) await take(target, id, op)
    },
    async withdraw(id, op) {
      for (const { target } of await targets.list(id)) await take(target, id, op)
    },
    list: id => targets.list(id),
  }
}

const isWaitingFor = (target: string, missing: readonly VolumeId[]): string =>
  `${target} accepts logins when all volumes of the node are exported again; missing: ${missing.join(', ')}`

interface Look {
  readonly units: readonly ShownUnit[]
  /** What the claims of its node agree upon; undefined while there are none. */
  readonly session: NodeSession | undefined
  /** Claimed for the node, and not there. */
  readonly missing: readonly VolumeId[]
  /** There, and claimed by nobody, though the pool knows the volume. */
  readonly strange: readonly ShownUnit[]
}

function lookAt(target: string, units: readonly ShownUnit[], claims: ReadonlyMap<VolumeId, readonly Claim[]>): Look {
  const own = [...claims].flatMap(([id, all]) =>
    all.filter(({ node, session }) => session && targetOf(id, node) === target).map(({ session }) => ({ id, session })),
  )
  const isThere = (id: VolumeId) => units.some(unit => unit.id === id && unit.initiator !== undefined)
  return {
    units,
    session: own[0]?.session,
    missing: own.map(({ id }) => id).filter(id => !isThere(id)),
    strange: units.filter(unit => claims.has(unit.id) && !own.some(({ id }) => id === unit.id)),
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
