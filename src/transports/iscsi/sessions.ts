// Sessions of this node: who begins, joins and leaves them. One that serves several volumes ends with the last of them.
import { join } from 'node:path'
import type { Host } from '../../host/host.ts'
import type { Device } from '../../linux/device.ts'
import { underLock } from '../../linux/flock.ts'
import { disksOf, listSessions } from '../../linux/iscsi-session.ts'
import { hasRecords, type Initiator, type RecordSettings } from '../../linux/iscsiadm.ts'
import type { IscsiSettings } from '../../schema/shapes/config.ts'
import { digest, parseVolumeId } from '../../volume/ids.ts'
import type { Op } from '../../volume/op.ts'
import type { VolumeId } from '../../volume/types.ts'
import { deriveChap, readKeys } from './chap.ts'
import { findDisk, mayShow, pickDisks } from './disks.ts'
import { joinSession, loadModules, logInAnywhere } from './login.ts'
import { isBeyondHope, logOutEverywhere } from './logout.ts'
import { nodeTargetName, targetName } from './names.ts'
import { proveRoute, requireAlive } from './proof.ts'
import type { IscsiRoute } from './route.ts'
import { createTurns } from './turns.ts'

export interface Sessions {
  /** The volume's disk, proved; of two calls for one volume the caller lets the second wait. */
  connect(id: VolumeId, route: IscsiRoute, op: Op): Promise<Device>
  /** OK only when no disk of the volume is left, and no session or record that was there for it alone. */
  disconnect(id: VolumeId, op: Op): Promise<void>
}

interface Node {
  readonly settings: IscsiSettings
  /** Of the initiator. */
  readonly name: string
  /** A folder for locks of targets. */
  readonly locks: string
}

export function createSessions(host: Host, initiator: Initiator, { settings, name, locks }: Node): Sessions {
  const alone = createTurns()
  /** Who logs in to a target of several volumes, or out, has it alone: among all processes of the driver on this node. */
  const aloneAt = <T>(target: string, op: Op, work: () => Promise<T>): Promise<T> =>
    alone(target, () => underLock(host, { path: join(locks, digest(target)), isKept: async () => false }, op, work))
  /** Attempts to log in whose caller has his device already, by target. */
  const attempts = new Map<string, Promise<void>>()
  const leave = async (id: VolumeId, target: string, op: Op) => {
    // Where other disks are, nothing is done that an attempt could undo: nobody waits for a dead portal.
    const disks = disksOf(await listSessions(host, target))
    if (disks.length === (await pickDisks(host, id, disks)).length) await attempts.get(target)
    await logOutEverywhere(host, initiator, { id, target }, op)
  }
  const leaveShared = async (id: VolumeId, op: Op) => {
    for (const target of await sharedTargets(host, initiator, id, name))
      await aloneAt(target, op, () => leave(id, target, op))
  }
  const logIn = async (id: VolumeId, route: IscsiRoute, op: Op): Promise<Device> => {
    const { target } = route
    await leave(id, target, op) // what is beyond hope, or left by an attempt that was cut short; unless it is in use
    const [other] = disksOf(await listSessions(host, target))
    if (other) return await joinSession(host, id, other.session, route, op)
    await loadModules(initiator, op)
    const request = { id, route, settings: await recordSettings(host, settings, name, route) }
    const { device, ended } = logInAnywhere(host, initiator, request, op)
    attempts.set(
      target,
      ended.finally(() => attempts.delete(target)),
    )
    return await device
  }
  return {
    async connect(id, route, op) {
      const present = await reuse(host, id, route, op)
      if (present) return present
      const { target } = route
      if (target === targetName(id)) {
        await leaveShared(id, op)
        return await logIn(id, route, op)
      }
      await leave(id, targetName(id), op)
      return await aloneAt(target, op, () => logIn(id, route, op))
    },
    async disconnect(id, op) {
      await leave(id, targetName(id), op)
      await leaveShared(id, op)
    },
  }
}

/** Targets of this node that may show the volume, by what is left of them: sessions, also under an earlier name, and records. */
async function sharedTargets(host: Host, initiator: Initiator, id: VolumeId, name: string): Promise<string[]> {
  const own = nodeTargetName(parseVolumeId(id)?.pool ?? '', name)
  const isShared = (target: string) => target !== targetName(id) && mayShow(target, id)
  const targets = (await listSessions(host, isShared)).map(({ target }) => target)
  return [...new Set([...targets, ...((await hasRecords(initiator, own)) ? [own] : [])])]
}

async function recordSettings(
  host: Host,
  settings: IscsiSettings,
  initiator: string,
  { target, chap }: IscsiRoute,
): Promise<RecordSettings> {
  const keys = chap.mode === 'none' ? new Map() : await readKeys(host.files, settings.chapKeyFile ?? '')
  return { ...settings, initiator, chap: deriveChap(keys, chap, { target, initiator }) }
}

/** A disk that is there already, wherever it comes from; undefined when there is none, or one that cannot come back. */
async function reuse(host: Host, id: VolumeId, route: IscsiRoute, op: Op): Promise<Device | undefined> {
  const asked = `connect ${id}`
  const found = await findDisk(host, id)
  if (!found) return undefined
  const { device, session, lun } = found
  // Of an earlier publish: its unit is gone, and does not come back.
  if (session.target !== route.target || lun !== route.lun) return undefined
  if (await isBeyondHope(host, session, device)) return undefined
  await requireAlive(host, asked, session, device.kname)
  return await proveRoute(host, id, device.kname, route, op)
}
