// Which disks of which sessions are a volume's: all below a target of its own, below a node's those that bear its serial number.
import type { Host } from '../../host/host.ts'
import { type Device, findDevice } from '../../linux/device.ts'
import { disksOf, listSessions, type Session, type Unit } from '../../linux/iscsi-session.ts'
import { readUnitSerial } from '../../linux/scsi.ts'
import { WrongDevice } from '../../volume/errors.ts'
import { parseVolumeId } from '../../volume/ids.ts'
import type { VolumeId } from '../../volume/types.ts'
import { poolOfNodeTarget, serialOf, targetName, volumeOfSerial, volumeOfTarget } from './names.ts'

export interface Disk {
  readonly session: Session
  readonly unit: Unit
  readonly kname: string
}

/** May a disk of this target be the volume? */
export function mayShow(target: string, id: VolumeId): boolean {
  const pool = poolOfNodeTarget(target)
  return target === targetName(id) || (pool !== undefined && pool === parseVolumeId(id)?.pool)
}

async function disksOfVolume(host: Host, id: VolumeId): Promise<Disk[]> {
  return await pickDisks(host, id, disksOf(await listSessions(host, target => mayShow(target, id))))
}

/** Of disks whose target may show the volume. */
export async function pickDisks(host: Host, id: VolumeId, disks: readonly Disk[]): Promise<Disk[]> {
  const isOwn = await Promise.all(
    disks.map(
      async ({ session, kname }) =>
        session.target === targetName(id) || (await readUnitSerial(host, kname)) === serialOf(id),
    ),
  )
  return disks.filter((_, n) => isOwn[n])
}

/** Below a node's target the number on the disk is all there is; below a volume's the name of the target says what it should be. */
export async function volumeOfDisk(host: Host, { target }: Session, kname: string): Promise<VolumeId | undefined> {
  const pool = poolOfNodeTarget(target)
  if (pool === undefined) return volumeOfTarget(target)
  return volumeOfSerial(pool, (await readUnitSerial(host, kname)) ?? '')
}

export interface Found {
  readonly device: Device
  readonly session: Session
  readonly lun: number
}

/** Two disks of one volume have two page caches: what is written to one does not show on the other. */
export async function findDisk(host: Host, id: VolumeId): Promise<Found | undefined> {
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
