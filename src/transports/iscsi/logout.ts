// Logout: nothing uses the disk, all writes are on the target, the disk goes, then the session with its last disk, then the records.
import type { Host } from '../../host/host.ts'
import { type Device, findDevice, flushBuffers, isClaimed, liveFilesystems } from '../../linux/device.ts'
import { disksOf, listSessions, type Session } from '../../linux/iscsi-session.ts'
import { deleteRecords, type Initiator, logout } from '../../linux/iscsiadm.ts'
import { usersOf } from '../../linux/losetup.ts'
import { deleteDisk, readDiskState, rescanDisk } from '../../linux/scsi.ts'
import { NotYet, waitFor } from '../../linux/wait.ts'
import { Unavailable, VolumeInUse } from '../../volume/errors.ts'
import type { Op } from '../../volume/op.ts'
import type { VolumeId } from '../../volume/types.ts'
import { endsWithin } from '../../volume/within.ts'
import { pickDisks } from './disks.ts'
import { isAbsent, requireAlive, requireIdentity } from './proof.ts'

/** The last umount may return before the superblock is gone. */
const SUPERBLOCK_MS = 5_000
const FLUSH_MS = 60_000
const GONE_MS = 10_000

/**
 * Idempotent. OK only when no disk of the volume is left below this target, and no session or record of it either, unless
 * other disks of the node are below it. Throws VolumeInUse.
 */
export async function logOutEverywhere(
  host: Host,
  initiator: Initiator,
  { id, target }: { id: VolumeId; target: string },
  op: Op,
): Promise<void> {
  const asked = `disconnect ${id}`
  const kept = new Set<number>()
  for (const session of await listSessions(host, target)) {
    const disks = disksOf([session])
    const own = await pickDisks(host, id, disks)
    for (const { kname, unit } of own) {
      const device = await findDevice(host, kname)
      if (device) await removeDisk(host, { asked, id, session, device, at: unit.at }, op)
    }
    if (disks.length > own.length) kept.add(session.sid)
    else await logout(initiator, session.sid, op)
  }
  await waitFor(
    { asked, timeoutMs: GONE_MS },
    async () => {
      const left = (await listSessions(host, target)).find(({ sid }) => !kept.has(sid))
      if (left) throw new NotYet(`session ${left.sid} at ${left.portal} is still there`)
    },
    op,
  )
  if (kept.size === 0) await deleteRecords(initiator, target, op)
}

interface Removal {
  readonly asked: string
  readonly id: VolumeId
  readonly session: Session
  readonly device: Device
  /** The unit's folder in /sys. */
  readonly at: string
}

async function removeDisk(host: Host, removal: Removal, op: Op): Promise<void> {
  const { asked, id, device, at } = removal
  await requireUnused(host, asked, device, op)
  if (await takesWrites(host, removal, op)) {
    await requireIdentity(host, id, device.kname)
    if (!(await endsWithin(flushBuffers(host, device, op), FLUSH_MS)))
      throw new Unavailable({ asked, found: `${device.path} does not take its last writes`, next: 'call again' })
    // The last look: whoever mounts it, in whatever namespace, has taken it.
    if (await isClaimed(host, device, op))
      throw inUse(asked, [`${device.path} is claimed, perhaps mounted in another namespace`])
  }
  await deleteDisk(host, at, op)
}

/** Not a disk whose session is beyond hope, or of an earlier publish: what it did not get is lost already. */
async function takesWrites(host: Host, { asked, session, device }: Removal, op: Op): Promise<boolean> {
  if (await isBeyondHope(host, session, device)) return false
  await requireAlive(host, asked, session, device.kname)
  await rescanDisk(host, device.kname, op)
  return !(await isAbsent(host, device.kname))
}

export async function isBeyondHope(host: Host, session: Session, { kname }: Device): Promise<boolean> {
  return session.state === 'FREE' || (await readDiskState(host, kname)) === 'transport-offline'
}

/** Throws VolumeInUse: a session that is logged out takes the disk from under a filesystem, and its writes are lost. */
async function requireUnused(host: Host, asked: string, device: Device, op: Op): Promise<void> {
  const users = await usersOf(host, device)
  if (users.length > 0) throw inUse(asked, users)
  let alive: string[] = []
  try {
    await waitFor(
      { asked, timeoutMs: SUPERBLOCK_MS },
      async () => {
        alive = await liveFilesystems(host, device)
        if (alive.length > 0) throw new NotYet('its filesystem is alive')
      },
      op,
    )
  } catch (error) {
    if (error instanceof Unavailable && alive.length > 0)
      throw inUse(asked, [`the filesystem of ${device.path} is alive, perhaps mounted in another namespace`])
    throw error
  }
}

function inUse(asked: string, users: readonly string[]): VolumeInUse {
  return new VolumeInUse({ asked, found: users.join('; '), next: 'unpublish and unstage the volume first' })
}
