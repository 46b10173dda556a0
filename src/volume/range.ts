// Ranges of bytes: cut at the edges of blocks, and put together where they meet.
import { roundDown, roundUp } from './capacity.ts'
import type { Bytes } from './types.ts'

/** From the first byte to the one after the last; never empty. */
export interface Range {
  readonly start: Bytes
  readonly end: Bytes
}

/**
 * Widens each range to whole blocks of this many bytes, cuts it to `within`, and joins those that touch or overlap.
 * Takes them in ascending order, also such as overlap, and gives them in ascending order with gaps between them. Holds
 * one range at a time.
 */
export async function* joinRanges(
  ranges: AsyncIterable<Range>,
  block: Bytes,
  within: Range,
): AsyncGenerator<Range, void, undefined> {
  let last: Range | undefined
  for await (const range of ranges) {
    const start = larger(roundDown(range.start, block), within.start)
    const end = smaller(roundUp(range.end, block), within.end)
    if (start >= end) continue
    if (last && start <= last.end) {
      last = { start: last.start, end: larger(end, last.end) }
      continue
    }
    if (last) yield last
    last = { start, end }
  }
  if (last) yield last
}

export function smaller(a: Bytes, b: Bytes): Bytes {
  return a < b ? a : b
}

function larger(a: Bytes, b: Bytes): Bytes {
  return a > b ? a : b
}
