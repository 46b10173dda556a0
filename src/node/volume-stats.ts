// NodeGetVolumeStats: usage of a filesystem or size of a device; a dead device is an error within seconds.
import { readDirect } from '../linux/device.ts'
import { mountsAt } from '../linux/mount.ts'
import { resolveParents } from '../linux/path.ts'
import { type FilesystemUsage, readUsage } from '../linux/stats.ts'
import { VolumeNotFound } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Bytes, VolumeId } from '../volume/types.ts'
import { findConnected, isPlainPath, mountsOf, type NodeSite } from './site.ts'

export type VolumeStats = { kind: 'mount'; usage: FilesystemUsage } | { kind: 'block'; size: Bytes }

/** CSI spec, NodeGetVolumeStats. A volume that is not at the path is NOT_FOUND. */
export async function volumeStats(site: NodeSite, id: VolumeId, given: string, op: Op): Promise<VolumeStats> {
  const asked = `read the stats of ${id} at ${given}`
  const absent = (found: string) =>
    new VolumeNotFound({ asked, found, next: 'check the path; stage or publish the volume first' })
  const connected = await findConnected(site, id, op)
  if (!connected) throw absent('no device of the volume is connected to this node')
  const { device } = connected
  const [path = given] = isPlainPath(given) ? await resolveParents(site.host, [given], op) : []
  // statfs answers from memory even when the device is dead; a read past the cache does not. The last page, because a
  // file that was truncated has lost that one, whatever a filesystem writes into it again.
  const answers = async () => await readDirect(site.host, device, (device.size / 4096n - 1n) * 4096n, 4096, op)
  if (path === device.path) {
    await answers()
    return { kind: 'block', size: device.size }
  }
  const visible = (await mountsAt(site.host, path)).at(-1)
  const own = await mountsOf(site.host, device)
  if (
    !visible ||
    !own.some(mount => mount.path === path && mount.number === visible.number && mount.root === visible.root)
  ) {
    throw absent('the volume is not mounted there')
  }
  await answers()
  if (visible.fsType === 'devtmpfs') return { kind: 'block', size: device.size }
  return { kind: 'mount', usage: await readUsage(site.host, path, op) }
}
