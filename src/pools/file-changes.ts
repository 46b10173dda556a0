// Which bytes of a snapshot hold data, and which differ from another's: told by where they lie, never by reading them.
import type { Host } from '../host/host.ts'
import { type Extent, type ExtentPage, readExtents } from '../linux/fiemap.ts'
import { BlocksUnknown, EffectMissing, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import { joinRanges, type Range, smaller } from '../volume/range.ts'
import type { Bytes } from '../volume/types.ts'

/** The file of a snapshot: nobody writes to it. */
export interface Still {
  readonly path: string
  readonly size: Bytes
}

/** Of a page in memory; filesystems with smaller blocks are rounded outwards. */
const BLOCK = 4096n

/** From an offset on; ascending, whole blocks, gaps between them. Throws BlocksUnknown, Unavailable, EffectMissing. */
export async function* allocatedRanges(
  host: Host,
  file: Still,
  from: Bytes,
  op: Op,
): AsyncGenerator<Range, void, undefined> {
  const within = windowOf(file, from)
  yield* joinRanges(scan(host, file, within, op), BLOCK, within)
}

async function* scan(host: Host, file: Still, within: Range, op: Op): AsyncGenerator<Range, void, undefined> {
  const known = await recognise(host, file)
  for (let { start } = within; start < within.end; ) {
    const page = await look(host, known, { start, end: within.end }, op)
    yield* page.extents
    start = page.end
  }
}

/**
 * Ranges of the target that may hold other bytes than the base does, which reads as zero behind its end; from an offset
 * on, as above. Where both have the same block at the same offset, nothing changed. All else is named, also where the
 * bytes are equal by chance.
 */
export async function* changedRanges(
  host: Host,
  files: { readonly base: Still; readonly target: Still },
  from: Bytes,
  op: Op,
): AsyncGenerator<Range, void, undefined> {
  const within = windowOf(files.target, from)
  yield* joinRanges(compare(host, files, within, op), BLOCK, within)
}

/**
 * Page by page. Defragmentation and balancing move blocks, and what was the base's block a moment ago may be another
 * one of the target's now. So the base is looked at before and after the target: what is the same both times was there
 * while the target was looked at.
 */
async function* compare(
  host: Host,
  { base, target }: { base: Still; target: Still },
  within: Range,
  op: Op,
): AsyncGenerator<Range, void, undefined> {
  const [one, two] = [await recognise(host, base), await recognise(host, target)]
  if (one.device !== two.device) {
    throw new BlocksUnknown({
      asked: `compare ${base.path} with ${target.path}`,
      found: 'they are on different filesystems',
      next: 'make a full copy',
    })
  }
  for (let { start } = within; start < within.end; ) {
    const rest = { start, end: within.end }
    const before = await look(host, one, rest, op)
    const now = await look(host, two, rest, op)
    const after = await look(host, one, rest, op)
    const end = [before.end, now.end, after.end].reduce(smaller, within.end)
    yield* differences([before.extents, now.extents, after.extents], { start, end })
    start = end
  }
}

/**
 * Where these maps of files do not prove that all of them read the same: a hole in all, or one block in all. Each map is
 * ascending, without overlaps, and reads as zero between its extents. Ranges that touch are not joined.
 */
export function* differences(
  maps: readonly (readonly Extent[])[],
  { start, end }: Range,
): Generator<Range, void, undefined> {
  const next = maps.map(() => 0)
  for (let at = start; at < end; ) {
    const current = maps.map((map, n) => {
      while ((map[next[n] ?? 0]?.end ?? end) <= at) next[n] = (next[n] ?? 0) + 1
      return map[next[n] ?? 0]
    })
    const edge = current.map(extent => edgeAfter(at, extent, end)).reduce(smaller, end)
    const [first, ...others] = current.map(extent => covering(at, extent))
    if (!others.every(other => isSame(first, other))) yield { start: at, end: edge }
    at = edge
  }
}

/** Where the next thing begins or ends. */
function edgeAfter(at: Bytes, extent: Extent | undefined, end: Bytes): Bytes {
  if (!extent) return end
  return smaller(extent.start > at ? extent.start : extent.end, end)
}

function covering(at: Bytes, extent: Extent | undefined): Extent | undefined {
  return extent && extent.start <= at ? extent : undefined
}

function isSame(a: Extent | undefined, b: Extent | undefined): boolean {
  if (!a || !b) return a === b
  if (a.shared === undefined || b.shared === undefined) return false
  return a.shared - a.start === b.shared - b.start
}

type Page = ExtentPage & { readonly end: Bytes }
type Known = Still & { readonly device: string; readonly identity: string }

/** At this very file, which may be deleted, and another cut under its name. What is behind its end reads as zero. */
async function look(host: Host, file: Known, { start, end: last }: Range, op: Op): Promise<Page> {
  const { extents, end = last } = await readExtents(host, file.path, start, op)
  if ((await recognise(host, file)).identity !== file.identity) throw gone(file)
  if (end > start) return { extents, end }
  throw new EffectMissing({
    asked: `find the blocks of ${file.path} from ${start} on`,
    found: `an answer that ends at ${end}`,
    next: 'check the version of xfsprogs',
  })
}

/** Throws Unavailable for a file that is gone or was cut short: what is missing must not pass for zeros. */
async function recognise(host: Host, file: Still): Promise<Known> {
  const facts = await host.files.facts(file.path)
  if (!facts) throw gone(file)
  const { size, device, inode, modified } = facts
  // Inodes come again.
  if (size === file.size) return { ...file, device, identity: `${inode} ${modified.getTime()}` }
  throw new Unavailable({
    asked: `find the blocks of ${file.path}`,
    found: `it has ${size} bytes, it should have ${file.size}`,
    next: 'run doctor',
  })
}

function windowOf({ size }: Still, from: Bytes): Range {
  return { start: from - (from % BLOCK), end: size }
}

function gone({ path }: Still): Unavailable {
  return new Unavailable({ asked: `find the blocks of ${path}`, found: 'it was deleted', next: 'call again' })
}
