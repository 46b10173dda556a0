// A staged filesystem that has stopped working, as after a lost session: the next publish stages it again, if nothing uses it.
import { findMount, listMounts, type Mount, whyStopped } from '../linux/mount.ts'
import { answersLookups } from '../linux/path.ts'
import { VolumeInUse } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Entry } from './journal.ts'
import { findConnected, type NodeSite } from './site.ts'
import { type StageRequest, stageAlone } from './stage-volume.ts'
import { withdrawStage } from './unstage-volume.ts'

/**
 * The caller has the volume alone. Whatever the dead filesystem had not written yet is lost already; what was synced is
 * on the device, and the journal of the filesystem is replayed by the next mount. Throws VolumeInUse while pods hold it.
 */
export async function restageIfBroken(
  site: NodeSite,
  request: StageRequest,
  entry: Entry | undefined,
  op: Op,
): Promise<void> {
  if (!entry || entry.doing || entry.capability.access !== 'mount' || entry.stagingPath !== request.stagingPath) return
  const staged = await findMount(site.host, entry.stagingPath)
  if (staged) {
    const cause = await whyBroken(site, entry, staged, op)
    if (cause === undefined) return
    await withdrawBroken(site, entry, staged, cause, op)
  } else if (!entry.again) return
  await stageAlone(site, request, op)
}

/** What the journal says then outlives a stage that fails: the orchestrator takes the volume for staged, and publishes only. */
async function withdrawBroken(site: NodeSite, entry: Entry, staged: Mount, cause: string, op: Op): Promise<void> {
  const { id, stagingPath } = entry
  const asked = `stage ${id} again at ${stagingPath}`
  // Only mounts of the same filesystem: after a new login the device may bear another number.
  const users = (await listMounts(site.host)).filter(each => each.number === staged.number && each.path !== stagingPath)
  if (users.length > 0) {
    throw new VolumeInUse({
      asked,
      found: `${cause}, and it is published at ${users.map(({ path }) => path).join(', ')}`,
      next: 'end the pods that use it; then it is staged again by itself',
    })
  }
  op.log.warn({ volume: id, cause }, 'staging a volume again whose filesystem stopped working')
  await withdrawStage(site, asked, id, stagingPath, op)
  await site.journal.write({ ...entry, targets: [], again: true })
}

async function whyBroken(site: NodeSite, entry: Entry, staged: Mount, op: Op): Promise<string | undefined> {
  const connected = await findConnected(site, entry.id, op)
  if (connected?.device.number !== staged.number) return 'the device of its filesystem is gone'
  const stopped = entry.readonly ? undefined : await whyStopped(site.host, staged, connected.device)
  if (stopped !== undefined) return stopped
  if (staged.fsType === 'xfs' && !(await answersLookups(site.host, staged.path, op)))
    return 'its filesystem was shut down'
  return undefined
}
