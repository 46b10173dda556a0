// Where the bytes of a file lie on its filesystem: FIEMAP (Documentation/filesystems/fiemap.rst), as xfs_io prints it.
import type { Host } from '../host/host.ts'
import { BlocksUnknown, EffectMissing, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Range } from '../volume/range.ts'
import type { Bytes } from '../volume/types.ts'
import { askXfsIo } from './xfs-io.ts'

/** A range of a file that holds data, as far as the filesystem can tell. */
export interface Extent extends Range {
  /**
   * Where its first byte lies, in bytes of the filesystem's own addresses; only where the filesystem says that other
   * files have the very same blocks, byte for byte. Two files with one address at one time hold the same bytes there.
   */
  readonly shared: Bytes | undefined
}

/** What is known of a file from an offset on. */
export interface ExtentPage {
  /** In ascending order, not overlapping; the first may begin before the offset. What lies between them reads as zero. */
  readonly extents: readonly Extent[]
  /** The page speaks of nothing behind it; undefined: there is no data behind it either. */
  readonly end: Bytes | undefined
}

/** Lines of a page, holes included: about 250 KiB of text, and seconds of btrfs looking for who shares what. */
const LINES = 4096
/** xfs_io(8) counts in these, whatever the blocks of the filesystem are. */
const UNIT = 512n

/** include/uapi/linux/fiemap.h */
const LAST = 0x1
const UNWRITTEN = 0x800
const MERGED = 0x1000
const SHARED = 0x2000
/** Say nothing about what is in the extent. All others, also those of a later kernel, make us know less. */
const NEUTRAL = LAST | MERGED | SHARED

/**
 * Dirty pages are written back before the kernel answers. Throws BlocksUnknown where the filesystem has no FIEMAP,
 * Unavailable when the file is gone or hangs, EffectMissing for an answer that is not understood.
 */
export async function readExtents(host: Host, path: string, from: Bytes, op: Op): Promise<ExtentPage> {
  const commands = [`fiemap -v -n ${LINES} ${from}`]
  try {
    return parseFiemap(await askXfsIo(host, { path, direct: false, commands }, op), path)
  } catch (error) {
    if (!(error instanceof Unavailable) || !/FS_IOC_FIEMAP.*Operation not supported/.test(error.message)) throw error
    const finding = { asked: `find the blocks of ${path}`, found: 'its filesystem does not tell them' }
    throw new BlocksUnknown({ ...finding, next: 'make full copies, or keep the pool on xfs, btrfs or ext4' })
  }
}

const HEAD = /^ *EXT: FILE-OFFSET +BLOCK-RANGE +TOTAL +FLAGS$/
const LINE = /^ *(\d+): \[(\d+)\.\.(\d+)\]: +(?:(hole)|(\d+)\.\.(\d+)) +(\d+)(?: +0x([0-9a-f]+))?$/

/**
 * All of it or nothing: the lines are counted, follow each other without a gap, and end with the text. Throws
 * EffectMissing.
 */
export function parseFiemap(text: string, path: string): ExtentPage {
  if (text === `${path}:\n`) return { extents: [], end: undefined }
  const [name, head = '', ...lines] = text.split('\n')
  const rest = lines.pop()
  if (name !== `${path}:` || !HEAD.test(head) || lines.length === 0 || rest !== '')
    throw notUnderstood(path, text.slice(0, 200))
  const extents: Extent[] = []
  let end: Bytes | undefined
  for (const [n, line] of lines.entries()) {
    const { number, range, place, flags } = parseLine(line, path)
    if (number !== n || (end !== undefined && range.start !== end)) throw notUnderstood(path, line)
    end = range.end
    const extent = place === undefined ? undefined : extentOf(range, place, flags)
    if (extent) extents.push(extent)
  }
  return { extents, end }
}

function parseLine(line: string, path: string) {
  const [, number, first, last, hole, from, to, total, flags] = LINE.exec(line) ?? []
  if (number === undefined || first === undefined || last === undefined) throw notUnderstood(path, line)
  const length = BigInt(last) - BigInt(first) + 1n
  const isWhole =
    hole === undefined ? flags !== undefined && BigInt(to ?? 0) - BigInt(from ?? 0) + 1n === length : !flags
  if (length <= 0n || String(length) !== total || !isWhole) throw notUnderstood(path, line)
  const range = { start: BigInt(first) * UNIT, end: (BigInt(last) + 1n) * UNIT }
  const place = from === undefined ? undefined : BigInt(from) * UNIT
  return { number: Number(number), range, place, flags: Number.parseInt(flags ?? '0', 16) }
}

/** undefined for what reads as zero. */
function extentOf({ start, end }: Range, place: Bytes, flags: number): Extent | undefined {
  if ((flags & ~NEUTRAL) === UNWRITTEN) return undefined
  // Compressed, inline, encrypted or not yet allocated: the address alone does not say which bytes those are.
  const isPlain = (flags & ~NEUTRAL) === 0
  return { start, end, shared: isPlain && (flags & SHARED) !== 0 ? place : undefined }
}

function notUnderstood(path: string, found: string): EffectMissing {
  return new EffectMissing({
    asked: `find the blocks of ${path}`,
    found: `xfs_io printed "${found.trim()}"`,
    next: 'check the version of xfsprogs',
  })
}
