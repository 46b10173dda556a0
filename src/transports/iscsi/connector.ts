// On the node: logs in to the target of a volume, proves that the disk behind it is the volume, and logs out again.
import type { Host } from '../../host/host.ts'
import { type Device, findDevice } from '../../linux/device.ts'
import { disksOf, listSessions, sessionOfDisk } from '../../linux/iscsi-session.ts'
import type { Initiator } from '../../linux/iscsiadm.ts'
import { inHostNamespaces } from '../../linux/namespaces.ts'
import { rescanDisk } from '../../linux/scsi.ts'
import type { IscsiSettings } from '../../schema/shapes/config.ts'
import { DriverError } from '../../volume/errors.ts'
import { type Op, SILENT, steady } from '../../volume/op.ts'
import type { VolumeId } from '../../volume/types.ts'
import type { Attachment, Connector } from '../transport.ts'
import { requireStrength } from './chap.ts'
import { findDisk, mayShow, volumeOfDisk } from './disks.ts'
import { identityDoubt, isAbsent, proveUnchanged, requireAlive, troublesOfDisk, wrong } from './proof.ts'
import { parseIscsiRoute } from './route.ts'
import { createSessions } from './sessions.ts'
import { createTurns } from './turns.ts'

export function createConnector(host: Host, settings: IscsiSettings, name: string, locks: string): Connector {
  const initiator: Initiator = settings.inHostNamespaces
    ? { host: inHostNamespaces(host), root: '/proc/1/root' }
    : { host, root: '/proc/self/root' }
  const sessions = createSessions(host, initiator, { settings, name, locks })
  const alone = createTurns()
  return {
    connect: async (id, given, op) => {
      const route = parseIscsiRoute(id, name, given)
      requireStrength(settings.chap, route)
      return await alone(id, () => sessions.connect(id, route, op))
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
    disconnect: (id, op) => alone(id, () => sessions.disconnect(id, op)),
  }
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
  // What it was is said by its target's name, which no other volume has; it can be let go, and no more.
  if (await isAbsent(host, kname)) return id
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
