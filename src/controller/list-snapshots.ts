// ListSnapshots, GetSnapshot: what the pools hold, page by page.
import { BadToken, SnapshotNotFound } from '../volume/errors.ts'
import { parseSnapshotId } from '../volume/ids.ts'
import type { Snapshot, SnapshotId, VolumeId } from '../volume/types.ts'
import { type ControllerSite, poolNames } from './site.ts'

export interface SnapshotPage {
  readonly entries: readonly Snapshot[]
  /** Empty on the last page. */
  readonly nextToken: string
}

export interface SnapshotFilter {
  /** undefined: any. */
  readonly id: SnapshotId | undefined
  readonly source: VolumeId | undefined
}

/** CSI spec, ListSnapshots. In the order of ids, and paged by them, as ListVolumes; what nothing matches is no error. */
export async function listSnapshots(
  site: ControllerSite,
  page: { size: number; token: string },
  filter: SnapshotFilter,
): Promise<SnapshotPage> {
  if (page.token !== '' && !parseSnapshotId(page.token)) {
    throw new BadToken({
      asked: 'list snapshots',
      found: `starting_token "${page.token}" was not issued by this driver`,
      next: 'start again without a token',
    })
  }
  const ids = filter.id === undefined ? await idsOf(site) : [filter.id]
  const found = await Promise.all(ids.filter(id => id > page.token).map(id => findSnapshot(site, id)))
  const matching = found
    .filter(each => each !== undefined) // deleted since the folder was read
    .filter(({ source }) => filter.source === undefined || source === filter.source)
  const entries = page.size > 0 ? matching.slice(0, page.size) : matching
  return { entries, nextToken: entries.length < matching.length ? (entries.at(-1)?.id ?? '') : '' }
}

/** CSI spec, GetSnapshot: also one that is not ready yet. */
export async function getSnapshot(site: ControllerSite, asked: string, id: SnapshotId): Promise<Snapshot> {
  const snapshot = await findSnapshot(site, id)
  if (snapshot) return snapshot
  throw new SnapshotNotFound({
    asked,
    found: `there is no snapshot ${id} in ${poolNames(site)}`,
    next: 'check the snapshot id',
  })
}

async function idsOf({ pools }: ControllerSite): Promise<SnapshotId[]> {
  return (await Promise.all([...pools.values()].map(async pool => (await pool.snapshots?.list()) ?? []))).flat().sort()
}

async function findSnapshot({ pools }: ControllerSite, id: SnapshotId): Promise<Snapshot | undefined> {
  return await pools.get(parseSnapshotId(id)?.pool ?? '')?.snapshots?.find(id)
}
