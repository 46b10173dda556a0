// NodePublishVolume and NodeUnpublishVolume: a staged volume at a path of a workload, and away from it.
import { isDeepStrictEqual } from 'node:util'
import type { Host } from '../host/host.ts'
import type { Device } from '../linux/device.ts'
import { bindMount, findMount, isMountOf, type Mount, mountsAt, unmountAll } from '../linux/mount.ts'
import { ensureDirectory, ensureFile, removeMountPoint, requireEmpty } from '../linux/path.ts'
import type { Tuning } from '../schema/shapes/tuning.ts'
import { parseTuningRoute } from '../schema/tuning.ts'
import { allowsManyTargets, type Capability, isReaderOnly } from '../volume/capability.ts'
import { EffectMissing, IncompatibleExists, NotStaged, VolumeInUse } from '../volume/errors.ts'
import { isEphemeralHandle } from '../volume/ids.ts'
import { type Op, steady } from '../volume/op.ts'
import type { Parameters, Route, VolumeId } from '../volume/types.ts'
import { tuneTarget } from './apply-tuning.ts'
import { isForEphemeral, publishEphemeral, unpublishEphemeral } from './ephemeral.ts'
import type { Entry, Target } from './journal.ts'
import { podOf } from './pod.ts'
import { restageIfBroken } from './restage.ts'
import { findConnected, mountsOf, type NodeSite, requireOwnMounts, requirePersistent, resolvePaths } from './site.ts'
import { detachIdleViews, ensureView } from './view.ts'

export interface PublishRequest {
  readonly id: VolumeId
  readonly stagingPath: string
  readonly targetPath: string
  readonly capability: Capability
  readonly readonly: boolean
  /** As for NodeStageVolume: the volume may have to be staged again. */
  readonly publishContext: Route
  readonly volumeContext: Parameters
}

/**
 * CSI spec, NodePublishVolume and its table of second calls. The same target with the same arguments is OK, with
 * others ALREADY_EXISTS; another target is FAILED_PRECONDITION for SINGLE_NODE_SINGLE_WRITER.
 */
export async function publishVolume(site: NodeSite, given: PublishRequest, op: Op): Promise<void> {
  const { id } = given
  const asked = `publish ${id} at ${given.targetPath}`
  requirePersistent(asked, id)
  if (isForEphemeral(asked, given)) return await publishEphemeral(site, given, op)
  if (given.stagingPath === '')
    throw new NotStaged({ asked, found: 'staging_target_path is empty', next: 'call NodeStageVolume first' })
  const paths = await resolvePaths(
    site,
    asked,
    { staging_target_path: given.stagingPath, target_path: given.targetPath },
    op,
  )
  const { staging_target_path: stagingPath, target_path: targetPath } = paths
  await site.journal.alone(id, op, () => publish(site, asked, { ...given, stagingPath, targetPath }, op))
}

async function publish(site: NodeSite, asked: string, request: PublishRequest, op: Op): Promise<void> {
  const { id, targetPath, capability } = request
  const tuning = parseTuningRoute(asked, request.publishContext)
  await restageIfBroken(site, request, await site.journal.find(id), op)
  const entry = await site.journal.find(id)
  const device = await requireStaged(site, asked, request, entry, op)
  const readonly = request.readonly || isReaderOnly(capability.mode) || device.readonly
  const pod = podOf(targetPath, request.volumeContext)
  const target = { path: targetPath, readonly, ...(pod !== undefined && { pod }) }
  await bring(site, asked, { ...request, readonly }, { device, entry, target }, op)
  await noteTuning(site, id, tuning)
  await tuneTarget(site.host, device, tuning, target, op)
}

interface Bringing {
  readonly device: Device
  readonly entry: Entry | undefined
  readonly target: Target
}

/** Makes the volume be at the target as it is asked for, or throws and leaves nothing of it. */
async function bring(
  site: NodeSite,
  asked: string,
  request: PublishRequest,
  { device, entry, target }: Bringing,
  op: Op,
): Promise<void> {
  const { id, targetPath, capability, readonly } = request
  // A call that never came to its end was never answered: what it mounted may be half-made.
  if (entry?.targets.some(each => each.path === targetPath && each.doing))
    await withdrawTarget(site, asked, id, targetPath, op)
  const present = await mountsAt(site.host, targetPath)
  if (present.length > 0) {
    await confirmPublished(site, asked, request, device, present)
    return await noteTarget(site, id, targetPath, target)
  }
  await requireNoOtherTarget(site, asked, request, device)
  await prepare(site.host, targetPath, capability.access, op)
  await noteTarget(site, id, targetPath, { ...target, doing: 'publish' })
  try {
    if (capability.access === 'mount') await publishFilesystem(site, device, request, op)
    else await publishDevice(site, device, targetPath, readonly, op)
    await noteTarget(site, id, targetPath, target)
  } catch (error) {
    await undo(site, asked, id, targetPath, op)
    throw error
  }
  op.log.info({ targetPath, readonly }, 'volume published')
}

/** Replaces what the journal says of this target; without a new one it is forgotten. A volume without an entry has none. */
async function noteTarget({ journal }: NodeSite, id: VolumeId, path: string, target?: Target): Promise<void> {
  const entry = await journal.find(id)
  if (!entry) return
  const others = entry.targets.filter(each => each.path !== path)
  await journal.write({ ...entry, targets: target ? [...others, target] : others })
}

/** For the condition of the volume, which tells what is not in effect. */
async function noteTuning({ journal }: NodeSite, id: VolumeId, tuning: Tuning): Promise<void> {
  const entry = await journal.find(id)
  if (entry && !isDeepStrictEqual(entry.tuning ?? {}, tuning)) await journal.write({ ...entry, tuning })
}

/** CSI spec, NodeUnpublishVolume. What is not published is OK; the target path is gone afterwards. */
export async function unpublishVolume(site: NodeSite, id: VolumeId, path: string, op: Op): Promise<void> {
  const asked = `unpublish ${id} from ${path}`
  requirePersistent(asked, id)
  // By its name alone: what a persistent volume is called never leads there.
  if (isEphemeralHandle(id) && site.ephemeral) return await unpublishEphemeral(site, id, path, op)
  const { target_path: targetPath } = await resolvePaths(site, asked, { target_path: path }, op)
  await site.journal.alone(id, op, () => withdrawTarget(site, asked, id, targetPath, op))
}

/** The same for a caller that has the volume alone already. */
export async function withdrawTarget(
  site: NodeSite,
  asked: string,
  id: VolumeId,
  targetPath: string,
  op: Op,
): Promise<void> {
  const present = await mountsAt(site.host, targetPath)
  await requireOwnMounts(site, asked, id, present)
  const noted = (await site.journal.find(id))?.targets.find(each => each.path === targetPath)
  if (noted) await noteTarget(site, id, targetPath, { ...noted, doing: 'unpublish' })
  await unmountAll(site.host, targetPath, op)
  const connected = await findConnected(site, id, op)
  if (connected) await detachIdleViews(site.host, connected.device, op)
  await removeMountPoint(site.host, targetPath, op)
  if (noted) await noteTarget(site, id, targetPath)
}

/** The device of the volume, if it is staged as this request wants it. */
async function requireStaged(
  site: NodeSite,
  asked: string,
  { id, stagingPath, capability }: PublishRequest,
  entry: Entry | undefined,
  op: Op,
): Promise<Device> {
  const missing = (found: string) =>
    new NotStaged({ asked, found, next: 'call NodeStageVolume first, with the same capability' })
  if (entry?.doing) throw missing(`a call to ${entry.doing} it has not come to its end`)
  const have = entry?.capability
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
    if (entry?.stagingPath !== stagingPath) throw missing(`it is not staged at ${stagingPath}`)
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

/** Not undone when the call fails: what was there before it must stay, and an empty mount point harms nobody. */
async function prepare(host: Host, targetPath: string, access: Capability['access'], op: Op): Promise<void> {
  if (access === 'block') return await ensureFile(host, targetPath, op)
  await ensureDirectory(host, targetPath, op)
  await requireEmpty(host, targetPath, op)
}

async function publishFilesystem(
  site: NodeSite,
  device: Device,
  { stagingPath, targetPath, readonly }: PublishRequest,
  op: Op,
): Promise<void> {
  await bindMount(site.host, stagingPath, targetPath, readonly, op)
  const visible = await findMount(site.host, targetPath)
  if (visible?.number === device.number && visible.options.includes('ro') === readonly) return
  throw new EffectMissing({
    asked: `bind ${stagingPath} to ${targetPath}`,
    found: visible ? `${visible.source} is there, ${visible.options.join()}` : 'the mount is not there',
    next: 'see the log',
  })
}

async function undo(site: NodeSite, asked: string, id: VolumeId, targetPath: string, op: Op): Promise<void> {
  try {
    await withdrawTarget(site, asked, id, targetPath, steady(op))
  } catch (error) {
    op.log.error({ targetPath, cause: String(error) }, 'could not undo a failed publish; the journal keeps it')
  }
}
