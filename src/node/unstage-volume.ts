// NodeUnstageVolume: from a mounted filesystem back to nothing, with every write on the device.
import { thaw } from '../linux/freeze.ts'
import { mountsAt, unmountAll } from '../linux/mount.ts'
import { syncFilesystem } from '../linux/sync.ts'
import type { Op } from '../volume/op.ts'
import type { VolumeId } from '../volume/types.ts'
import {
  findConnected,
  type NodeSite,
  requireOwnMounts,
  requirePersistent,
  requireUnpublished,
  resolvePaths,
} from './site.ts'
import { detachIdleViews } from './view.ts'

/** CSI spec, NodeUnstageVolume. What is not staged is OK; what is still published is FAILED_PRECONDITION. */
export async function unstageVolume(site: NodeSite, id: VolumeId, path: string, op: Op): Promise<void> {
  const asked = `unstage ${id} from ${path}`
  requirePersistent(asked, id)
  const paths = await resolvePaths(site, asked, { staging_target_path: path }, op)
  await site.journal.alone(id, op, () => withdrawStage(site, asked, id, paths.staging_target_path, op))
}

/** The same for a caller that has the volume alone already. `last`: what else must be gone before the entry goes. */
export async function withdrawStage(
  site: NodeSite,
  asked: string,
  id: VolumeId,
  stagingPath: string,
  op: Op,
  last: () => Promise<void> = async () => undefined,
): Promise<void> {
  const entry = await site.journal.find(id)
  const staged = await mountsAt(site.host, stagingPath)
  await requireOwnMounts(site, asked, id, staged)
  await requireUnpublished(site, asked, { id, stagingPath }, op)
  if (entry) await site.journal.write({ ...entry, doing: 'unstage' })
  if (staged.length > 0) {
    if (await thaw(site.host, stagingPath, op)) op.log.warn({ stagingPath }, 'the filesystem was frozen; thawed it')
    await syncFilesystem(site.host, stagingPath, op)
    await unmountAll(site.host, stagingPath, op)
  }
  const connected = await findConnected(site, id, op)
  if (connected) await detachIdleViews(site.host, connected.device, op)
  // Each: a call that was killed may have left a session without a disk, which nobody finds.
  for (const connector of site.connectors.values()) await connector.disconnect(id, op)
  await last()
  await site.journal.remove(id)
}
