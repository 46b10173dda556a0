// NodePublishVolume and NodeUnpublishVolume: a staged volume at a path of a workload, and away from it.
import type { Device } from '../linux/device.ts'
import { bindMount, findMount, isMountOf, type Mount, mountsAt, unmountAll } from '../linux/mount.ts'
import { ensureDirectory, ensureFile, removeMountPoint } from '../linux/path.ts'
import { allowsManyTargets, type Capability, isReaderOnly } from '../volume/capability.ts'
import { EffectMissing, IncompatibleExists, NotStaged, VolumeInUse } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { VolumeId } from '../volume/types.ts'
import { findConnected, mountsOf, type NodeSite, requireOwnMounts, resolvePaths } from './site.ts'
import { detachIdleViews, ensureView } from './view.ts'

export interface PublishRequest {
  readonly id: VolumeId
  readonly stagingPath: string
  readonly targetPath: string
  readonly capability: Capability
  readonly readonly: boolean
}

/**
 * CSI spec, NodePublishVolume and its table of second calls. The same target with the same arguments is OK, with
 * others ALREADY_EXISTS; another target is FAILED_PRECONDITION for SINGLE_NODE_SINGLE_WRITER.
 */
export async function publishVolume(site: NodeSite, given: PublishRequest, op: Op): Promise<void> {
  const { id, capability } = given
  const asked = `publish ${id} at ${given.targetPath}`
  if (given.stagingPath === '')
    throw new NotStaged({ asked, found: 'staging_target_path is empty', next: 'call NodeStageVolume first' })
  const paths = await resolvePaths(
    site,
    asked,
    { staging_target_path: given.stagingPath, target_path: given.targetPath },
    op,
  )
  const { staging_target_path: stagingPath, target_path: targetPath } = paths
  const request = { ...given, stagingPath, targetPath }
  const device = await requireStaged(site, asked, request, op)
  const readonly = request.readonly || isReaderOnly(capability.mode) || device.readonly
  const present = await mountsAt(site.host, targetPath)
  if (present.length > 0) return await confirmPublished(site, asked, { ...request, readonly }, device, present)

  await requireNoOtherTarget(site, asked, request, device)
  await (capability.access === 'mount' ? ensureDirectory : ensureFile)(site.host, targetPath, op)
  try {
    if (capability.access === 'mount') await bindMount(site.host, stagingPath, targetPath, readonly, op)
    else await publishDevice(site, device, targetPath, readonly, op)
  } catch (error) {
    await withdraw(site, device, targetPath, op)
    throw error
  }
  op.log.info({ targetPath, readonly }, 'volume published')
}

/** CSI spec, NodeUnpublishVolume. What is not published is OK; the target path is gone afterwards. */
export async function unpublishVolume(site: NodeSite, id: VolumeId, path: string, op: Op): Promise<void> {
  const asked = `unpublish ${id} from ${path}`
  const { target_path: targetPath } = await resolvePaths(site, asked, { target_path: path }, op)
  const present = await mountsAt(site.host, targetPath)
  await requireOwnMounts(site, asked, id, present)
  const connected = await findConnected(site, id, op)
  if (present.length > 0) await unmountAll(site.host, targetPath, op)
  if (connected) await detachIdleViews(site.host, connected.device, op)
  await removeMountPoint(site.host, targetPath, op)
}

/** The device of the volume, if it is staged as this request wants it. */
async function requireStaged(
  site: NodeSite,
  asked: string,
  { id, stagingPath, capability }: PublishRequest,
  op: Op,
): Promise<Device> {
  const missing = (found: string) =>
    new NotStaged({ asked, found, next: 'call NodeStageVolume first, with the same capability' })
  const record = await site.records.find(id)
  const have = record?.capability
  if (
    have &&
    (have.access !== capability.access || have.mode !== capability.mode || have.fsType !== capability.fsType)
  ) {
    throw missing(
      `it is staged for ${have.access} ${have.fsType ?? ''} ${have.mode}, asked for ${capability.access} ${capability.fsType ?? ''} ${capability.mode}`,
    )
  }
  const connected = await findConnected(site, id, op)
  if (!connected) throw missing('no device of the volume is connected')
  if (capability.access === 'block') {
    if (record?.stagingPath !== stagingPath) throw missing(`it is not staged at ${stagingPath}`)
    return connected.device
  }
  const staged = await findMount(site.host, stagingPath)
  if (staged?.number !== connected.device.number) throw missing(`its filesystem is not mounted at ${stagingPath}`)
  return connected.device
}

async function confirmPublished(
  site: NodeSite,
  asked: string,
  { id, capability, readonly }: PublishRequest,
  device: Device,
  present: readonly Mount[],
): Promise<void> {
  await requireOwnMounts(site, asked, id, present)
  const visible = present.at(-1)
  const isBlock = visible?.fsType === 'devtmpfs'
  const isReadOnlyNow = isBlock
    ? device.readonly || !isMountOf(visible, device)
    : visible?.options.includes('ro') === true
  if (isBlock === (capability.access === 'block') && isReadOnlyNow === readonly) return
  throw new IncompatibleExists({
    asked,
    found: `it is published there as ${isBlock ? 'a device' : 'a filesystem'}, ${isReadOnlyNow ? 'read-only' : 'writable'}`,
    next: 'unpublish it first',
  })
}

async function requireNoOtherTarget(
  site: NodeSite,
  asked: string,
  { stagingPath, capability }: PublishRequest,
  device: Device,
): Promise<void> {
  if (allowsManyTargets(capability.mode)) return
  const others = (await mountsOf(site.host, device)).filter(mount => mount.path !== stagingPath)
  if (others.length === 0) return
  throw new VolumeInUse({
    asked,
    found: `it is published at ${others.map(mount => mount.path).join(', ')}, and ${capability.mode} allows one target`,
    next: 'unpublish it there first',
  })
}

/** A read-only bind of a device node does not stop writes (the node is what is read-only): bind a read-only device. */
async function publishDevice(
  site: NodeSite,
  device: Device,
  targetPath: string,
  readonly: boolean,
  op: Op,
): Promise<void> {
  const shown = readonly ? await ensureView(site.host, device, op) : device
  await bindMount(site.host, shown.path, targetPath, false, op)
  const visible = await findMount(site.host, targetPath)
  if (!visible || !isMountOf(visible, shown) || shown.readonly !== readonly) {
    throw new EffectMissing({
      asked: `bind ${shown.path} to ${targetPath}`,
      found: 'the mount is not there',
      next: 'see the log',
    })
  }
}

async function withdraw(site: NodeSite, device: Device, targetPath: string, op: Op): Promise<void> {
  const steady = { ...op, signal: new AbortController().signal }
  try {
    await unmountAll(site.host, targetPath, steady)
    await detachIdleViews(site.host, device, steady)
    await removeMountPoint(site.host, targetPath, steady)
  } catch (error) {
    op.log.error({ targetPath, cause: String(error) }, 'could not undo a failed publish')
  }
}
