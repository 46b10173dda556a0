// NodeStageVolume: from a route to a mounted filesystem, or to a device that is ready to be published.
import { checkFilesystem } from '../linux/check.ts'
import type { Device } from '../linux/device.ts'
import { clearUnfinishedXfs, format, probe } from '../linux/format.ts'
import { growFilesystem } from '../linux/grow.ts'
import { findMount, isReadOnly, type Mount, mountFilesystem, unmountAll } from '../linux/mount.ts'
import { kindOf, setOwnership } from '../linux/path.ts'
import { parseVolumeContext, type StorageParameters } from '../schema/parameters.ts'
import type { Connector } from '../transports/transport.ts'
import { type Capability, type FsType, isReaderOnly, refusal } from '../volume/capability.ts'
import { DriverError, IncompatibleExists, InvalidRequest, NotStaged, RefusesToFormat } from '../volume/errors.ts'
import { filesystemUuid } from '../volume/ids.ts'
import { firstRefusedOption, splitOptions } from '../volume/mount-options.ts'
import type { Op } from '../volume/op.ts'
import type { Parameters, Route, VolumeId } from '../volume/types.ts'
import { decide } from './format-permit.ts'
import type { StageRecord } from './record.ts'
import { findConnected, mountsOf, type NodeSite, requireOwnMounts, resolvePaths } from './site.ts'

export interface StageRequest {
  readonly id: VolumeId
  readonly stagingPath: string
  readonly capability: Capability
  readonly publishContext: Route
  readonly volumeContext: Parameters
}

/** A request whose every part was looked at, so that a wrong one has changed nothing. */
interface Plan {
  readonly asked: string
  readonly id: VolumeId
  readonly stagingPath: string
  readonly capability: Capability
  readonly fsType: FsType
  readonly options: readonly string[]
  readonly readonly: boolean
  readonly parameters: StorageParameters
  readonly route: Route
  readonly connector: Connector
}

/**
 * CSI spec, NodeStageVolume. A volume that is staged there with the same capability is OK and not touched; with
 * another capability or path it is ALREADY_EXISTS. A failure undoes what this call did.
 */
export async function stageVolume(site: NodeSite, request: StageRequest, op: Op): Promise<void> {
  const plan = await examine(site, request, op)
  const record = await site.records.find(plan.id)
  if (record && (await isStaged(site, record, op))) requireSameStage(plan, record)
  if ((await kindOf(site.host, plan.stagingPath, op)) !== 'directory') {
    throw new NotStaged({
      asked: plan.asked,
      found: `${plan.stagingPath} is not a directory`,
      next: 'the orchestrator must create the staging path',
    })
  }
  const mounted = await findMount(site.host, plan.stagingPath)
  if (mounted) return await confirmStaged(site, plan, mounted, record?.rootPending === true, op)

  // A device that was there before this call is not this call's to take away.
  const wasConnected = (await plan.connector.find(plan.id, op)) !== undefined
  const note: StageRecord = { ...record, ...noteOf(plan) }
  await site.records.write(note)
  try {
    const device = await plan.connector.connect(plan.id, plan.route, op)
    if (plan.capability.access === 'mount') await stageFilesystem(site, plan, device, note, op)
  } catch (error) {
    await undo(site, plan, wasConnected, op)
    throw error
  }
}

async function examine(site: NodeSite, request: StageRequest, op: Op): Promise<Plan> {
  const { id, capability, publishContext, volumeContext } = request
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
    options: mountOptions(flags, fsType),
    readonly: flags.includes('ro') || isReaderOnly(capability.mode) || publishContext['readonly'] === 'true',
  }
}

/** Read-only or not is decided by the request; an ext4 with errors must not go on writing (its default is to continue). */
function mountOptions(flags: readonly string[], fsType: FsType): string[] {
  const rest = flags.filter(flag => !['ro', 'rw', 'defaults', 'nofail', '_netdev'].includes(flag))
  return fsType === 'ext4' && !rest.some(flag => flag.startsWith('errors=')) ? [...rest, 'errors=remount-ro'] : rest
}

function noteOf({ id, stagingPath, capability }: Plan): StageRecord {
  return { id, stagingPath, capability }
}

/** The record is a hint; the kernel decides: after a reboot nothing is staged. */
async function isStaged(site: NodeSite, { id, stagingPath, capability }: StageRecord, op: Op): Promise<boolean> {
  if (capability.access === 'mount') return (await findMount(site.host, stagingPath)) !== undefined
  return (await findConnected(site, id, op)) !== undefined
}

function requireSameStage({ asked, stagingPath, capability }: Plan, record: StageRecord): void {
  const differs = (found: string) => new IncompatibleExists({ asked, found, next: 'unstage it first' })
  const have = record.capability
  if (record.stagingPath !== stagingPath) throw differs(`it is staged at ${record.stagingPath}`)
  if (have.access !== capability.access)
    throw differs(`it is staged for ${have.access}, asked for ${capability.access}`)
  if (have.mode !== capability.mode) throw differs(`it is staged as ${have.mode}, asked for ${capability.mode}`)
  if (have.fsType !== capability.fsType || have.mountFlags.join() !== capability.mountFlags.join()) {
    throw differs(`it is staged as ${have.fsType ?? 'the default filesystem'} with options "${have.mountFlags.join()}"`)
  }
}

/** Something is mounted at the staging path: fine if it is this volume, as asked; never mounted over. */
async function confirmStaged(site: NodeSite, plan: Plan, mounted: Mount, isNew: boolean, op: Op): Promise<void> {
  await requireOwnMounts(site, plan.asked, plan.id, [mounted])
  const device = await plan.connector.connect(plan.id, plan.route, op)
  if (plan.capability.access !== 'mount' || mounted.fsType !== plan.fsType || isReadOnly(mounted) !== plan.readonly) {
    throw new IncompatibleExists({
      asked: plan.asked,
      found: `it is staged there as ${mounted.fsType}${isReadOnly(mounted) ? ', read-only' : ''}`,
      next: 'unstage it first',
    })
  }
  if (isNew) await finishNew(site, plan, op)
  await growIfSmaller(site, plan, device, op)
}

async function stageFilesystem(site: NodeSite, plan: Plan, device: Device, note: StageRecord, op: Op): Promise<void> {
  const { asked, stagingPath, fsType, options, readonly } = plan
  const elsewhere = (await mountsOf(site.host, device)).map(mount => mount.path)
  if (elsewhere.length > 0) {
    throw new IncompatibleExists({
      asked,
      found: `${device.path} is mounted at ${elsewhere.join(', ')}`,
      next: 'unpublish and unstage it there first',
    })
  }
  const isNew = await formatIfBlank(site, plan, device, note, op)
  if (!readonly) await checkFilesystem(site.host, device, fsType, op)
  const mount = await mountFilesystem(site.host, { device, path: stagingPath, fsType, options, readonly }, op)
  // The device bore the volume's identity before; a number that changed hands meanwhile shows now.
  await requireOwnMounts(site, asked, plan.id, [mount])
  if (isNew) await finishNew(site, plan, op)
  await growIfSmaller(site, plan, device, op)
  op.log.info({ device: device.path, fsType, isNew }, 'volume staged')
}

/** True if the filesystem is new: made by this call, or by an earlier one that did not come to its end. */
async function formatIfBlank(site: NodeSite, plan: Plan, device: Device, note: StageRecord, op: Op): Promise<boolean> {
  const { asked, id, fsType, parameters, readonly } = plan
  const wanted = { fsType, uuid: filesystemUuid(id) }
  const content = await probe(site.host, device, op)
  const verdict = decide({
    blankAttested: plan.route['blank'] === 'true',
    content,
    wanted,
    intent: note.formatting,
    readonly,
  })
  if (verdict.do === 'refuse') {
    throw new RefusesToFormat({
      asked,
      found: `${device.path} cannot be used: ${verdict.because}`,
      next: 'nothing was written; look at the device and decide by hand',
    })
  }
  if (verdict.do === 'format') {
    await site.records.write({ ...noteOf(plan), formatting: wanted })
    if (verdict.clearFirst) await clearUnfinishedXfs(site.host, device, op)
    await format(site.host, device, { ...wanted, ...numbersOf(parameters) }, op)
  }
  const isNew = verdict.do === 'format' || note.formatting !== undefined || note.rootPending === true
  // Before the mount: a volume that was ever mounted must never find an intent to format it.
  if (isNew) await site.records.write({ ...noteOf(plan), rootPending: true })
  return isNew
}

function numbersOf({ blockSize, inodeSize, bytesPerInode, reservedPercent, reflink }: StorageParameters) {
  const given = Object.entries({ blockSize, inodeSize, bytesPerInode, reservedPercent }).filter(
    ([, value]) => value !== undefined,
  )
  return {
    ...Object.fromEntries(given.map(([key, value]) => [key, Number(value)])),
    ...(reflink && { reflink: reflink === 'true' }),
  }
}

/** Gives the root folder of a new filesystem its owner and mode, once in the life of the volume. */
async function finishNew(site: NodeSite, plan: Plan, op: Op): Promise<void> {
  const { stagingPath, parameters } = plan
  const { uid, gid, mountPermissions } = parameters
  await setOwnership(
    site.host,
    stagingPath,
    {
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
      ...(mountPermissions !== undefined && { mode: mountPermissions }),
    },
    op,
  )
  await site.records.write(noteOf(plan))
}

/** Clones and offline expansions arrive larger than their filesystem. A mount is worth more than its growth. */
async function growIfSmaller(
  site: NodeSite,
  { stagingPath, fsType, readonly }: Plan,
  device: Device,
  op: Op,
): Promise<void> {
  if (readonly) return
  try {
    await growFilesystem(site.host, { device, path: stagingPath, fsType }, op)
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    op.log.warn({ cause: error.message }, 'staged, but the filesystem is smaller than its device')
  }
}

/** After a final error the orchestrator does not call unstage: nothing of this call may stay behind. */
async function undo(
  site: NodeSite,
  { id, stagingPath, connector }: Plan,
  wasConnected: boolean,
  op: Op,
): Promise<void> {
  // The caller may have gone; undoing goes on all the same.
  const steady = { ...op, signal: new AbortController().signal }
  try {
    await unmountAll(site.host, stagingPath, steady)
    if (!wasConnected) await connector.disconnect(id, steady)
    const record = await site.records.find(id)
    if (record && !record.formatting && !record.rootPending) await site.records.remove(id)
  } catch (error) {
    op.log.error({ cause: String(error) }, 'could not undo a failed stage')
  }
}
