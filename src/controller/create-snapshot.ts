// CreateSnapshot: the bytes of a volume at one instant, under a name.
import type { Pool } from '../pools/pool.ts'
import { IncompatibleExists } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Snapshot, VolumeId } from '../volume/types.ts'
import { type ControllerSite, getSnapshots, getVolume, unusedVolume } from './site.ts'

export interface CreateSnapshotRequest {
  readonly name: string
  readonly source: VolumeId
}

/**
 * CSI spec, CreateSnapshot. The id derives from the name: a repeat answers the snapshot that was cut first, also when its
 * source is gone, and brings a copy to its end that was interrupted. The same name for another volume is ALREADY_EXISTS.
 */
export async function createSnapshot(
  site: ControllerSite,
  { name, source }: CreateSnapshotRequest,
  op: Op,
): Promise<Snapshot> {
  const asked = `create snapshot "${name}" of ${source}`
  const pool = (await poolOfName(site, asked, name, source)) ?? (await getVolume(site, asked, source)).pool
  const snapshots = getSnapshots(asked, pool)
  const wanted = { id: snapshots.idFor(name), name, source }
  const snapshot = await snapshots.create(wanted, unusedVolume(site, asked, source, op), op)
  requireSame(asked, snapshot, source)
  return snapshot
}

/** Where a snapshot of this name is; the id carries the pool, so another pool may have one too. */
async function poolOfName(
  { pools }: ControllerSite,
  asked: string,
  name: string,
  source: VolumeId,
): Promise<Pool | undefined> {
  for (const pool of pools.values()) {
    const existing = await pool.snapshots?.find(pool.snapshots.idFor(name))
    if (!existing) continue
    requireSame(asked, existing, source)
    return pool
  }
  return undefined
}

function requireSame(asked: string, existing: Snapshot, source: VolumeId): void {
  if (existing.source === source) return
  throw new IncompatibleExists({
    asked,
    found: `it exists as ${existing.id} of volume ${existing.source}`,
    next: 'choose another name',
  })
}
