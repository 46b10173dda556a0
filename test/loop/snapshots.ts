// Snapshots and clones on real filesystems: what every pool must keep to, whatever holds it; run for each by a file of its own.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { filesystemUuid } from '../../src/volume/ids.ts'
import { waitUntil } from '../patience.ts'
import { rounds } from '../scale.ts'
import { again, type Bench, refused, useDriver } from './harness.ts'
import { recordsIn } from './log-records.ts'
import { mountsAt, poke, run, sha256 } from './machine.ts'
import { clones, type PoolFilesystem } from './pool-filesystem.ts'
import { MIB, type TestVolume } from './volume.ts'

export interface SnapshotMessage {
  snapshot_id: string
  source_volume_id: string
  size_bytes: string
  creation_time: { seconds: string; nanos: number }
  ready_to_use: boolean
}

export interface Cutter {
  /** Repeated until it is ready to use; deleted after the test. */
  cut(source: TestVolume, name?: string): Promise<SnapshotMessage>
  ask(source: TestVolume, name: string): Promise<SnapshotMessage>
  remove(id: string): Promise<void>
  list(filter?: object): Promise<SnapshotMessage[]>
}

export const cutterOf = ({ driver, defer }: Bench): Cutter => {
  let count = 0
  const remove = async (id: string) => {
    await driver.call('Controller', 'DeleteSnapshot', { snapshot_id: id })
  }
  const ask = async (source: TestVolume, name: string) => {
    const request = { source_volume_id: source.id, name }
    const { snapshot } = await driver.call<{ snapshot: SnapshotMessage }>('Controller', 'CreateSnapshot', request)
    return snapshot
  }
  return {
    ask,
    remove,
    async cut(source, name) {
      count += 1
      const own = name ?? `snap-${count}`
      let snapshot = await again(() => ask(source, own))
      defer(() => remove(snapshot.snapshot_id))
      await waitUntil('ready to use', async () => {
        snapshot = await again(() => ask(source, own))
        return snapshot.ready_to_use
      })
      return snapshot
    },
    async list(filter = {}) {
      const { entries } = await driver.call<{ entries: { snapshot: SnapshotMessage }[] }>(
        'Controller',
        'ListSnapshots',
        filter,
      )
      return entries.map(({ snapshot }) => snapshot)
    },
  }
}

export const fromSnapshot = (id: string) => ({ volume_content_source: { snapshot: { snapshot_id: id } } })
export const fromVolume = ({ id }: TestVolume) => ({ volume_content_source: { volume: { volume_id: id } } })

const filesIn = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder)
      .filter(name => name !== 'lost+found')
      .map(name => [name, sha256(join(folder, name))]),
  )

const assertWhole = ({ data }: TestVolume, as: 'ext4' | 'xfs') => {
  if (as === 'ext4') run('e2fsck', '-fn', data)
  else run('xfs_repair', '-n', '-f', data)
}

const uuidOf = (path: string) => /^UUID=(.*)$/m.exec(run('blkid', '--probe', '--output', 'export', path))?.[1]

/** Where only volumes at rest can be copied. */
const rest = async (volume: TestVolume, type: PoolFilesystem) => {
  if (clones(type)) return
  await volume.unstage()
  await volume.unpublish()
}
const rise = async (volume: TestVolume, type: PoolFilesystem) => {
  if (clones(type)) return
  await volume.publish()
  await volume.stage()
}

export const snapshotTests = (type: PoolFilesystem): void => {
  const bench = useDriver({ poolOn: type })
  const cutter = cutterOf(bench)

  for (const as of ['ext4', 'xfs'] as const) {
    test(`check 35: a snapshot and a clone of ${as} are mounted beside their source, larger than it`, async () => {
      const source = await bench.volume({ as }).up()
      writeFileSync(join(source.staging, 'bytes'), randomBytes(3 * MIB))
      run('sync', '--file-system', source.staging)
      const files = filesIn(source.staging)
      await rest(source, type)
      const snapshot = await cutter.cut(source)
      const larger = { as, size: source.size + 320 * MIB }
      const clone = await bench.volume(larger).create(fromVolume(source))
      await rise(source, type)
      writeFileSync(join(source.staging, 'bytes'), 'later')
      const restored = await bench.volume(larger).create(fromSnapshot(snapshot.snapshot_id))
      // A copy of a copy that was never mounted.
      const second = await bench.volume(larger).create(fromVolume(clone))
      const copies = [clone, restored, second]
      for (const copy of copies) {
        await copy.publish()
        await copy.stage()
        assert.deepEqual(filesIn(copy.staging), files)
        if (as === 'xfs')
          assert.ok(Number(run('stat', '-f', '--format', '%b', copy.staging)) * 4096 > source.size, 'grown')
      }
      assert.equal(mountsAt(source.staging).length, 1)
      for (const volume of [source, ...copies]) {
        await volume.unstage()
        assertWhole(volume, as)
        assert.equal(uuidOf(volume.data), filesystemUuid(volume.id))
      }
    })
  }

  test('check 39: a snapshot outlives its source and its copies, is answered again as it was, and listed', async () => {
    const source = await bench.volume({ as: 'block', size: 8 * MIB }).create()
    poke(source.data, [MIB, 'content'])
    const expected = sha256(source.data)
    const snapshot = await cutter.cut(source, 'kept')
    assert.deepEqual(
      [snapshot.source_volume_id, snapshot.size_bytes, snapshot.ready_to_use],
      [source.id, String(8 * MIB), true],
    )
    const copy = await bench.volume({ as: 'block', size: 8 * MIB }).create(fromSnapshot(snapshot.snapshot_id))
    await source.delete()
    assert.deepEqual(await cutter.ask(source, 'kept'), snapshot)
    assert.deepEqual(await cutter.list(), [snapshot])
    assert.deepEqual(await cutter.list({ source_volume_id: source.id }), [snapshot])
    const other = await bench.volume({ as: 'block', size: 8 * MIB }).create()
    await refused(cutter.ask(other, 'kept'), 'ALREADY_EXISTS')
    await cutter.remove(snapshot.snapshot_id)
    assert.deepEqual(await cutter.list(), [])
    assert.equal(sha256(copy.data), expected)
  })

  test('random writes, snapshots and restores: every byte is that of its instant', async () => {
    const size = 8 * MIB
    const source = await bench.volume({ as: 'block', size }).create()
    const isLive = clones(type)
    if (isLive) await source.publish()
    const kept: { id: string; sum: string }[] = []
    const count = rounds(8, 1000)
    for (let round = 0; round < count; round += 1) {
      const pieces = Array.from({ length: randomInt(1, 6) }, (): [number, Buffer] => {
        const length = randomInt(1, 64) * 512
        return [randomInt(0, (size - length) / 512) * 512, randomBytes(length)]
      })
      poke(isLive ? source.device : source.data, ...pieces)
      const { snapshot_id: id } = await cutter.cut(source, `round-${round}`)
      kept.push({ id, sum: sha256(isLive ? source.device : source.data) })
      const chosen = kept[randomInt(0, kept.length)]
      assert.ok(chosen)
      const from = randomInt(0, 4) === 0 ? fromVolume(source) : fromSnapshot(chosen.id)
      const restored = await bench.volume({ as: 'block', size }).create(from)
      const wanted = Object.hasOwn(from.volume_content_source, 'volume') ? kept.at(-1)?.sum : chosen.sum
      assert.equal(sha256(restored.data), wanted, `round ${round}`)
      await restored.delete()
      if (kept.length > 6) {
        const [gone] = kept.splice(randomInt(0, kept.length), 1)
        if (gone) await cutter.remove(gone.id)
      }
    }
    for (const { id } of kept) await cutter.remove(id)
  })

  if (clones(type)) underWrites(type, bench, cutter)
}

/** Then a log begins anew: in hundreds of rounds it would fill its volume. Of 512 bytes. */
export const MOST_RECORDS = 20_000

const underWrites = (type: PoolFilesystem, bench: Bench, cutter: Cutter): void => {
  for (const as of ['ext4', 'xfs'] as const) {
    test(`check 39: a snapshot of a mounted ${as} under heavy writes is what a power cut would leave: no record is missing`, async () => {
      const source = await bench.volume({ as }).up()
      const log = join(source.staging, 'log')
      let acknowledged = 0
      let writer: ChildProcess | undefined
      const begin = async () => {
        if (writer) await ended(writer)
        const own = spawn(process.execPath, [join(import.meta.dirname, 'log-writer.ts'), log], {
          stdio: ['ignore', 'pipe', 'inherit'],
          detached: true,
        })
        own.stdout.on('data', (text: Buffer) => {
          if (writer === own) acknowledged = Number(text.toString().trim().split('\n').at(-1))
        })
        writer = own
        acknowledged = 0
        await waitUntil('records are written', () => acknowledged > 20)
      }
      // And unsynced writes and removals of files, so that the journal is never at rest.
      const noise = spawn(
        'sh',
        [
          '-c',
          `while :; do for n in 1 2 3 4 5 6 7 8; do head -c 300000 /dev/urandom >"$0/f$n"; done; rm -f "$0"/f*; done`,
          source.staging,
        ],
        { detached: true },
      )
      bench.defer(async () => {
        for (const child of [writer, noise]) if (child) await ended(child)
      })
      await begin()
      for (let round = 0; round < rounds(3, 200); round += 1) {
        if (acknowledged > MOST_RECORDS) await begin()
        const before = acknowledged
        await waitUntil('more records are written', () => acknowledged > before + 10)
        const promised = acknowledged
        const { snapshot_id: id } = await cutter.ask(source, `${type}-${as}-${round}`)
        const copy = await bench.volume({ as }).create(fromSnapshot(id))
        await cutter.remove(id)
        await copy.publish()
        await copy.stage()
        assert.ok(recordsIn(join(copy.staging, 'log')) >= promised, `round ${round}`)
        await copy.unstage()
        assertWhole(copy, as)
        await copy.teardown()
      }
      assert.ok(readFileSync(log).length > 0)
    })
  }
}

/** Of the leader of a group of its own, and of all that it has started: what lives on keeps the mount busy. */
const ended = async ({ pid }: ChildProcess): Promise<void> => {
  const signal = (name: NodeJS.Signals | 0): boolean => {
    try {
      return process.kill(-(pid ?? Number.NaN), name)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
      throw error
    }
  }
  signal('SIGKILL')
  await waitUntil('the end of what a test started', () => !signal(0))
}
