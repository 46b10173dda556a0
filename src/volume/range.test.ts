// Tests of ranges: joined, they cover the blocks of what was given, within the window, and nothing else.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { joinRanges, type Range } from './range.ts'

it('joined ranges cover the same blocks once, in ascending order, with gaps between them', async () => {
  const piece = fc.tuple(fc.bigInt({ min: 0n, max: 63n }), fc.bigInt({ min: 1n, max: 20n }))
  await fc.assert(
    fc.asyncProperty(fc.array(piece), fc.bigInt({ min: 0n, max: 8n }), async (pieces, first) => {
      const within = { start: first * 4n, end: 64n }
      const given = pieces
        .map(([start, length]) => ({ start, end: start + length }))
        .sort((a, b) => Number(a.start - b.start))
      async function* source(): AsyncGenerator<Range> {
        yield* await Promise.resolve(given)
      }
      const joined: Range[] = []
      for await (const range of joinRanges(source(), 4n, within)) joined.push(range)
      const wanted = Array.from({ length: 16 }, (_, n) => BigInt(n) * 4n).filter(
        at => at >= within.start && given.some(({ start, end }) => start < at + 4n && end > at),
      )
      const found = joined.flatMap(({ start, end }) =>
        Array.from({ length: Number((end - start) / 4n) }, (_, n) => start + BigInt(n) * 4n),
      )
      assert.deepEqual(found, wanted)
      for (const [n, { start }] of joined.entries()) assert.ok(n === 0 || (joined[n - 1]?.end ?? 0n) < start)
    }),
  )
})
