// What a new volume begins as a copy of: where that is, and whether the volume can hold it.
import type { Pool } from '../pools/pool.ts'
import type { StorageParameters } from '../schema/shapes/parameters.ts'
import type { Capability } from '../volume/capability.ts'
import { type CapacityRange, MIB, roundUp } from '../volume/capacity.ts'
import { InvalidRequest, SizeOutOfRange } from '../volume/errors.ts'
import { parseSnapshotId, parseVolumeId } from '../volume/ids.ts'
import { filesystemsOf, originOf } from '../volume/origin.ts'
import type { Bytes, ContentSource, Origin } from '../volume/types.ts'
import { getSnapshot } from './list-snapshots.ts'
import { type ControllerSite, getPool, getVolume } from './site.ts'

export interface Source {
  readonly id: string
  readonly size: Bytes
  readonly origin: Origin
}

/** The pool of the source, if no other is asked for: nothing is copied from pool to pool. */
export function poolFor(
  site: ControllerSite,
  asked: string,
  wanted: string | undefined,
  source: ContentSource | undefined,
): Pool {
  const home = source && (source.kind === 'snapshot' ? parseSnapshotId : parseVolumeId)(source.id)?.pool
  // One that is nowhere is not found later.
  const known = home !== undefined && site.pools.has(home) ? home : undefined
  if (source && known !== undefined && wanted !== undefined && wanted !== known) {
    throw new InvalidRequest({
      asked,
      found: `${source.id} is in pool ${known}, the volume would be in pool ${wanted}`,
      next: `use a StorageClass with pool ${known}, or copy the data through two mounted volumes`,
    })
  }
  return getPool(site, asked, wanted ?? known)
}

/** Throws VolumeNotFound, SnapshotNotFound. */
export async function getSource(site: ControllerSite, asked: string, { kind, id }: ContentSource): Promise<Source> {
  if (kind === 'snapshot') return await getSnapshot(site, asked, id)
  const { volume } = await getVolume(site, asked, id)
  return { id, size: volume.size, origin: originOf(volume) }
}

interface Wanted {
  readonly range: CapacityRange | undefined
  readonly capabilities: readonly Capability[]
}

/** Throws InvalidRequest for another filesystem, SizeOutOfRange for fewer bytes. */
export function requireFitting(
  asked: string,
  { id, size, origin }: Source,
  { range, capabilities }: Wanted,
  parameters: StorageParameters,
): void {
  const required = range?.required ?? 0n
  if (required > 0n && roundUp(required, MIB) < size) {
    throw new SizeOutOfRange({
      asked,
      found: `${id} has ${size} bytes, required_bytes ${required}`,
      next: `ask for at least ${size}`,
    })
  }
  const fallback = parameters.fsType === undefined ? {} : { fsType: parameters.fsType }
  const have = filesystemsOf(origin.capabilities, origin.parameters)
  const missing = [...filesystemsOf(capabilities, fallback)].find(each => !have.has(each))
  if (missing === undefined) return
  throw new InvalidRequest({
    asked,
    found: `${id} is of a volume ${have.size > 0 ? `with ${[...have].join(' or ')}` : 'of raw blocks'}, asked for ${missing}`,
    next: 'use a StorageClass with the filesystem, and a claim with the volumeMode, of the source',
  })
}
