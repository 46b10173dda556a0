// Ephemeral volumes: a pod's own, made by its NodePublishVolume and gone with its NodeUnpublishVolume; see docs/parameters.md.
import { ensureDirectory, removeMountPoint } from '../linux/path.ts'
import { isEphemeral, parseEphemeralWish } from '../schema/ephemeral.ts'
import type { Capability } from '../volume/capability.ts'
import { InvalidRequest, NotSupported } from '../volume/errors.ts'
import { isEphemeralHandle } from '../volume/ids.ts'
import { type Op, steady } from '../volume/op.ts'
import type { Parameters, VolumeId } from '../volume/types.ts'
import { type EphemeralHome, type NodeSite, resolvePaths } from './site.ts'
import { stageAlone } from './stage-volume.ts'
import { withdrawStage } from './unstage-volume.ts'

export interface EphemeralRequest {
  /** What kubelet calls the volume; its id is another one. */
  readonly id: string
  readonly targetPath: string
  readonly capability: Capability
  readonly readonly: boolean
  readonly volumeContext: Parameters
}

/** Whether a publish is for an ephemeral volume. Throws InvalidRequest when only half of it says so. */
export function isForEphemeral(asked: string, { id, volumeContext }: Pick<EphemeralRequest, 'id' | 'volumeContext'>) {
  const isAsked = isEphemeral(volumeContext)
  if (isAsked === isEphemeralHandle(id)) return isAsked
  const [found, next] = isAsked
    ? [
        'volume_context says that it is ephemeral, and it does not have the id of such a volume',
        'remove that attribute',
      ]
    : ['it has the id of an ephemeral volume', 'let podInfoOnMount of the CSIDriver object be true']
  throw new InvalidRequest({ asked, found, next })
}

/**
 * Makes the volume, and mounts it where the pod wants it: the target is its staging path, so there is one mount and one
 * entry of the journal, which goes after the volume. A failure takes back what the call made; a volume that was published
 * once stays until its unpublish.
 */
export async function publishEphemeral(site: NodeSite, request: EphemeralRequest, op: Op): Promise<void> {
  const { id: handle, capability } = request
  const asked = `publish the ephemeral volume ${handle} at ${request.targetPath}`
  const home = getHome(asked, site)
  if (request.readonly)
    throw new InvalidRequest({ asked, found: 'it is asked for read-only, and it is empty', next: 'remove readOnly' })
  const { size } = parseEphemeralWish(asked, request.volumeContext, capability)
  const { target_path: stagingPath } = await resolvePaths(site, asked, { target_path: request.targetPath }, op)
  const id = await home.idFor(handle)
  await site.journal.alone(id, op, async () => {
    try {
      const { route, volumeContext } = await home.provide({ handle, size, capability }, op)
      await ensureDirectory(site.host, stagingPath, op)
      await stageAlone(
        site,
        { id, stagingPath, capability, publishContext: route, volumeContext, isEphemeral: true },
        op,
      )
    } catch (error) {
      await undo(site, home, id, stagingPath, op)
      throw error
    }
  })
  op.log.info({ id, targetPath: stagingPath }, 'ephemeral volume published')
}

/** Never of a volume that a pod may have had: kubelet publishes it again, or unpublishes it. */
async function undo(site: NodeSite, home: EphemeralHome, id: VolumeId, path: string, op: Op): Promise<void> {
  try {
    const entry = await site.journal.find(id)
    if (entry?.ephemeral === 'published') return
    if (!entry) return await home.discard(id, steady(op))
    await withdrawStage(site, `undo the publish of ${id}`, id, path, steady(op), async () => {
      await home.remove(id, steady(op))
      await removeMountPoint(site.host, path, steady(op))
    })
  } catch (error) {
    op.log.error({ id, cause: String(error) }, 'could not undo a failed publish; the next start of the driver does')
  }
}

/** Unmounts, then removes the volume with all its data. What is not published there is OK. */
export async function unpublishEphemeral(site: NodeSite, handle: string, path: string, op: Op): Promise<void> {
  const asked = `unpublish the ephemeral volume ${handle} from ${path}`
  const home = getHome(asked, site)
  const { target_path: targetPath } = await resolvePaths(site, asked, { target_path: path }, op)
  const id = await home.idFor(handle)
  await site.journal.alone(id, op, async () => {
    const entry = await site.journal.find(id)
    // Its pod has it elsewhere: whoever asks means another mount.
    if (entry && entry.stagingPath !== targetPath) return await removeMountPoint(site.host, targetPath, op)
    await withdrawStage(site, asked, id, targetPath, op, async () => {
      await removeMountPoint(site.host, targetPath, op)
      await home.remove(id, op)
    })
  })
}

/** Removes what dead processes left: volumes of this node that have no entry and hold nothing. Never throws. */
export async function sweepEphemeral(site: NodeSite, op: Op): Promise<void> {
  const { ephemeral: home, journal } = site
  if (!home) return
  const warn = (id: VolumeId | undefined, error: unknown) =>
    op.log.warn({ id, cause: String(error) }, 'could not remove an ephemeral volume that was left over')
  const ids = await home.list().catch((error: unknown) => {
    warn(undefined, error)
    return []
  })
  for (const id of ids) {
    // A publish that is under way in another process holds the lock, and has written its entry by the end of it.
    const work = async () => {
      if (await journal.find(id)) return
      await home.discard(id, op)
    }
    await journal.alone(id, op, work).catch((error: unknown) => warn(id, error))
  }
}

export function getHome(asked: string, { ephemeral }: NodeSite): EphemeralHome {
  if (ephemeral) return ephemeral
  throw new NotSupported({
    asked,
    found: 'this process has no pool of its own',
    next: 'set ephemeral in the configuration of the driver on this node, or use a PersistentVolumeClaim',
  })
}
