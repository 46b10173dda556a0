// Ids of volumes and snapshots: derived from the name, so that creating is idempotent by construction.
import { createHash } from 'node:crypto'
import type { SnapshotId, VolumeId } from './types.ts'

const POOL = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/
const ID = /^(vol|snap)-([a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?)-([0-9a-f]{32})$/

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

/** undefined for an id that this driver never issued. */
export function parseVolumeId(id: string): { pool: string; hash: string } | undefined {
  return parse('vol', id)
}

/** The same for a snapshot: `snap-<pool>-<32 hex>`. */
export function encodeSnapshotId(pool: string, seed: string): SnapshotId {
  return `snap-${pool}-${digest(seed).slice(0, 32)}`
}

/** undefined for an id that this driver never issued. */
export function parseSnapshotId(id: string): { pool: string; hash: string } | undefined {
  return parse('snap', id)
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
