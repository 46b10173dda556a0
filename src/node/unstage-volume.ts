// NodeUnstageVolume: from a mounted filesystem back to nothing, with every write on the device.
import { type Mount, mountsAt, unmountAll } from '../linux/mount.ts'
import { syncFilesystem } from '../linux/sync.ts'
import { VolumeInUse } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { VolumeId } from '../volume/types.ts'
import { findConnected, mountsOf, type NodeSite, requireOwnMounts, resolvePaths } from './site.ts'
import { detachIdleViews } from './view.ts'

/** CSI spec, NodeUnstageVolume. What is not staged is OK; what is still published is FAILED_PRECONDITION. */
export async function unstageVolume(site: NodeSite, id: VolumeId, path: string, op: Op): Promise<void> {
  const asked = `unstage ${id} from ${path}`
  const { staging_target_path: stagingPath } = await resolvePaths(site, asked, { staging_target_path: path }, op)
  const staged = await mountsAt(site.host, stagingPath)
  await requireOwnMounts(site, asked, id, staged)
  const connected = await findConnected(site, id, op)
  if (connected) {
    const published = (await mountsOf(site.host, connected.device)).filter(mount => mount.path !== stagingPath)
    requireNone(asked, published)
  }
  if (staged.length > 0) {
    await syncFilesystem(site.host, stagingPath, op)
    await unmountAll(site.host, stagingPath, op)
  }
  if (connected) {
    await detachIdleViews(site.host, connected.device, op)
    await connected.connector.disconnect(id, op)
  }
  await site.records.remove(id)
}

function requireNone(asked: string, published: readonly Mount[]): void {
  if (published.length === 0) return
  throw new VolumeInUse({
    asked,
    found: `it is published at ${published.map(mount => mount.path).join(', ')}`,
    next: 'unpublish it there first',
  })
}
