// Proofs of an iSCSI disk: that it is the volume, by the serial number of its unit, and that its session is alive.
import type { Host } from '../../host/host.ts'
import { type Device, findDevice, waitForDevice } from '../../linux/device.ts'
import type { Session } from '../../linux/iscsi-session.ts'
import { readDiskState, readUnitSerial, readWorldWideId, rescanDisk } from '../../linux/scsi.ts'
import { Unavailable, WrongDevice } from '../../volume/errors.ts'
import type { Op } from '../../volume/op.ts'
import type { VolumeId } from '../../volume/types.ts'
import { serialOf } from './names.ts'
import type { IscsiRoute } from './route.ts'

/** What is wrong with the session or the disk, in words, and what to do; empty when commands get through. */
export async function troublesOfDisk(host: Host, session: Session, kname: string): Promise<string[]> {
  const state = await readDiskState(host, kname)
  return [...troublesOfSession(session), ...troublesOfState(kname, state, session)]
}

function troublesOfSession({ target, portal, state, patienceSeconds }: Session): string[] {
  if (state === 'LOGGED_IN') return []
  const where = `the session with ${target} at ${portal || 'its portal'}`
  return state === 'FAILED'
    ? [
        `${where} is lost, and iscsid tries to get it back; I/O fails if it is away for ${patienceSeconds} s: check the network and the storage host`,
      ]
    : [
        `${where} is ${state}: it was away for too long and I/O fails; bring the storage host back, then stage the volume again`,
      ]
}

function troublesOfState(kname: string, state: string, session: Session): string[] {
  // It follows from the session's state, which has been told.
  if (state === 'running' || session.state !== 'LOGGED_IN') return []
  const remedy =
    state === 'offline' ? `; see the kernel log, then "echo running > /sys/block/${kname}/device/state"` : ''
  return [`/dev/${kname} is ${state} though its session is there${remedy}`]
}

/** Throws Unavailable unless it is there, so that a unit can be looked for. */
export function requireLoggedIn(asked: string, session: Session): void {
  const troubles = troublesOfSession(session)
  if (troubles.length === 0) return
  throw new Unavailable({ asked, found: troubles.join('; '), next: 'call again when the session is back' })
}

/** Throws Unavailable unless commands get through to the disk. */
export async function requireAlive(host: Host, asked: string, session: Session, kname: string): Promise<void> {
  const troubles = await troublesOfDisk(host, session, kname)
  if (troubles.length === 0) return
  throw new Unavailable({ asked, found: troubles.join('; '), next: 'call again when the session is back' })
}

/** Why the disk is not the volume, by what the kernel read of it last; undefined if it is. */
export async function identityDoubt(host: Host, id: VolumeId, kname: string): Promise<string | undefined> {
  const serial = await readUnitSerial(host, kname)
  if (serial === serialOf(id)) return undefined
  const name = await readWorldWideId(host, kname)
  return `it bears the serial number ${serial ?? '(none)'}${name && ` (${name})`}, the volume's is ${serialOf(id)}`
}

/**
 * By a fresh look: is there nothing behind the disk any more? For a LUN that it does not have tgt answers as its own
 * controller, LUN 0, whose serial number is made of the number of the target and its own. No volume has such a number.
 */
export async function isAbsent(host: Host, kname: string): Promise<boolean> {
  return /^beaf\d+0$/.test((await readUnitSerial(host, kname)) ?? '')
}

/** Throws WrongDevice, naming both. */
export async function requireIdentity(host: Host, id: VolumeId, kname: string): Promise<void> {
  const doubt = await identityDoubt(host, id, kname)
  if (doubt !== undefined) throw wrong(id, kname, doubt)
}

/** The full proof of a disk that is to be used by this route. Past all caches: the disk is asked anew. */
export async function proveRoute(host: Host, id: VolumeId, kname: string, route: IscsiRoute, op: Op): Promise<Device> {
  await rescanDisk(host, kname, op)
  await requireIdentity(host, id, kname)
  const device = await waitForDevice(host, kname, route.size, op)
  if (device.sectorSize !== route.sectorSize)
    throw wrong(id, kname, `it has sectors of ${device.sectorSize} bytes, the volume of ${route.sectorSize}`)
  if (device.readonly !== route.readonly) {
    const word = (readonly: boolean) => (readonly ? 'read-only' : 'writable')
    throw wrong(id, kname, `it is ${word(device.readonly)}, and the volume is published ${word(route.readonly)}`)
  }
  return device
}

/** The disk is asked anew, must still be the volume and the disk that it was, and no smaller. Answers what it is now. */
export async function proveUnchanged(host: Host, id: VolumeId, before: Device, op: Op): Promise<Device> {
  await rescanDisk(host, before.kname, op)
  await requireIdentity(host, id, before.kname)
  const now = await findDevice(host, before.kname)
  if (now?.sequence !== before.sequence)
    throw wrong(
      id,
      before.kname,
      `it was found as disk ${before.sequence}, and is ${now ? `disk ${now.sequence}` : 'gone'}`,
    )
  if (now.size < before.size) throw wrong(id, before.kname, `it had ${before.size} bytes, and has only ${now.size} now`)
  return now
}

export function wrong(id: VolumeId, kname: string, found: string): WrongDevice {
  return new WrongDevice({
    asked: `use /dev/${kname} as ${id}`,
    found,
    next: 'nothing was written; check what the target shows to this node, unpublish the volume and publish it again',
  })
}
