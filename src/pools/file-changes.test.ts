// Tests of changed ranges: never less than what a comparison block by block finds, whatever moves meanwhile.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { failure, MIB, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import type { FileFacts, Host } from '../host/host.ts'
import type { Extent } from '../linux/fiemap.ts'
import type { Range } from '../volume/range.ts'
import { allocatedRanges, changedRanges, differences } from './file-changes.ts'

const BLOCK = 4096n
const COUNT = 24
/** What one block of a file is: a hole, data of its own, or a shared block with an address. */
type Cell = 'hole' | 'own' | number
const cell = fc.oneof(fc.constant<Cell>('hole'), fc.constant<Cell>('own'), fc.integer({ min: 0, max: 40 }))
const file = fc.array(cell, { minLength: COUNT, maxLength: COUNT })

/** Extents as a filesystem would tell them: neighbours are put together. */
function extentsOf(cells: readonly Cell[]): Extent[] {
  const extents: Extent[] = []
  for (const [n, each] of cells.entries()) {
    if (each === 'hole') continue
    const start = BigInt(n) * BLOCK
    const shared = each === 'own' ? undefined : BigInt(each) * BLOCK
    const last = extents.at(-1)
    const follows =
      last?.shared === undefined ? shared : shared !== undefined && shared - start - last.shared + last.start
    const isNext = last?.end === start && (last.shared === undefined ? shared === undefined : follows === 0n)
    if (last && isNext) extents[extents.length - 1] = { ...last, end: start + BLOCK }
    else extents.push({ start, end: start + BLOCK, shared })
  }
  return extents
}

/** As xfs_io prints a page of some lines from an offset on. */
function print(path: string, cells: readonly Cell[], from: number, lines: number): string {
  const units = (blocks: bigint) => (blocks * BLOCK) / 512n
  const rows = cells.map((each, n) => ({ each, n })).slice(from)
  if (rows.every(({ each }) => each === 'hole')) return `${path}:\n`
  const text = rows.slice(0, lines).map(({ each, n }, row) => {
    const range = `[${units(BigInt(n))}..${units(BigInt(n) + 1n) - 1n}]`
    if (each === 'hole') return `   ${row}: ${range}:  hole  8`
    const place = each === 'own' ? 1000n : BigInt(each)
    return `   ${row}: ${range}:  ${units(place)}..${units(place + 1n) - 1n}  8  0x${each === 'own' ? 0 : 2000}`
  })
  return `${path}:\n EXT: FILE-OFFSET      BLOCK-RANGE      TOTAL FLAGS\n${text.join('\n')}\n`
}

const blocksOf = (ranges: readonly Range[]): number[] =>
  ranges.flatMap(({ start, end }) =>
    Array.from({ length: Number((end - start) / BLOCK) }, (_, n) => Number(start / BLOCK) + n),
  )
const differ = (a: Cell, b: Cell) => (a === 'hole' || b === 'hole' ? a !== b : a === 'own' || a !== b)
const naive = (base: readonly Cell[], target: readonly Cell[], from = 0) =>
  target.flatMap((each, n) => (n >= from && differ(base[n] ?? 'hole', each) ? [n] : []))

const facts = (size: bigint, rest: Partial<FileFacts> = {}): FileFacts => ({
  kind: 'file',
  size,
  allocated: 0n,
  inode: 7n,
  device: '0:1',
  links: 1,
  modified: new Date(0),
  ...rest,
})

/** Files by path; `look` answers what a file is made of at each question. */
function hostOf(files: Record<string, FileFacts>, look: (path: string) => readonly Cell[], lines = 5): Host {
  const host = fakeHost([])
  return {
    ...host,
    files: { ...host.files, facts: async path => files[path] },
    async run({ args }) {
      const path = String(args.at(-1))
      const from = Number(String(args[2]).split(' ').at(-1)) / Number(BLOCK)
      return { code: 0, stderr: '', stdout: print(path, look(path), from, lines) }
    },
  }
}

async function collect(ranges: AsyncIterable<Range>): Promise<Range[]> {
  const all: Range[] = []
  for await (const range of ranges) all.push(range)
  return all
}

function assertTidy(ranges: readonly Range[]): void {
  for (const [n, { start, end }] of ranges.entries()) {
    assert.ok(start < end && start % BLOCK === 0n)
    assert.ok(n === 0 || (ranges[n - 1]?.end ?? 0n) < start, 'ascending, with gaps')
  }
}

const size = BigInt(COUNT) * BLOCK
const op = testOp()

describe('differences', () => {
  it('are those that a comparison block by block finds', () => {
    fc.assert(
      fc.property(file, file, (base, target) => {
        const found = [...differences([extentsOf(base), extentsOf(target)], { start: 0n, end: size })]
        assert.deepEqual(blocksOf(found), naive(base, target))
      }),
      { numRuns: 500 },
    )
  })
})

describe('changed ranges', () => {
  it('are the same whatever the pages are and wherever it begins, also of a base that is shorter', async () => {
    await fc.assert(
      fc.asyncProperty(
        file,
        file,
        fc.integer({ min: 1, max: 9 }),
        fc.bigInt({ min: 0n, max: size }),
        fc.integer({ min: 1, max: COUNT }),
        async (base, target, lines, from, short) => {
          const cells = { '/a': base.slice(0, short), '/b': target }
          const ends = { base: BigInt(short) * BLOCK, target: size }
          const host = hostOf({ '/a': facts(ends.base), '/b': facts(size) }, path => cells[path as '/a'], lines)
          const files = { base: { path: '/a', size: ends.base }, target: { path: '/b', size } }
          const found = await collect(changedRanges(host, files, from, op))
          assertTidy(found)
          assert.deepEqual(blocksOf(found), naive(cells['/a'], target, Number(from / BLOCK)))
          const held = await collect(allocatedRanges(host, files.target, from, op))
          assertTidy(held)
          assert.deepEqual(blocksOf(held), naive([], target, Number(from / BLOCK)))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('count what moved between two looks, though an address came again', async () => {
    // The base leaves block 3 of the filesystem, and the target's own data is moved there.
    const looks: Record<string, Cell[][]> = { '/a': [[3], [9]], '/b': [[3]] }
    const host = hostOf({ '/a': facts(BLOCK), '/b': facts(BLOCK) }, path => looks[path]?.shift() ?? [])
    const files = { base: { path: '/a', size: BLOCK }, target: { path: '/b', size: BLOCK } }
    assert.deepEqual(await collect(changedRanges(host, files, 0n, op)), [{ start: 0n, end: BLOCK }])
  })

  it('are refused for a file that is gone, was cut short, or was replaced meanwhile', async () => {
    const known: Record<string, FileFacts> = {}
    const host = hostOf(known, () => {
      if (known['/f']) known['/f'] = { ...known['/f'], ...swap }
      return ['own']
    })
    let swap: Partial<FileFacts> = {}
    const ask = () => collect(allocatedRanges(host, { path: '/f', size: MIB }, 0n, op))
    await assert.rejects(ask(), failure('unavailable', /deleted/))
    known['/f'] = facts(MIB - BLOCK)
    await assert.rejects(ask(), failure('unavailable', /1044480 bytes/))
    for (const other of [{ inode: 8n }, { modified: new Date(1) }]) {
      known['/f'] = facts(MIB)
      swap = other
      await assert.rejects(ask(), failure('unavailable', /deleted/))
    }
  })

  it('are not told across filesystems, whose addresses mean nothing to each other', async () => {
    const host = hostOf({ '/a': facts(BLOCK), '/b': facts(BLOCK, { device: '0:2' }) }, () => [3])
    const files = { base: { path: '/a', size: BLOCK }, target: { path: '/b', size: BLOCK } }
    await assert.rejects(collect(changedRanges(host, files, 0n, op)), failure('failed-precondition'))
  })
})
