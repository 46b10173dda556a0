// Where node flows work: this host, its connectors, and which device belongs to which volume.
import type { Host } from '../host/host.ts'
import { type Device, findDevice, findDeviceByNumber, isKernelName } from '../linux/device.ts'
import { isMountOf, listMounts, type Mount } from '../linux/mount.ts'
import { resolveParents } from '../linux/path.ts'
import type { Connector } from '../transports/transport.ts'
import type { Capability } from '../volume/capability.ts'
import { InvalidRequest, VolumeInUse } from '../volume/errors.ts'
import { isEphemeralHandle, parseEphemeralId } from '../volume/ids.ts'
import type { Op } from '../volume/op.ts'
import type { Bytes, NodeId, Parameters, Route, Segments, VolumeId } from '../volume/types.ts'
import type { Journal } from './journal.ts'
import { devicesAndViews, viewedDevice } from './view.ts'

export interface NodeSite {
  readonly host: Host
  readonly connectors: ReadonlyMap<string, Connector>
  readonly journal: Journal
  readonly nodeId: NodeId
  readonly segments: Segments
  /** 0: the orchestrator decides. */
  readonly maxVolumesPerNode: number
  /** Where pods' own volumes are made. Absent: this process has no pool. */
  readonly ephemeral?: EphemeralHome
}

/** Beside the bytes of ephemeral volumes; each call may be repeated. */
export interface EphemeralHome {
  /** The id of the volume that kubelet calls so, whether it exists or not. */
  idFor(handle: string): Promise<VolumeId>
  /** Makes it unless it exists, and gives it to this node. Throws unless the operator allows one more. */
  provide(
    request: { readonly handle: string; readonly size: Bytes | undefined; readonly capability: Capability },
    op: Op,
  ): Promise<{ readonly route: Route; readonly volumeContext: Parameters }>
  /** The same if it holds nothing, or an unfinished format; one that a pod may have had stays. */
  discard(id: VolumeId, op: Op): Promise<void>
  /** With its data; throws for what is not an ephemeral volume, and VolumeInUse. Fine if it is gone. */
  remove(id: VolumeId, op: Op): Promise<void>
  /** All that this node has, or left. */
  list(): Promise<VolumeId[]>
}

/** The id under which this node knows what an orchestrator calls so. */
export async function idOf({ ephemeral }: NodeSite, given: string): Promise<VolumeId> {
  return ephemeral && isEphemeralHandle(given) ? await ephemeral.idFor(given) : given
}

/** An ephemeral volume is taken down by the name that kubelet has for it, and then as a whole. */
export function requirePersistent(asked: string, id: string): void {
  if (!parseEphemeralId(id)) return
  throw new InvalidRequest({
    asked,
    found: 'it is an ephemeral volume',
    next: 'use the volume id that kubelet has for it',
  })
}

export interface Connected {
  readonly connector: Connector
  readonly device: Device
}

/** The volume's device on this node, found in the kernel, whoever connected it. */
export async function findConnected(site: NodeSite, id: VolumeId, op: Op): Promise<Connected | undefined> {
  for (const connector of site.connectors.values()) {
    const device = await connector.find(id, op)
    if (device) return { connector, device }
  }
  return undefined
}

/** All mounts of the volume on this node: its filesystem, its bound device nodes, and those of its read-only views. */
export async function mountsOf(host: Host, device: Device): Promise<Mount[]> {
  const devices = await devicesAndViews(host, device)
  return (await listMounts(host)).filter(mount => devices.some(each => isMountOf(mount, each)))
}

/** Throws VolumeInUse unless all that is mounted at the path belongs to the volume: nothing else may be touched. */
export async function requireOwnMounts(
  site: NodeSite,
  asked: string,
  id: VolumeId,
  mounts: readonly Mount[],
): Promise<void> {
  for (const mount of mounts) {
    const owner = (await ownerOf(site, mount)) ?? (await ownerByJournal(site, id, mount))
    if (owner !== id) {
      throw new VolumeInUse({
        asked,
        found: `${owner ?? `${mount.source} (${mount.fsType})`} is mounted at ${mount.path}`,
        next: 'unmount it by hand, or use another path',
      })
    }
  }
}

async function ownerOf(site: NodeSite, mount: Mount): Promise<VolumeId | undefined> {
  const node = mount.fsType === 'devtmpfs' ? await findDevice(site.host, mount.root.slice(1)) : undefined
  const device = node ?? (await findDeviceByNumber(site.host, mount.number))
  return device && (await identify(site, device))
}

/** Of a mount whose device has gone the kernel cannot tell any more; the journal knows what it mounted where. */
async function ownerByJournal({ host, journal }: NodeSite, id: VolumeId, mount: Mount): Promise<VolumeId | undefined> {
  // Where a device went, the kernel appends this to its node. Only here: what has that name now may be another disk.
  const name = mount.root.slice(1).replace(/\/\/deleted$/, '')
  const isNode = mount.fsType === 'devtmpfs' && isKernelName(name)
  // Major number 0: a filesystem without a device, so none of ours.
  const isGone = isNode || (!mount.number.startsWith('0:') && !(await findDeviceByNumber(host, mount.number)))
  const entry = isGone ? await journal.find(id) : undefined
  const paths = entry ? [entry.stagingPath, ...entry.targets.map(target => target.path)] : []
  return paths.includes(mount.path) ? id : undefined
}

/** Where the volume is mounted besides its staging path. */
export async function publishedAt(site: NodeSite, id: VolumeId, stagingPath: string, op: Op): Promise<string[]> {
  const connected = await findConnected(site, id, op)
  const mounts = connected ? await mountsOf(site.host, connected.device) : []
  return mounts.map(mount => mount.path).filter(path => path !== stagingPath)
}

/** Throws VolumeInUse while the volume is mounted anywhere but at its staging path. */
export async function requireUnpublished(
  site: NodeSite,
  asked: string,
  { id, stagingPath }: { id: VolumeId; stagingPath: string },
  op: Op,
): Promise<void> {
  const elsewhere = await publishedAt(site, id, stagingPath, op)
  if (elsewhere.length === 0) return
  throw new VolumeInUse({
    asked,
    found: `it is published at ${elsewhere.join(', ')}`,
    next: 'unpublish it there first',
  })
}

async function identify(site: NodeSite, device: Device): Promise<VolumeId | undefined> {
  for (const connector of site.connectors.values()) {
    const id = await connector.identify(device)
    if (id !== undefined) return id
  }
  const below = await viewedDevice(site.host, device)
  return below && (await identify(site, below))
}

/** Paths of a request as the kernel will show them. Throws InvalidRequest for one that could point elsewhere than it seems to. */
export async function resolvePaths<Field extends string>(
  site: NodeSite,
  asked: string,
  fields: Readonly<Record<Field, string>>,
  op: Op,
): Promise<Record<Field, string>> {
  const names = Object.keys(fields) as Field[]
  for (const name of names) {
    if (isPlainPath(fields[name])) continue
    throw new InvalidRequest({
      asked,
      found: `${name} ${JSON.stringify(fields[name])} is not an absolute, normalised path`,
      next: 'pass an absolute path without . and .. elements',
    })
  }
  const resolved = await resolveParents(
    site.host,
    names.map(name => fields[name]),
    op,
  )
  return Object.fromEntries(names.map((name, n) => [name, resolved[n]])) as Record<Field, string>
}

/** Absolute, normal, printable, and no longer than the kernel takes (PATH_MAX). */
export function isPlainPath(path: string): boolean {
  const normal = path.startsWith('/') && path !== '/' && !path.endsWith('/') && !/\/\.{0,2}(\/|$)/.test(path)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  return normal && Buffer.byteLength(path) <= 4096 && !/[\x00-\x1f\x7f]/.test(path)
}
