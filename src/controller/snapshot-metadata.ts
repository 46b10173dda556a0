// GetMetadataAllocated, GetMetadataDelta: which bytes of a snapshot a backup has to read.
import type { Snapshots } from '../pools/pool.ts'
import { InvalidRequest, OffsetOutOfRange, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Range } from '../volume/range.ts'
import type { Bytes, Snapshot, SnapshotId } from '../volume/types.ts'
import { getSnapshot } from './list-snapshots.ts'
import { type ControllerSite, getPool, getSnapshots } from './site.ts'

/** Where to begin, and how much to say at once. */
export interface Wish {
  readonly from: Bytes
  /** Ranges of one page; 0: as the driver likes. */
  readonly most: number
}

export interface RangePage {
  /** Of the snapshot that the ranges are of; the same on all pages. */
  readonly capacity: Bytes
  /** Ascending, with gaps between them, also from page to page. */
  readonly ranges: readonly Range[]
}

/** Some 20 KiB of a message. */
const PAGE = 1024

/** CSI spec, GetMetadataAllocated. At least one page, so that also a blank snapshot tells its capacity. */
export async function* allocatedBlocks(
  site: ControllerSite,
  id: SnapshotId,
  wish: Wish,
  op: Op,
): AsyncGenerator<RangePage, void, undefined> {
  const asked = `tell what ${id} holds`
  const snapshot = await getComplete(site, asked, id)
  requireWish(asked, snapshot, wish)
  const ranges = snapshotsOf(site, asked, snapshot).allocated(snapshot, wish.from, op)
  yield* pages(snapshot, ranges, wish)
}

/**
 * CSI spec, GetMetadataDelta. The base need not be the older one: what turns the base's bytes into the target's is the
 * same question both ways.
 */
export async function* changedBlocks(
  site: ControllerSite,
  ids: { readonly base: SnapshotId; readonly target: SnapshotId },
  wish: Wish,
  op: Op,
): AsyncGenerator<RangePage, void, undefined> {
  const asked = `tell what changed from ${ids.base} to ${ids.target}`
  const base = await getComplete(site, asked, ids.base)
  const target = await getComplete(site, asked, ids.target)
  if (base.source !== target.source) {
    throw new InvalidRequest({
      asked,
      found: `they are of the volumes ${base.source} and ${target.source}`,
      next: 'compare snapshots of one volume',
    })
  }
  requireWish(asked, target, wish)
  const isOne = base.id === target.id
  const ranges = isOne ? [] : snapshotsOf(site, asked, target).changed(base, target, wish.from, op)
  yield* pages(target, ranges, wish)
}

async function getComplete(site: ControllerSite, asked: string, id: SnapshotId): Promise<Snapshot> {
  const snapshot = await getSnapshot(site, asked, id)
  if (snapshot.ready) return snapshot
  throw new Unavailable({ asked, found: `${id} is not complete`, next: 'call again when it is ready to use' })
}

function snapshotsOf(site: ControllerSite, asked: string, { pool }: Snapshot): Snapshots {
  return getSnapshots(asked, getPool(site, asked, pool))
}

/** Where the last answer ended may be the end of the volume: nothing is left then. */
function requireWish(asked: string, { size }: Snapshot, { from, most }: Wish): void {
  if (most < 0) throw new InvalidRequest({ asked, found: `max_results ${most}`, next: 'use 0 for any number' })
  if (from >= 0n && from <= size) return
  throw new OffsetOutOfRange({
    asked,
    found: `starting_offset ${from}, the volume has ${size} bytes`,
    next: 'start at 0, or where the last answer ended',
  })
}

async function* pages(
  { size: capacity }: Snapshot,
  ranges: AsyncIterable<Range> | Iterable<Range>,
  { most }: Wish,
): AsyncGenerator<RangePage, void, undefined> {
  const full = most > 0 ? Math.min(most, PAGE) : PAGE
  let page: Range[] = []
  let count = 0
  for await (const range of ranges) {
    page.push(range)
    if (page.length < full) continue
    yield { capacity, ranges: page }
    count += 1
    page = []
  }
  if (page.length > 0 || count === 0) yield { capacity, ranges: page }
}
