// On the node: logs in to the target of a volume, proves that the disk behind it is the volume, and logs out again.
import { join } from 'node:path'
import type { Host } from '../../host/host.ts'
import { type Device, findDevice } from '../../linux/device.ts'
import { underLock } from '../../linux/flock.ts'
import { disksOf, listSessions, type Session, sessionOfDisk } from '../../linux/iscsi-session.ts'
import { hasRecords, type Initiator, type RecordSettings } from '../../linux/iscsiadm.ts'
import { inHostNamespaces } from '../../linux/namespaces.ts'
import { rescanDisk } from '../../linux/scsi.ts'
import type { IscsiSettings } from '../../schema/config.ts'
import { DriverError, WrongDevice } from '../../volume/errors.ts'
import { digest, parseVolumeId } from '../../volume/ids.ts'
import { type Op, SILENT, steady } from '../../volume/op.ts'
import type { VolumeId } from '../../volume/types.ts'
import type { Attachment, Connector } from '../transport.ts'
import { deriveChap, readKeys } from './chap.ts'
import { disksOfVolume, mayShow, pickDisks, volumeOfDisk } from './disks.ts'
import { joinSession, loadModules, logInAnywhere } from './login.ts'
import { isBeyondHope, logOutEverywhere } from './logout.ts'
import { nodeTargetName, targetName } from './names.ts'
import { identityDoubt, proveRoute, proveUnchanged, requireAlive, troublesOfDisk, wrong } from './proof.ts'
import { type IscsiRoute, parseIscsiRoute } from './route.ts'
import { createTurns } from './turns.ts'

export function createConnector(host: Host, settings: IscsiSettings, name: string, locks: string): Connector {
  const initiator: Initiator = settings.inHostNamespaces
    ? { host: inHostNamespaces(host), root: '/proc/1/root' }
    : { host, root: '/proc/self/root' }
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
  const connect = async (id: VolumeId, route: IscsiRoute, op: Op): Promise<Device> => {
    const present = await reuse(host, id, route, op)
    if (present) return present
    const { target } = route
    if (target === targetName(id)) {
      await leaveShared(id, op)
      return await logIn(id, route, op)
    }
    await leave(id, targetName(id), op)
    return await aloneAt(target, op, () => logIn(id, route, op))
  }
  return {
    connect: async (id, given, op) => {
      const route = parseIscsiRoute(id, name, given)
      return await alone(id, () => connect(id, route, op))
    },
    find: async id => (await findDisk(host, id))?.device,
    list: () => listAttachments(host),
    doubts: (attachment, op) => doubtsAbout(host, attachment, op),
    identify: device => identify(host, device),
    verify: async (id, device, op) => {
      await prove(host, id, device, op)
    },
    holdsData: async () => undefined, // only the storage host can tell
    async troublesOf({ kname, path }) {
      const session = await sessionOfDisk(host, kname)
      return session ? await troublesOfDisk(host, session, kname) : [`${path} is gone: its session was ended`]
    },
    async rescan(device, op) {
      const session = await sessionOfDisk(host, device.kname)
      const id = session && (await volumeOfDisk(host, session, device.kname))
      if (id === undefined) throw wrong('a volume', device.kname, 'it is no disk of a session of this driver')
      return await prove(host, id, device, op)
    },
    disconnect: (id, op) =>
      alone(id, async () => {
        await leave(id, targetName(id), op)
        await leaveShared(id, op)
      }),
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

interface Found {
  readonly device: Device
  readonly session: Session
  readonly lun: number
}

/** Two disks of one volume have two page caches: what is written to one does not show on the other. */
async function findDisk(host: Host, id: VolumeId): Promise<Found | undefined> {
  const [disk, second] = await disksOfVolume(host, id)
  if (disk && second) {
    throw new WrongDevice({
      asked: `find the device of ${id}`,
      found: `both /dev/${disk.kname} and /dev/${second.kname} are disks of it`,
      next: 'stop what uses it and log out of one session by hand (iscsiadm -m session -r N --logout)',
    })
  }
  const device = disk && (await findDevice(host, disk.kname))
  return device && { device, session: disk.session, lun: disk.unit.lun }
}

/** A disk that is there already, wherever it comes from; undefined when there is none, or one that cannot come back. */
async function reuse(host: Host, id: VolumeId, route: IscsiRoute, op: Op): Promise<Device | undefined> {
  const asked = `connect ${id}`
  const found = await findDisk(host, id)
  if (!found) return undefined
  const { device, session, lun } = found
  // Of an earlier publish: its unit is gone, and does not come back.
  if (session.target !== route.target || (session.target !== targetName(id) && lun !== route.lun)) return undefined
  if (await isBeyondHope(host, session, device)) return undefined
  await requireAlive(host, asked, session, device.kname)
  return await proveRoute(host, id, device.kname, route, op)
}

/** The disk must be one of a living session with the volume's target, and still the same. */
async function prove(host: Host, id: VolumeId, device: Device, op: Op): Promise<Device> {
  const session = await sessionOfDisk(host, device.kname)
  if (!session || !mayShow(session.target, id)) {
    const found = session ? `it is a disk of ${session.target}` : 'it is a disk of no session any more'
    throw wrong(id, device.kname, found)
  }
  await requireAlive(host, `use ${device.path} as ${id}`, session, device.kname)
  return await proveUnchanged(host, id, device, op)
}

async function identify(host: Host, { kname }: Device): Promise<VolumeId | undefined> {
  const session = await sessionOfDisk(host, kname)
  const id = session && (await volumeOfDisk(host, session, kname))
  if (id === undefined || (await identityDoubt(host, id, kname)) === undefined) return id
  // The kernel keeps what it once read of a unit: that a wrong one was put right at the target shows by a fresh look only.
  try {
    await rescanDisk(host, kname, steady({ log: SILENT }))
  } catch (error) {
    if (error instanceof DriverError) return undefined
    throw error
  }
  return (await identityDoubt(host, id, kname)) === undefined ? id : undefined
}

/** Of a disk that takes no commands only what the kernel read last is known. */
async function doubtsAbout(host: Host, { device, id }: Attachment, op: Op): Promise<string[]> {
  const session = await sessionOfDisk(host, device.kname)
  if (id === undefined || !session) return []
  if ((await troublesOfDisk(host, session, device.kname)).length === 0) await rescanDisk(host, device.kname, op)
  const doubt = await identityDoubt(host, id, device.kname)
  return doubt === undefined ? [] : [`${device.path}: ${doubt}`]
}

async function listAttachments(host: Host): Promise<Attachment[]> {
  const found = await Promise.all(
    disksOf(await listSessions(host)).map(async ({ session, unit, kname }) => {
      const device = await findDevice(host, kname)
      const id = await volumeOfDisk(host, session, kname)
      return device
        ? [{ device, backing: `${session.target} LUN ${unit.lun}`, isLastWay: false, id, isRemote: true as const }]
        : []
    }),
  )
  return found.flat()
}
