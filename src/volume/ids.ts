// Ids of volumes, snapshots and groups of them: derived from the name, so that creating is idempotent by construction.
import { createHash } from 'node:crypto'
import type { GroupId, SnapshotId, VolumeId } from './types.ts'

const POOL = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/
const ID = /^(vol|eph|snap|group)-([a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?)-([0-9a-f]{32})$/
/** What a snapshot of a group has behind the hash. The name of a pool is too short to hold a hash, so no id reads in two ways. */
const PLACE = /-(0|[1-9]\d{0,2})$/
/** Volumes of one group: how many places an id can tell apart. */
export const MAX_MEMBERS = 1000

export function isPoolName(text: string): boolean {
  return POOL.test(text)
}

/**
 * `seed`: the volume's name, made unique by its pool. `vol-<pool>-<32 hex>`: at most 69 bytes, safe as a file name, free of `/` and of `^` (kube-controller-manager splits
 * driver^handle). 128 bits of SHA-256 make two names of one pool collide with odds of 2^-64 after 2^32 volumes.
 */
export function encodeVolumeId(pool: string, seed: string): VolumeId {
  return `vol-${pool}-${digest(seed).slice(0, 32)}`
}

/** undefined for an id that this driver never issued, and for ephemeral volumes, which no RPC of the controller knows. */
export function parseVolumeId(id: string): { pool: string; hash: string } | undefined {
  return parse('vol', id)
}

/** How kubelet names the inline volumes of pods: pkg/volume/csi/csi_mounter.go, makeVolumeHandle. */
const HANDLE = /^csi-[0-9a-f]{64}$/

export function isEphemeralHandle(id: string): boolean {
  return HANDLE.test(id)
}

/**
 * An ephemeral volume, whose bytes go with its publish: `eph-<pool>-<32 hex>`. No id reads as both, so nothing that ends an
 * ephemeral volume can be asked for a persistent one. `handle`: kubelet's, a digest of the pod and the volume's name there.
 */
export function encodeEphemeralId(pool: string, handle: string): VolumeId {
  return `eph-${pool}-${digest(handle).slice(0, 32)}`
}

/** undefined for everything else, persistent volumes too. */
export function parseEphemeralId(id: string): { pool: string; hash: string } | undefined {
  return parse('eph', id)
}

/** Whatever lies among the volumes of a pool: both kinds. */
export function parseKeptId(id: string): { pool: string; hash: string } | undefined {
  return parse('vol', id) ?? parse('eph', id)
}

/** The same for a snapshot: `snap-<pool>-<32 hex>`. */
export function encodeSnapshotId(pool: string, seed: string): SnapshotId {
  return `snap-${pool}-${digest(seed).slice(0, 32)}`
}

/** undefined for an id that this driver never issued. */
export function parseSnapshotId(id: string): { pool: string; hash: string } | undefined {
  return parse('snap', id) ?? parse('snap', id.replace(PLACE, ''))
}

/** The same for a group: `group-<pool>-<32 hex>`. */
export function encodeGroupId(pool: string, seed: string): GroupId {
  return `group-${pool}-${digest(seed).slice(0, 32)}`
}

/** undefined for an id that this driver never issued. */
export function parseGroupId(id: string): { pool: string; hash: string } | undefined {
  return parse('group', id)
}

/** A snapshot of a group: `snap-<pool>-<32 hex of the group>-<its place there>`. */
export function encodeMemberId(group: GroupId, place: number): SnapshotId {
  return `${group.replace(/^group/, 'snap')}-${place}`
}

/** undefined for a snapshot that was cut alone. */
export function parseMemberId(id: SnapshotId): { group: GroupId; place: number } | undefined {
  const place = PLACE.exec(id)?.[1]
  const group = id.replace(/^snap/, 'group').replace(PLACE, '')
  return place !== undefined && id.startsWith('snap-') && parseGroupId(group)
    ? { group, place: Number(place) }
    : undefined
}

function parse(kind: string, id: string): { pool: string; hash: string } | undefined {
  const [, found, pool, hash] = ID.exec(id) ?? []
  return found === kind && pool !== undefined && hash !== undefined ? { pool, hash } : undefined
}

/** The filesystem UUID of a volume: version 8 (custom, RFC 9562), the same on every node and at every attempt. */
export function filesystemUuid(id: VolumeId): string {
  const hex = digest(`ashlar filesystem ${id}`)
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  )
}

/** A name of fixed length for anything that arrives from outside. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
