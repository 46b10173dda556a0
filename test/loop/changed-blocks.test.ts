// Changed blocks on real filesystems: what the driver names is compared with the bytes themselves.
import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { existsSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { StreamingMethod } from '../../src/rpc/client.ts'
import { rounds } from '../scale.ts'
import { type Bench, refused, useDriver } from './harness.ts'
import { poke, run } from './machine.ts'
import { clones, type PoolFilesystem } from './pool-filesystem.ts'
import { type Cutter, cutterOf } from './snapshots.ts'
import { MIB, type TestVolume } from './volume.ts'

const BLOCK = 4096
const SIZE = 32 * MIB

interface Message {
  block_metadata_type: string
  volume_capacity_bytes: string
  block_metadata: { byte_offset: string; size_bytes: string }[]
}
interface Piece {
  start: number
  end: number
}

/** All messages; each is checked against what the spec says of every message. */
const messagesOf = async ({ driver }: Bench, method: StreamingMethod, request: object): Promise<Message[]> => {
  const messages: Message[] = []
  for await (const message of driver.stream<Message>(method, request)) messages.push(message)
  assert.ok(messages.length > 0, 'an answer says what the volume’s size is')
  for (const { block_metadata_type: type, volume_capacity_bytes: capacity } of messages)
    assert.deepEqual([type, capacity], ['VARIABLE_LENGTH', messages[0]?.volume_capacity_bytes])
  return messages
}

const piecesOf = (messages: readonly Message[]): Piece[] => {
  const pieces = messages
    .flatMap(each => each.block_metadata)
    .map(({ byte_offset: at, size_bytes: length }) => ({ start: Number(at), end: Number(at) + Number(length) }))
  for (const [n, { start, end }] of pieces.entries()) {
    assert.ok(start < end && start % BLOCK === 0 && end % BLOCK === 0, `${start} to ${end}: whole blocks`)
    assert.ok(end <= Number(messages[0]?.volume_capacity_bytes), 'within the volume')
    assert.ok(n === 0 || (pieces[n - 1]?.end ?? 0) < start, 'ascending, and joined where they touch')
  }
  return pieces
}

const ask = async (bench: Bench, method: StreamingMethod, request: object): Promise<Piece[]> =>
  piecesOf(await messagesOf(bench, method, request))

const length = (pieces: readonly Piece[]): number => pieces.reduce((sum, { start, end }) => sum + end - start, 0)

/** Blocks in which two images differ; what one of them lacks reads as zero. */
const differing = (base: Buffer, target: Buffer): number[] =>
  Array.from({ length: target.length / BLOCK }, (_, n) => n).filter(n => {
    const one = Buffer.alloc(BLOCK)
    base.subarray(n * BLOCK, (n + 1) * BLOCK).copy(one)
    return !one.equals(target.subarray(n * BLOCK, (n + 1) * BLOCK))
  })

const requireNamed = (pieces: readonly Piece[], blocks: readonly number[], what: string): void => {
  const missed = blocks.filter(n => !pieces.some(({ start, end }) => start <= n * BLOCK && end >= (n + 1) * BLOCK))
  assert.deepEqual(missed, [], `${what}: blocks that differ and are not named`)
}

/** What the answer from an offset on must be, given the whole one. */
const tailOf = (pieces: readonly Piece[], from: number): Piece[] => {
  const edge = from - (from % BLOCK)
  return pieces.filter(({ end }) => end > edge).map(({ start, end }) => ({ start: Math.max(start, edge), end }))
}

const scribble = (path: string, isAligned: boolean): void => {
  for (let n = randomInt(1, 12); n > 0; n -= 1) {
    const step = isAligned ? BLOCK : 512
    const bytes = randomInt(1, isAligned ? 16 : 100) * step
    const at = randomInt(0, (SIZE - bytes) / step) * step
    if (randomInt(0, 4) > 0) poke(path, [at, randomBytes(bytes)])
    else run('fallocate', '--punch-hole', '--offset', String(at), '--length', String(bytes), path)
  }
}

interface Cut {
  id: string
  bytes: Buffer
}

const cutOf = async (bench: Bench, cutter: Cutter, volume: TestVolume): Promise<Cut> => {
  const { snapshot_id: id } = await cutter.cut(volume)
  return { id, bytes: readFileSync(join(bench.driver.pool, 'snapshots', id, 'data')) }
}

const compareAll = async (bench: Bench, type: PoolFilesystem, cuts: readonly Cut[], isAligned: boolean) => {
  for (const target of cuts) {
    const held = await ask(bench, 'GetMetadataAllocated', { snapshot_id: target.id })
    requireNamed(held, differing(Buffer.alloc(0), target.bytes), `allocated of ${target.id}`)
    for (const base of cuts) {
      const ids = { base_snapshot_id: base.id, target_snapshot_id: target.id }
      const pieces = await ask(bench, 'GetMetadataDelta', ids)
      const blocks = differing(base.bytes, target.bytes)
      requireNamed(pieces, blocks, `from ${base.id} to ${target.id}`)
      if (base.id === target.id) assert.deepEqual(pieces, [])
      const surplus = length(pieces) - blocks.length * BLOCK
      if (clones(type) && isAligned) assert.ok(surplus < SIZE / 100, `${surplus} bytes too many`)
    }
  }
}

const offsetsIn = (pieces: readonly Piece[]): number[] => [
  0,
  1,
  SIZE - 1,
  SIZE,
  ...pieces.flatMap(({ start, end }) => [start - 1, start, start + 1, start + BLOCK, (start + end) / 2, end - 1, end]),
]

const tests = (type: PoolFilesystem): void => {
  const bench = useDriver({ poolOn: type })
  const cutter = cutterOf(bench)
  const make = async (): Promise<TestVolume> => await bench.volume({ as: 'block', size: SIZE }).create()

  for (const isAligned of [true, false])
    test(`every byte that differs after ${isAligned ? 'whole' : 'parts of'} blocks were written is named`, async () => {
      for (let round = 0; round < rounds(2, 100); round += 1) {
        const volume = await make()
        const isLive = clones(type)
        if (isLive) await volume.publish()
        const cuts = [await cutOf(bench, cutter, volume)]
        for (let n = 0; n < 3; n += 1) {
          scribble(isLive ? volume.device : volume.data, isAligned)
          cuts.push(await cutOf(bench, cutter, volume))
        }
        await compareAll(bench, type, cuts, isAligned)
      }
    })

  test('an answer goes on at any offset, in pages of any size, and of a volume that grew', async () => {
    const volume = await make()
    for (let n = 0; n < 40; n += 1) poke(volume.data, [n * 64 * BLOCK, randomBytes(3 * BLOCK)])
    const base = await cutOf(bench, cutter, volume)
    for (let n = 0; n < 40; n += 2) poke(volume.data, [(n * 64 + 1) * BLOCK, randomBytes(BLOCK)])
    const target = await cutOf(bench, cutter, volume)
    const ids = { base_snapshot_id: base.id, target_snapshot_id: target.id }
    for (const [method, request] of [
      ['GetMetadataAllocated', { snapshot_id: target.id }],
      ['GetMetadataDelta', ids],
    ] as const) {
      const pieces = await ask(bench, method, request)
      assert.equal(pieces.length, clones(type) && method === 'GetMetadataDelta' ? 20 : 40)
      for (const offset of offsetsIn(pieces.slice(0, 3)).filter(each => each >= 0)) {
        const found = await ask(bench, method, { ...request, starting_offset: String(offset) })
        assert.deepEqual(found, tailOf(pieces, offset), `${method} from ${offset}`)
      }
      for (const most of [1, 7, 40, 1_000_000]) {
        const messages = await messagesOf(bench, method, { ...request, max_results: most })
        assert.deepEqual(piecesOf(messages), pieces)
        assert.deepEqual(
          messages.map(each => each.block_metadata.length).filter(count => count > most),
          [],
        )
        assert.equal(messages.length, Math.ceil(pieces.length / Math.min(most, 1024)))
      }
      for (const offset of [-1, SIZE + 1])
        await refused(ask(bench, method, { ...request, starting_offset: String(offset) }), 'OUT_OF_RANGE')
      await refused(ask(bench, method, { ...request, max_results: -1 }), 'INVALID_ARGUMENT')
    }
    await volume.expand(2 * SIZE)
    poke(volume.data, [SIZE + MIB, randomBytes(BLOCK)])
    const grown = await cutOf(bench, cutter, volume)
    const pieces = await ask(bench, 'GetMetadataDelta', { base_snapshot_id: target.id, target_snapshot_id: grown.id })
    assert.deepEqual(pieces.at(-1), { start: SIZE + MIB, end: SIZE + MIB + BLOCK })
    requireNamed(pieces, differing(target.bytes, grown.bytes), 'grown')
  })

  test('more pieces than one look shows are all named', async () => {
    const volume = await make()
    const base = await cutOf(bench, cutter, volume)
    poke(volume.data, ...Array.from({ length: 3000 }, (_, n): [number, Buffer] => [2 * n * BLOCK, randomBytes(BLOCK)]))
    const target = await cutOf(bench, cutter, volume)
    const ids = { base_snapshot_id: base.id, target_snapshot_id: target.id }
    const messages = await messagesOf(bench, 'GetMetadataDelta', ids)
    assert.deepEqual(
      messages.map(each => each.block_metadata.length),
      [1024, 1024, 952],
    )
    requireNamed(piecesOf(messages), differing(base.bytes, target.bytes), 'scattered')
  })

  test('snapshots that are absent, incomplete or of two volumes are refused, and secrets are not logged', async () => {
    const [one, two] = [await make(), await make()]
    const [a, b] = [await cutOf(bench, cutter, one), await cutOf(bench, cutter, two)]
    const delta = (base: string, target: string) =>
      ask(bench, 'GetMetadataDelta', {
        base_snapshot_id: base,
        target_snapshot_id: target,
        secrets: { k: 'canary-57' },
      })
    const absent = a.id.replace(/.$/, last => (last === '0' ? '1' : '0'))
    await refused(delta(a.id, b.id), 'INVALID_ARGUMENT', /of the volumes/)
    for (const id of [absent, 'foreign']) {
      await refused(ask(bench, 'GetMetadataAllocated', { snapshot_id: id }), 'NOT_FOUND')
      await refused(delta(id, a.id), 'NOT_FOUND')
      await refused(delta(a.id, id), 'NOT_FOUND')
    }
    await refused(delta('', a.id), 'INVALID_ARGUMENT')
    await refused(ask(bench, 'GetMetadataAllocated', {}), 'INVALID_ARGUMENT')
    // As while its bytes are copied.
    const data = join(bench.driver.pool, 'snapshots', a.id, 'data')
    renameSync(data, `${data}.x.part`)
    await refused(ask(bench, 'GetMetadataAllocated', { snapshot_id: a.id }), 'UNAVAILABLE')
    await refused(delta(a.id, a.id), 'UNAVAILABLE')
    renameSync(`${data}.x.part`, data)
    assert.ok(existsSync(data))
    assert.doesNotMatch(bench.driver.log, /canary-57/)
    const { capabilities } = await bench.driver.call<{ capabilities: { service: { type: string } | null }[] }>(
      'Identity',
      'GetPluginCapabilities',
    )
    assert.ok(capabilities.some(({ service }) => service?.type === 'SNAPSHOT_METADATA_SERVICE'))
  })
}

for (const type of ['xfs', 'btrfs', 'ext4'] as const) describe(`changed blocks on ${type}`, () => tests(type))
