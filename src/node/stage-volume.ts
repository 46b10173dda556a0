// NodeStageVolume: from a route to a mounted filesystem, or to a device that is ready to be published.
import { findMount, isReadOnly, type Mount, mountsAt, unmountAll } from '../linux/mount.ts'
import { kindOf, requireEmpty } from '../linux/path.ts'
import { parseVolumeContext } from '../schema/parameters.ts'
import { parseTuningRoute } from '../schema/tuning.ts'
import { type Capability, type FsType, isReaderOnly, refusal } from '../volume/capability.ts'
import { IncompatibleExists, InvalidRequest, NotStaged } from '../volume/errors.ts'
import { filesystemUuid } from '../volume/ids.ts'
import { firstRefusedOption, splitOptions } from '../volume/mount-options.ts'
import { type Op, steady } from '../volume/op.ts'
import type { Parameters, Route, VolumeId } from '../volume/types.ts'
import { tuneDevice } from './apply-tuning.ts'
import { giveOwner, growIfSmaller, type Plan, stageFilesystem } from './filesystem.ts'
import type { Entry } from './journal.ts'
import {
  findConnected,
  type NodeSite,
  publishedAt,
  requireOwnMounts,
  requirePersistent,
  requireUnpublished,
  resolvePaths,
} from './site.ts'

export interface StageRequest {
  readonly id: VolumeId
  readonly stagingPath: string
  readonly capability: Capability
  readonly publishContext: Route
  readonly volumeContext: Parameters
  /** See ephemeral.ts. */
  readonly isEphemeral?: true
}

/**
 * CSI spec, NodeStageVolume. A volume that is staged there with the same capability is OK and not touched; with
 * another capability or path it is ALREADY_EXISTS. A failure undoes what this call did.
 */
export async function stageVolume(site: NodeSite, request: StageRequest, op: Op): Promise<void> {
  requirePersistent(`stage ${request.id}`, request.id)
  const plan = await examine(site, request, op)
  await site.journal.alone(plan.id, op, () => stage(site, plan, op))
}

/** The same for a caller that has the volume alone already. */
export async function stageAlone(site: NodeSite, request: StageRequest, op: Op): Promise<void> {
  await stage(site, await examine(site, request, op), op)
}

async function stage(site: NodeSite, plan: Plan, op: Op): Promise<void> {
  const entry = await site.journal.find(plan.id)
  const staged = entry !== undefined && (await isStaged(site, entry, op))
  if (staged) requireSameStage(plan, entry)
  if ((await kindOf(site.host, plan.stagingPath, op)) !== 'directory') {
    throw new NotStaged({
      asked: plan.asked,
      found: `${plan.stagingPath} is not a directory`,
      next: 'the orchestrator must create the staging path',
    })
  }
  if (entry?.doing) await clearInterrupted(site, plan, op)
  const mounted = await findMount(site.host, plan.stagingPath)
  if (mounted) {
    // Without an entry nobody knows whether it came to its end: whoever uses it keeps it, otherwise it is made anew.
    if (entry || (await publishedAt(site, plan.id, plan.stagingPath, op)).length > 0)
      return await confirmStaged(site, plan, mounted, op)
    await clearInterrupted(site, plan, op)
  }
  // No mount shows that a raw block volume is staged. A pod may have it: what the journal says of that stays as it is.
  if (staged && plan.capability.access === 'block') {
    await plan.connector.connect(plan.id, plan.route, op)
    return
  }

  if (plan.capability.access === 'mount') await requireEmpty(site.host, plan.stagingPath, op)
  // A device that was there before this call is not this call's to take away.
  const wasConnected = (await plan.connector.find(plan.id, op)) !== undefined
  const begun = entryOf(plan)
  // Of a pod's volume whose entry was lost the bytes tell whether the pod had it.
  const ephemeral = begun.ephemeral && (entry?.ephemeral ?? (plan.attested ? 'begun' : 'published'))
  await site.journal.write({ ...begun, ...(ephemeral && { ephemeral }), doing: 'stage' })
  try {
    const device = await plan.connector.connect(plan.id, plan.route, op)
    await tuneDevice(site.host, device, plan.tuning, op)
    const growthFailure = plan.capability.access === 'mount' ? await stageFilesystem(site, plan, device, op) : undefined
    await site.journal.write(entryOf(plan, growthFailure))
  } catch (error) {
    await undo(site, plan, { wasConnected, entry }, op)
    throw error
  }
}

/** A call that never came to its end was never answered: nothing can be published, and what it mounted may be half-made. */
async function clearInterrupted(site: NodeSite, { asked, id, stagingPath }: Plan, op: Op): Promise<void> {
  op.log.warn({ stagingPath }, 'an earlier call did not come to its end, starting over')
  await requireOwnMounts(site, asked, id, await mountsAt(site.host, stagingPath))
  await requireUnpublished(site, asked, { id, stagingPath }, op)
  await unmountAll(site.host, stagingPath, op)
}

async function examine(site: NodeSite, request: StageRequest, op: Op): Promise<Plan> {
  const { id, capability, publishContext, volumeContext, isEphemeral = false } = request
  const asked = `stage ${id} at ${request.stagingPath}`
  const refuse = (found: string, next: string) => new InvalidRequest({ asked, found, next })
  const reason = refusal(capability)
  if (reason !== undefined) throw refuse(reason, 'use another access mode')
  const transport = publishContext['transport'] ?? ''
  const connector = site.connectors.get(transport)
  if (!connector)
    throw refuse(`publish_context names the transport "${transport}"`, 'pass on what ControllerPublishVolume returned')
  const parameters = parseVolumeContext(asked, volumeContext)
  const fsType = capability.fsType ?? parameters.fsType ?? 'ext4'
  const refused = firstRefusedOption(capability.mountFlags, fsType)
  if (refused !== undefined)
    throw refuse(`mount option "${refused}" is not allowed for ${fsType}`, 'remove it from mountOptions')
  const paths = await resolvePaths(site, asked, { staging_target_path: request.stagingPath }, op)
  const flags = splitOptions(capability.mountFlags)
  return {
    asked,
    id,
    stagingPath: paths.staging_target_path,
    capability,
    fsType,
    parameters,
    connector,
    route: publishContext,
    attested: publishContext['blank'] === 'true',
    uuid: publishContext['filesystem_uuid'] ?? filesystemUuid(id),
    sourceUuid: sourceUuidOf(publishContext),
    tuning: parseTuningRoute(asked, publishContext),
    options: mountOptions(flags, fsType),
    isEphemeral,
    readonly: flags.includes('ro') || isReaderOnly(capability.mode) || publishContext['readonly'] === 'true',
  }
}

function sourceUuidOf({ content_uuid: own, content_from: source }: Route): string | undefined {
  return own ?? (source === undefined ? undefined : filesystemUuid(source))
}

/** Read-only or not is decided by the request; an ext4 with errors must not go on writing (its default is to continue). */
function mountOptions(flags: readonly string[], fsType: FsType): string[] {
  const rest = flags.filter(flag => !['ro', 'rw', 'defaults', 'nofail', '_netdev'].includes(flag))
  return fsType === 'ext4' && !rest.some(flag => flag.startsWith('errors=')) ? [...rest, 'errors=remount-ro'] : rest
}

function entryOf({ id, stagingPath, capability, readonly, tuning, isEphemeral }: Plan, growthFailure?: string): Entry {
  return {
    id,
    stagingPath,
    capability,
    readonly,
    targets: [],
    ...(growthFailure !== undefined && { growthFailure }),
    ...(isEphemeral && { ephemeral: 'published' }),
    ...(Object.keys(tuning).length > 0 && { tuning }),
  }
}

/** The journal says what was done; the kernel decides: after a reboot nothing is staged. */
async function isStaged(site: NodeSite, { id, stagingPath, capability, doing }: Entry, op: Op): Promise<boolean> {
  if (doing) return false
  if (capability.access === 'mount') return (await findMount(site.host, stagingPath)) !== undefined
  return (await findConnected(site, id, op)) !== undefined
}

function requireSameStage({ asked, stagingPath, capability }: Plan, entry: Entry): void {
  const differs = (found: string) => new IncompatibleExists({ asked, found, next: 'unstage it first' })
  const have = entry.capability
  if (entry.stagingPath !== stagingPath) throw differs(`it is staged at ${entry.stagingPath}`)
  if (have.access !== capability.access)
    throw differs(`it is staged for ${have.access}, asked for ${capability.access}`)
  if (have.mode !== capability.mode) throw differs(`it is staged as ${have.mode}, asked for ${capability.mode}`)
  if (have.fsType !== capability.fsType || have.mountFlags.join() !== capability.mountFlags.join()) {
    throw differs(`it is staged as ${have.fsType ?? 'the default filesystem'} with options "${have.mountFlags.join()}"`)
  }
}

/** Something is mounted at the staging path: fine if it is this volume, as asked; never mounted over. */
async function confirmStaged(site: NodeSite, plan: Plan, mounted: Mount, op: Op): Promise<void> {
  await requireOwnMounts(site, plan.asked, plan.id, [mounted])
  const device = await plan.connector.connect(plan.id, plan.route, op)
  if (plan.capability.access !== 'mount' || mounted.fsType !== plan.fsType || isReadOnly(mounted) !== plan.readonly) {
    throw new IncompatibleExists({
      asked: plan.asked,
      found: `it is staged there as ${mounted.fsType}${isReadOnly(mounted) ? ', read-only' : ''}`,
      next: 'unstage it first',
    })
  }
  await tuneDevice(site.host, device, plan.tuning, op)
  await giveOwner(site, plan, op)
  const growthFailure = await growIfSmaller(site, plan, device, op)
  const { targets = [] } = (await site.journal.find(plan.id)) ?? {}
  await site.journal.write({ ...entryOf(plan, growthFailure), targets })
}

/**
 * After a final error the orchestrator does not call unstage: nothing of this call may stay behind. An entry that was at
 * rest is not of this call: pods may still have what it tells of, also when the device has gone. That of an
 * ephemeral volume goes with the volume.
 */
async function undo(
  site: NodeSite,
  { id, stagingPath, connector, isEphemeral }: Plan,
  before: { readonly wasConnected: boolean; readonly entry: Entry | undefined },
  op: Op,
): Promise<void> {
  // The caller may have gone; undoing goes on all the same.
  const whatever = steady(op)
  try {
    await unmountAll(site.host, stagingPath, whatever)
    if (!before.wasConnected) await connector.disconnect(id, whatever)
    if (before.entry && !before.entry.doing) await site.journal.write(before.entry)
    else if (!isEphemeral) await site.journal.remove(id)
  } catch (error) {
    op.log.error({ cause: String(error) }, 'could not undo a failed stage; the journal keeps that it was begun')
  }
}
