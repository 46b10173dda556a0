// From a proved device to a mounted filesystem: probe, permit, format, check, mount, grow. The part of staging that can lose data.
import { checkFilesystem } from '../linux/check.ts'
import type { Device } from '../linux/device.ts'
import { giveUuid } from '../linux/filesystem-uuid.ts'
import { type Content, clearUnfinishedXfs, format, probe } from '../linux/format.ts'
import { clearMarkers, findMarkers, writeMarkers } from '../linux/format-marker.ts'
import { growFilesystem, requireFits } from '../linux/grow.ts'
import { mountFilesystem } from '../linux/mount.ts'
import { type Ownership, ownershipOfEmptyRoot, setOwnership } from '../linux/path.ts'
import type { StorageParameters } from '../schema/shapes/parameters.ts'
import type { Tuning } from '../schema/shapes/tuning.ts'
import type { Connector } from '../transports/transport.ts'
import type { Capability, FsType } from '../volume/capability.ts'
import { DriverError, EffectMissing, IncompatibleExists, RefusesToFormat } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Route, VolumeId } from '../volume/types.ts'
import { decide } from './format-permit.ts'
import { mountsOf, type NodeSite, requireOwnMounts } from './site.ts'

/** A request to stage whose every part was looked at, so that a wrong one has changed nothing. */
export interface Plan {
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
  /** The controller attests that the volume holds no data. */
  readonly attested: boolean
  /** What the filesystem of the volume bears: it follows from the id, or was there before the volume. */
  readonly uuid: string
  /** What it bears as a copy that was never staged. */
  readonly sourceUuid: string | undefined
  readonly tuning: Tuning
  /** A pod's own volume. */
  readonly isEphemeral: boolean
}

/** Answers why the filesystem could not be grown to its device, if so: a mount is worth more than its growth. */
export async function stageFilesystem(site: NodeSite, plan: Plan, device: Device, op: Op): Promise<string | undefined> {
  const { asked, id, stagingPath, connector, fsType, readonly } = plan
  const elsewhere = (await mountsOf(site.host, device)).map(mount => mount.path)
  if (elsewhere.length > 0) {
    throw new IncompatibleExists({
      asked,
      found: `${device.path} is mounted at ${elsewhere.join(', ')}`,
      next: 'unpublish and unstage it there first',
    })
  }
  const found = await ensureFilesystem(site, plan, device, op)
  if (!readonly) {
    await requireFits(site.host, device, fsType, op)
    await connector.verify(id, device, op)
    await checkFilesystem(site.host, device, fsType, op)
  }
  await connector.verify(id, device, op)
  // A read-only copy keeps the UUID of its source, which may be mounted beside it.
  const isCopy = found.kind === 'filesystem' && found.uuid !== plan.uuid
  const options = isCopy && readonly && fsType === 'xfs' ? [...plan.options, 'nouuid'] : plan.options
  const mount = await mountFilesystem(site.host, { device, path: stagingPath, fsType, options, readonly }, op)
  // The device bore the volume's identity before; a number that changed hands meanwhile shows now.
  await requireOwnMounts(site, asked, id, [mount])
  await giveOwner(site, plan, op)
  op.log.info({ device: device.path, fsType, found: found.kind }, 'filesystem mounted')
  return await growIfSmaller(site, plan, device, op)
}

/** Answers what was on the device before: afterwards it is a filesystem of this volume, or the call has failed. */
async function ensureFilesystem(site: NodeSite, plan: Plan, device: Device, op: Op): Promise<Content> {
  const { host } = site
  const { asked, id, fsType, connector, attested } = plan
  const wanted = { fsType, uuid: plan.uuid }
  await connector.verify(id, device, op)
  const content = await probe(host, device, op)
  const marks = attested ? await findMarkers(host, { ...device, direct: true }, id, op) : []
  const marked = marks.length > 0
  const verdict = decide({
    attested,
    content,
    marked,
    dataBelow: content.kind === 'blank' && !marked ? await connector.holdsData(device, op) : undefined,
    wanted,
    sourceUuid: plan.sourceUuid,
    readonly: plan.readonly,
  })
  op.log.debug({ device: device.path, content, marked, attested, verdict: verdict.do }, 'permit')
  switch (verdict.do) {
    case 'mount':
      break
    case 'refuse':
      throw new RefusesToFormat({
        asked,
        found: `${device.path} cannot be used: ${verdict.because}`,
        next: 'nothing was written; look at the device, and if its data is not needed any more: ashlar wipe',
      })
    case 'rename':
      await connector.verify(id, device, op)
      await giveUuid(host, { device, ...wanted, path: plan.stagingPath }, op)
      break
    case 'format':
      await connector.verify(id, device, op)
      await writeMarkers(host, device, id, op)
      if (verdict.clearFirst) await clearUnfinishedXfs(host, device, op)
      await connector.verify(id, device, op)
      await format(host, device, { ...wanted, ...numbersOf(plan.parameters) }, op)
      await clearMarkers(host, device, id, op)
      break
    case 'finish':
      await connector.verify(id, device, op)
      await clearMarkers(host, device, id, op)
      break
  }
  return content
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

const MADE_BY_MKFS: Ownership = { uid: '0', gid: '0', mode: '755' }

/** Gives the root folder of a new filesystem its owner and mode, and leaves one that anybody has touched alone. */
export async function giveOwner(
  { host }: NodeSite,
  { asked, stagingPath, parameters, readonly }: Plan,
  op: Op,
): Promise<void> {
  const { uid, gid, mountPermissions } = parameters
  const mode = mountPermissions?.replace(/^0+(?=.)/, '')
  if (readonly || (uid === undefined && gid === undefined && mode === undefined)) return
  const wanted = { uid: uid ?? MADE_BY_MKFS.uid, gid: gid ?? MADE_BY_MKFS.gid, mode: mode ?? MADE_BY_MKFS.mode }
  const now = await ownershipOfEmptyRoot(host, stagingPath, op)
  const keys = ['uid', 'gid', 'mode'] as const
  // Half of it may be done: an earlier call may have ended between the two commands.
  if (!now || !keys.every(key => now[key] === MADE_BY_MKFS[key] || now[key] === wanted[key])) return
  await setOwnership(host, stagingPath, wanted, op)
  const after = await ownershipOfEmptyRoot(host, stagingPath, op)
  if (after && keys.every(key => after[key] === wanted[key])) return
  throw new EffectMissing({
    asked,
    found: `the root folder belongs to ${after?.uid}:${after?.gid}, mode ${after?.mode}`,
    next: 'see the log',
  })
}

/** Clones and offline expansions arrive larger than their filesystem. */
export async function growIfSmaller(
  site: NodeSite,
  { id, stagingPath, fsType, readonly, connector }: Plan,
  device: Device,
  op: Op,
): Promise<string | undefined> {
  if (readonly) return undefined
  await connector.verify(id, device, op)
  try {
    await growFilesystem(site.host, { device, path: stagingPath, fsType }, op)
    return undefined
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    op.log.warn({ cause: error.message }, 'staged, but the filesystem is smaller than its device')
    return error.message
  }
}
