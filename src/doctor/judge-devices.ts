// Verdicts on devices of volumes, the read-only views of them, and their mounts.
import type { Mount } from '../linux/mount.ts'
import { isInterrupted } from '../node/recover.ts'
import type { Attachment } from '../transports/transport.ts'
import { filesystemUuid } from '../volume/ids.ts'
import type { VolumeId } from '../volume/types.ts'
import { type Finding, ok, type Subject, type Trouble, trouble } from './finding.ts'
import { idBelow, isNode, pathsOf, type Records } from './records.ts'
import type { OwnDevice } from './survey.ts'

export function judgeDevices(records: Records): Finding[] {
  return records.node.devices.flatMap(own => [
    judgeDevice(records, own),
    ...records.viewsOf(own).map(view => judgeView(records, own, view)),
    ...judgeMounts(records, own),
  ])
}

function judgeDevice(records: Records, own: OwnDevice): Finding {
  const { device, backing, isLastWay } = own
  const id = idBelow(own)
  const kept = id === undefined ? undefined : records.kept(id)
  const subject: Subject = {
    kind: 'device',
    name: device.path,
    volume: id,
    changed: kept?.changed,
    size: device.size,
    sequence: device.sequence,
  }
  if (isLastWay) {
    return trouble('ghost', subject, {
      found: `its file ${backing} was deleted: the device is the last way to the data`,
      remedy: `copy what is on ${device.path} to a new file; then detach it by hand`,
    })
  }
  const differs = differenceOf(records, own)
  if (differs) return trouble('mismatch', subject, differs)
  if (id === undefined || isAccountedFor(records, own, id)) return ok(subject)
  const users = usersOf(records, own)
  return trouble('orphan', subject, {
    found: `it shows ${backing}, and neither a claim nor the journal knows of it${users.map(each => `; ${each}`).join('')}`,
    remedy: 'detach it when nothing uses it',
    repair: users.length > 0 ? undefined : own.isRemote ? { do: 'disconnect', id } : { do: 'detach', id, device },
  })
}

/** Why the device is not what the records of its volume say, if so. */
function differenceOf(records: Records, own: OwnDevice): Trouble | undefined {
  const { device, backing, id, doubts, superblock, isRemote } = own
  const kept = id === undefined ? undefined : records.kept(id)
  const others = id === undefined ? [] : records.devicesOf(id).filter(each => each.device.path !== device.path)
  if (kept?.data && !isRemote && kept.data.path !== backing) {
    const found = `it bears the identity of ${kept.id}, whose file is ${kept.data.path}, but shows ${backing}`
    return { found, remedy: 'detach it by hand: the driver would take it for the volume' }
  }
  if (others.length > 0) {
    const found = `${others.map(each => each.device.path).join(', ')} shows the same volume: two caches for the same bytes`
    return { found, remedy: 'stop what uses the volume, and detach the one that nothing uses by hand' }
  }
  if (doubts.length > 0)
    return { found: doubts.join('; '), remedy: 'stop what uses it; nothing on it can be relied upon' }
  if (kept?.volume && kept.volume.sectorSize !== device.sectorSize) {
    const found = `it has sectors of ${device.sectorSize} bytes, the volume was made with ${kept.volume.sectorSize}`
    return { found, remedy: 'unpublish and publish the volume again' }
  }
  return superblock && id !== undefined ? contentDifference(records, own, id) : undefined
}

/** Only of what is mounted and at rest: a call that is under way changes it. */
function contentDifference(records: Records, { device, superblock }: OwnDevice, id: VolumeId): Trouble | undefined {
  const noted = records.noted(id)
  if (!superblock || (typeof noted === 'object' && isInterrupted(noted))) return undefined
  if ('unreadable' in superblock)
    return { found: `it is mounted, but: ${superblock.unreadable}`, remedy: 'check what the device is backed by' }
  const volume = records.kept(id)?.volume
  const isReadOnly = device.readonly || (typeof noted === 'object' && noted.readonly)
  // A read-only copy keeps the UUID of its source.
  const own = volume?.adopted?.uuid ?? filesystemUuid(id)
  const source =
    volume?.contentFrom === undefined ? undefined : (volume.contentUuid ?? filesystemUuid(volume.contentFrom))
  const allowed = [own, ...(source !== undefined && isReadOnly ? [source] : [])]
  if (!allowed.includes(superblock.uuid)) {
    const found = `its ${superblock.type} filesystem has UUID ${superblock.uuid}, the volume’s is ${own}`
    return { found, remedy: 'stop what uses it: another filesystem was put on it, or its UUID was changed' }
  }
  if (!superblock.marked) return undefined
  const found = 'it is mounted, and still bears the mark of an unfinished format, which lets a driver format it again'
  return { found, remedy: 'copy its data elsewhere; report this' }
}

/** An entry that cannot be read may well account for it. */
function isAccountedFor(records: Records, { isRemote }: OwnDevice, id: VolumeId): boolean {
  // A claim may be another node's: of a disk of this node only its journal knows.
  const kept = isRemote ? undefined : records.kept(id)
  return (kept !== undefined && (kept.claims.length > 0 || kept.unreadable.length > 0)) || records.noted(id) !== 'no'
}

function usersOf(records: Records, own: OwnDevice): string[] {
  const { mounts, attachments } = records.node
  const mounted = mounts.filter(mount => records.shownBy(mount)?.device.path === own.device.path)
  return [
    ...mounted.map(mount => `it is mounted at ${mount.path}`),
    ...attachments.filter(each => each.backing === own.device.path).map(each => `${each.device.path} stands on it`),
    ...(own.isAlive && mounted.length === 0 ? ['its filesystem is alive, perhaps mounted in another namespace'] : []),
  ]
}

/** A view is made just before it is bound, and goes with the last target. */
function judgeView(records: Records, own: OwnDevice, { device }: Attachment): Finding {
  const id = idBelow(own)
  const { path, size, sequence } = device
  const subject: Subject = { kind: 'view', name: path, volume: id, size, sequence }
  const noted = id === undefined ? 'no' : records.noted(id)
  const isBound = records.node.mounts.some(mount => records.shownBy(mount)?.device.path === device.path)
  if (id === undefined || isBound || noted === 'unreadable') return ok(subject)
  if (typeof noted === 'object' && isInterrupted(noted)) return ok(subject)
  return trouble('orphan', subject, {
    found: `a read-only view of ${own.device.path} that is bound nowhere`,
    remedy: 'detach it when nothing uses it',
    repair: { do: 'detach', id, device },
  })
}

/** Mounts of the volume that the journal does not know; those that it does know are judged with their entry. */
function judgeMounts(records: Records, own: OwnDevice): Finding[] {
  const id = idBelow(own)
  const noted = id === undefined ? 'no' : records.noted(id)
  if (noted === 'unreadable') return []
  const known = new Set(records.entries.flatMap(({ entry }) => pathsOf(entry)))
  const devices = [own, ...records.viewsOf(own)].map(each => each.device.path)
  return records.node.mounts
    .filter(mount => devices.includes(records.shownBy(mount)?.device.path ?? ''))
    .filter(mount => !known.has(mount.path) && !isOfOthers(mount, noted))
    .map(mount =>
      trouble(
        'orphan',
        { kind: 'mount', name: mount.path, volume: id, size: own.device.size },
        {
          found: `${isNode(mount) ? 'the node' : 'the filesystem'} of ${own.device.path} is mounted there, and the journal does not know of it`,
          remedy: 'unpublish or unstage it through the driver, or unmount it by hand when nothing uses it',
        },
      ),
    )
}

/** Of a volume in use kubelet makes mounts of its own: of folders in it (subPath), and more nodes of a block volume. */
function isOfOthers(mount: Mount, noted: ReturnType<Records['noted']>): boolean {
  if (typeof noted !== 'object') return false
  return isNode(mount) ? noted.capability.access === 'block' && noted.targets.length > 0 : mount.root !== '/'
}
