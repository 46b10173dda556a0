// NodeGetVolumeStats: usage and condition of a volume; a dead or frozen one is an error within seconds.
import { readDirect } from '../linux/device.ts'
import { filesystemTroubles, isReadOnly, type Mount, mountsAt } from '../linux/mount.ts'
import { answersLookups, probeWrites, resolveParents } from '../linux/path.ts'
import { type FilesystemUsage, readUsage } from '../linux/stats.ts'
import { type Condition, conditionOf } from '../volume/condition.ts'
import { VolumeNotFound } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Bytes, VolumeId } from '../volume/types.ts'
import { tuningShortfalls } from './apply-tuning.ts'
import { type Connected, findConnected, idOf, isPlainPath, mountsOf, type NodeSite } from './site.ts'

export type VolumeStats = ({ kind: 'mount'; usage: FilesystemUsage } | { kind: 'block'; size: Bytes }) & {
  condition: Condition
}

/** kubelet asks every minute; a device that is slower than this is not well. */
const READ_MS = 3_000

/** CSI spec, NodeGetVolumeStats. A volume that is not at the path is NOT_FOUND. Takes no lock: a busy volume has stats too. */
export async function volumeStats(site: NodeSite, name: VolumeId, given: string, op: Op): Promise<VolumeStats> {
  const asked = `read the stats of ${name} at ${given}`
  const id = await idOf(site, name)
  const absent = (found: string) =>
    new VolumeNotFound({ asked, found, next: 'check the path; stage or publish the volume first' })
  const connected = await findConnected(site, id, op)
  if (!connected) throw absent('no device of the volume is connected to this node')
  const { device } = connected
  const [path = given] = isPlainPath(given) ? await resolveParents(site.host, [given], op) : []
  const own = await mountsOf(site.host, device)
  const visible = (await mountsAt(site.host, path)).at(-1)
  const isOwn = own.some(each => each.path === path && each.number === visible?.number && each.root === visible.root)
  if (path !== device.path && !isOwn) throw absent('the volume is not mounted there')

  const troubles = await troublesOf(site, id, connected, own, op)
  // statfs answers from memory even when the device is dead; a read past the cache does not.
  if (troubles.length === 0) await readDirect(site.host, device, 0n, 4096, op, READ_MS)
  const entry = await site.journal.find(id)
  const remarks = entry ? await tuningShortfalls(site.host, device, entry) : []
  const condition = conditionOf(troubles, remarks)
  if (visible?.fsType === 'devtmpfs' || path === device.path) return { kind: 'block', size: device.size, condition }
  return { kind: 'mount', usage: await readUsage(site.host, path, op), condition }
}

async function troublesOf(
  { host, journal }: NodeSite,
  id: VolumeId,
  { connector, device }: Connected,
  own: readonly Mount[],
  op: Op,
): Promise<string[]> {
  const entry = await journal.find(id)
  const below = await connector.troublesOf(device)
  const filesystems = own.filter(each => each.number === device.number)
  const filesystem = filesystems.find(each => each.path === entry?.stagingPath) ?? filesystems[0]
  if (!filesystem) return below
  const inside = await filesystemTroubles(host, filesystem, device)
  const wasWritable = entry ? !entry.readonly : !isReadOnly(filesystem)
  const refusesWrites = wasWritable && (await probeWrites(host, filesystem.path, op)) === 'read-only'
  const isShut = filesystem.fsType === 'xfs' && !(await answersLookups(host, filesystem.path, op))
  return [
    ...below,
    ...inside,
    ...(isShut ? ['its filesystem was shut down after an error; unmount it, and see the kernel log of the node'] : []),
    ...(refusesWrites ? ['its filesystem was made read-only after an error; see the kernel log of the node'] : []),
    ...(entry?.growthFailure === undefined
      ? []
      : [`its filesystem is smaller than its device: ${entry.growthFailure}`]),
  ]
}
