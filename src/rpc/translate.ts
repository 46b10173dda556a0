// Between protobuf messages and the domain: the only reader of raw fields, and the place where their limits are checked.
import type { RangePage, Wish } from '../controller/snapshot-metadata.ts'
import { ACCESS_MODES, type AccessMode, type Capability, FS_TYPES } from '../volume/capability.ts'
import type { CapacityRange } from '../volume/capacity.ts'
import { InvalidRequest } from '../volume/errors.ts'
import { splitOptions } from '../volume/mount-options.ts'
import type { ContentSource, Group, Parameters, Segments, Snapshot, Volume } from '../volume/types.ts'
import type { CapacityRange__Output } from './generated/csi/v1/CapacityRange.ts'
import type { Snapshot as SnapshotMessage } from './generated/csi/v1/Snapshot.ts'
import type { Topology__Output } from './generated/csi/v1/Topology.ts'
import type { TopologyRequirement__Output } from './generated/csi/v1/TopologyRequirement.ts'
import type { Volume as VolumeMessage } from './generated/csi/v1/Volume.ts'
import type { VolumeCapability, VolumeCapability__Output } from './generated/csi/v1/VolumeCapability.ts'
import type { VolumeContentSource, VolumeContentSource__Output } from './generated/csi/v1/VolumeContentSource.ts'
import type { VolumeGroupSnapshot as GroupMessage } from './generated/csi/v1/VolumeGroupSnapshot.ts'

/** CSI spec, size limits: strings 128 bytes, maps and mount flags 4 KiB. */
const STRING_BYTES = 128
const MAP_BYTES = 4096
/** CSI spec, CreateVolumeRequest.name: these characters are not allowed. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/

export function parseName(asked: string, name: string): string {
  if (Buffer.byteLength(name) > STRING_BYTES)
    throw refuse(asked, `the name has ${Buffer.byteLength(name)} bytes`, `use at most ${STRING_BYTES}`)
  if (FORBIDDEN.test(name)) throw refuse(asked, 'the name holds control characters', 'use printable characters')
  return name
}

export function parseCapabilities(asked: string, given: readonly VolumeCapability__Output[]): Capability[] {
  return given.map(each => parseCapability(asked, each))
}

export function parseCapability(asked: string, given: VolumeCapability__Output | null): Capability {
  const { access_type: access, access_mode: mode, mount } = given ?? {}
  if (access !== 'mount' && access !== 'block')
    throw refuse(asked, 'volume_capability has no access_type', 'set mount or block')
  const base = { access, mode: parseMode(asked, mode?.mode), mountFlags: [] }
  if (access === 'block') return base
  const flags = mount?.mount_flags ?? []
  if (Buffer.byteLength(flags.join('')) > MAP_BYTES) throw refuse(asked, 'mount_flags exceed 4 KiB', 'use fewer')
  if (mount?.volume_mount_group) {
    throw refuse(
      asked,
      'volume_mount_group is set, but VOLUME_MOUNT_GROUP is not offered',
      'let the orchestrator apply fsGroup',
    )
  }
  const fsType = mount?.fs_type ?? ''
  const known = FS_TYPES.find(each => each === fsType)
  if (fsType !== '' && !known)
    throw refuse(asked, `fs_type "${fsType}" is not supported`, `use one of: ${FS_TYPES.join(', ')}`)
  return { ...base, mountFlags: splitOptions(flags), ...(known && { fsType: known }) }
}

/** A number that our proto does not know arrives as a number, whatever the type says. */
function parseMode(asked: string, given: unknown): AccessMode {
  const mode = ACCESS_MODES.find(each => each === given)
  if (mode) return mode
  throw refuse(
    asked,
    `access_mode "${String(given ?? 'UNKNOWN')}" is not a mode`,
    `use one of: ${ACCESS_MODES.join(', ')}`,
  )
}

/** null: not given. Throws InvalidRequest for a range that means nothing. */
export function parseRange(asked: string, given: CapacityRange__Output | null): CapacityRange | undefined {
  if (!given) return undefined
  const required = BigInt(given.required_bytes)
  const limit = BigInt(given.limit_bytes)
  const found = `required_bytes ${required}, limit_bytes ${limit}`
  if (required < 0n || limit < 0n) throw refuse(asked, found, 'sizes are not negative')
  if (limit > 0n && required > limit) throw refuse(asked, found, 'the limit must not be below the requirement')
  if (required === 0n && limit === 0n) throw refuse(asked, found, 'set at least one of them')
  return { required, limit }
}

export function parseMap(asked: string, field: string, given: Readonly<Record<string, string>>): Parameters {
  const bytes = Object.entries(given).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  )
  if (bytes > MAP_BYTES) throw refuse(asked, `${field} has ${bytes} bytes`, `use at most ${MAP_BYTES}`)
  return given
}

/** In order of preference is irrelevant here: a pool is in one place. */
export function parseRequisite(given: TopologyRequirement__Output | null): Segments[] {
  const { requisite = [], preferred = [] } = given ?? {}
  return (requisite.length > 0 ? requisite : preferred).map(parseSegments)
}

export function parseSegments(given: Topology__Output): Segments {
  return given.segments
}

/** null: nothing. Throws InvalidRequest for one that names nothing. */
export function parseContentSource(
  asked: string,
  given: VolumeContentSource__Output | null,
): ContentSource | undefined {
  if (!given) return undefined
  const { type, snapshot, volume } = given
  const id = type === 'snapshot' ? snapshot?.snapshot_id : volume?.volume_id
  if (type === undefined || id === undefined || id === '')
    throw refuse(asked, 'volume_content_source names nothing', 'set snapshot.snapshot_id or volume.volume_id')
  return { kind: type, id }
}

/** Sidecars add keys of their own, on demand; there are no others for snapshots. `kind`: what holds the parameters. */
export function refuseForeignParameters(asked: string, given: Parameters, kind = 'VolumeSnapshotClass'): void {
  const key = Object.keys(given).find(each => !each.startsWith('csi.storage.k8s.io/'))
  if (key !== undefined) throw refuse(asked, `there is no parameter "${key}"`, `remove it from the ${kind}`)
}

export function parsePage(
  asked: string,
  { max_entries: size, starting_token: token }: { max_entries: number; starting_token: string },
): { size: number; token: string } {
  if (size < 0) throw refuse(asked, `max_entries ${size}`, 'use 0 for all')
  return { size, token }
}

/** As decoded, int64 is text. */
export function parseWish({
  starting_offset: from,
  max_results: most,
}: {
  starting_offset: string
  max_results: number
}): Wish {
  return { from: BigInt(from), most }
}

export function encodeRangePage({ capacity, ranges }: RangePage) {
  return {
    block_metadata_type: 'VARIABLE_LENGTH' as const,
    volume_capacity_bytes: String(capacity),
    block_metadata: ranges.map(({ start, end }) => ({ byte_offset: String(start), size_bytes: String(end - start) })),
  }
}

export function encodeSnapshot({ id, source, size, created, ready, group }: Snapshot): SnapshotMessage {
  return {
    snapshot_id: id,
    source_volume_id: source,
    size_bytes: String(size),
    creation_time: encodeTime(created),
    ready_to_use: ready,
    group_snapshot_id: group ?? '',
  }
}

export function encodeGroup({ id, created, snapshots }: Group): GroupMessage {
  return {
    group_snapshot_id: id,
    snapshots: snapshots.map(encodeSnapshot),
    creation_time: encodeTime(created),
    ready_to_use: snapshots.every(({ ready }) => ready),
  }
}

function encodeTime(nanoseconds: bigint) {
  return { seconds: String(nanoseconds / SECOND), nanos: Number(nanoseconds % SECOND) }
}

/** In nanoseconds. */
const SECOND = 1_000_000_000n

function encodeContentSource({ kind, id }: ContentSource): VolumeContentSource {
  return kind === 'snapshot' ? { snapshot: { snapshot_id: id } } : { volume: { volume_id: id } }
}

export function encodeVolume(volume: Volume): VolumeMessage {
  return {
    volume_id: volume.id,
    capacity_bytes: String(volume.size),
    volume_context: volume.parameters,
    ...(volume.contentSource && { content_source: encodeContentSource(volume.contentSource) }),
    // Empty: from everywhere.
    accessible_topology: Object.keys(volume.segments).length === 0 ? [] : [{ segments: volume.segments }],
  }
}

export function encodeCapability({ access, mode, fsType, mountFlags }: Capability): VolumeCapability {
  return {
    access_mode: { mode },
    ...(access === 'block' ? { block: {} } : { mount: { fs_type: fsType ?? '', mount_flags: [...mountFlags] } }),
  }
}

function refuse(asked: string, found: string, next: string): InvalidRequest {
  return new InvalidRequest({ asked, found, next })
}
