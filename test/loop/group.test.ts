// Group snapshots of volumes in use: no restored group holds a write without the one before it, and nothing stays frozen.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { waitUntil } from '../patience.ts'
import { rounds } from '../scale.ts'
import { outOfOrder } from './chain-writer.ts'
import { type GroupMessage, grouperOf, idsOf } from './groups.ts'
import { refused, useDriver } from './harness.ts'
import { recordsIn } from './log-records.ts'
import { killerOf } from './snapshot-kills.ts'
import { cutterOf, fromSnapshot, MOST_RECORDS } from './snapshots.ts'
import { MIB, type TestVolume } from './volume.ts'

const bench = useDriver({ poolOn: 'xfs' })
const { driver } = bench
const grouper = grouperOf(bench)
const cutter = cutterOf(bench)

const stop = async (child: ChildProcess): Promise<void> => {
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await new Promise(resolve => child.once('exit', resolve))
}

/** Killed after the test; tells what it has printed. */
const start = (program: string, ...args: string[]) => {
  const child = spawn(process.execPath, [join(import.meta.dirname, program), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let printed = ''
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
  })
  bench.defer(() => stop(child))
  return { child, printed: () => printed, lines: () => printed.split('\n').length - 1 }
}

const mounted = async (...kinds: ('ext4' | 'xfs')[]): Promise<TestVolume[]> => {
  const volumes: TestVolume[] = []
  for (const as of kinds) volumes.push(await bench.volume({ as }).up())
  return volumes
}

/** In the order in which they are written. */
const write = (volumes: readonly TestVolume[]) =>
  start('chain-writer.ts', ...volumes.map(({ staging }) => join(staging, 'log')))

/** The same writer, or another one when its logs have become long. */
const renew = async (writer: ReturnType<typeof write>, volumes: readonly TestVolume[]) => {
  if (writer.lines() <= MOST_RECORDS) return writer
  await stop(writer.child)
  return write(volumes)
}

/** Records in each copy of these volumes, mounted as a node does it. */
const restore = async (volumes: readonly TestVolume[], snapshots: readonly { source_volume_id: string }[]) => {
  const counts: number[] = []
  for (const source of volumes) {
    const snapshot = snapshots.find(each => each.source_volume_id === source.id) as { snapshot_id: string } | undefined
    assert.ok(snapshot)
    const copy = bench.volume({ as: source.capability['mount'] ? fsTypeOf(source) : 'block', size: source.size })
    await copy.create(fromSnapshot(snapshot.snapshot_id))
    await copy.publish()
    await copy.stage()
    counts.push(recordsIn(join(copy.staging, 'log')))
    await copy.teardown()
  }
  return counts
}
const fsTypeOf = ({ capability }: TestVolume) => (capability['mount'] as { fs_type: 'ext4' | 'xfs' }).fs_type

for (const kinds of [['ext4', 'xfs'] as const, ['xfs', 'ext4', 'ext4'] as const]) {
  test(`a group of ${kinds.join(' and ')} under writes never holds a record that the one before it lacks`, async () => {
    const volumes = await mounted(...kinds)
    let writer = write(volumes)
    for (let round = 0; round < rounds(5, 250); round += 1) {
      writer = await renew(writer, volumes)
      const before = writer.lines()
      await waitUntil('writes', () => writer.lines() > before + 10)
      const group = await grouper.cut(`round-${round}`, volumes)
      const counts = await restore(volumes, group.snapshots)
      assert.equal(outOfOrder(counts), undefined, `round ${round}`)
      assert.ok(Number(counts[0]) >= before, 'what was durable before it is in it')
      await grouper.remove(group)
    }
    assert.equal(writer.child.exitCode, null)
  })
}

test('snapshots that are not cut together are told apart from such: the check of the order can fail', async () => {
  const volumes = await mounted('ext4', 'ext4')
  const writer = write(volumes)
  await waitUntil('writes', () => writer.lines() > 10)
  const snapshots = []
  for (const volume of volumes) {
    snapshots.push(await cutter.cut(volume))
    const before = writer.lines()
    await waitUntil('writes', () => writer.lines() > before + 2)
  }
  assert.match(outOfOrder(await restore(volumes, snapshots)) ?? '', /more records than the one before it/)
})

test('check 39: a group is answered again as it was, keeps its snapshots together, and goes with all of them', async () => {
  const volumes = await mounted('ext4', 'xfs')
  const [one, two] = volumes as [TestVolume, TestVolume]
  const group = await grouper.cut('kept', volumes)
  assert.deepEqual(await grouper.ask('kept', volumes.toReversed()), group)
  assert.deepEqual(await grouper.get(group.group_snapshot_id, idsOf(group).reverse()), group)
  assert.deepEqual(await cutter.list(), group.snapshots)
  assert.deepEqual(
    group.snapshots.map(each => [each.source_volume_id, each.size_bytes]),
    [one, two].map(({ id, size }) => [id, String(size)]).sort(),
  )
  await refused(grouper.ask('kept', [one]), 'ALREADY_EXISTS')
  await refused(grouper.ask('other', [one, one]), 'INVALID_ARGUMENT', /named twice/)
  await refused(cutter.remove(idsOf(group)[0] ?? ''), 'INVALID_ARGUMENT', /delete the group/)
  await refused(grouper.get(group.group_snapshot_id, []), 'INVALID_ARGUMENT')
  await refused(grouper.remove({ ...group, snapshots: group.snapshots.slice(1) }), 'INVALID_ARGUMENT')
  await grouper.remove(group)
  assert.deepEqual(await cutter.list(), [])
  await refused(grouper.get(group.group_snapshot_id, idsOf(group)), 'NOT_FOUND')
  await grouper.remove(group)
})

test('a raw block volume in use is refused, whatever else is in the group, and nothing of it is left', async () => {
  const [filesystem] = await mounted('ext4')
  assert.ok(filesystem)
  const block = await bench.volume({ as: 'block', size: 8 * MIB }).up()
  await block.publishAt(bench.path('block'))
  await refused(grouper.ask('g', [filesystem, block]), 'FAILED_PRECONDITION', /raw block volume in use/)
  assert.deepEqual([readdirSync(join(driver.pool, 'drafts')), await cutter.list()], [[], []])
  await grows(filesystem)
})

test('volumes at rest are cut with those in use', async () => {
  const [filesystem] = await mounted('xfs')
  assert.ok(filesystem)
  const block = await bench.volume({ as: 'block', size: 8 * MIB }).create()
  const attached = await bench.volume({ as: 'ext4' }).create()
  await attached.publish()
  assert.equal((await grouper.cut('g', [filesystem, block, attached])).snapshots.length, 3)
})

/** Its filesystem takes writes: not within a time, but before the test is given up. */
const grows = async ({ staging }: TestVolume): Promise<void> => {
  const writer = start('chain-writer.ts', join(staging, 'more'))
  await waitUntil('a write', () => writer.lines() > 1)
  await stop(writer.child)
}

/** A group that hangs at its second cut, and a writer that sleeps because of it. */
const hang = async () => {
  const volumes = await mounted('ext4', 'xfs')
  const holder = start('group-holder.ts', driver.folder, ...volumes.map(({ id }) => id))
  await waitUntil('the second cut', () => holder.printed().includes('held'))
  const writers = volumes.map(volume => start('chain-writer.ts', join(volume.staging, 'log')))
  for (const { child } of writers) await waitUntil('a writer that sleeps', () => stateOf(child.pid) === 'D')
  const writersGoOn = async () => {
    for (const writer of writers) await waitUntil('a write', () => writer.lines() > 1)
    for (const { child } of writers) await stop(child)
  }
  return { volumes, holder, writersGoOn }
}

/** The letter of proc_pid_stat(5); '' when it is gone. */
const stateOf = (pid = 0): string => {
  try {
    return /^\d+ \(.*\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? ''
  } catch {
    return ''
  }
}

/** Those that keep the filesystems of these volumes frozen. */
const keepersOf = (volumes: readonly TestVolume[]): number[] =>
  readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        return words[0] === 'sh' && volumes.some(({ staging }) => words.includes(staging))
      } catch {
        return false
      }
    })
    .map(Number)

test('a driver that is killed while volumes are frozen leaves none frozen, and what it had cut goes with the next start', async () => {
  const { volumes, holder, writersGoOn } = await hang()
  holder.child.kill('SIGKILL')
  await writersGoOn()
  await waitUntil('the end of the keepers', () => keepersOf(volumes).length === 0)
  assert.equal(readdirSync(join(driver.pool, 'drafts')).length, 1)
  await driver.restart()
  await waitUntil('no draft', () => readdirSync(join(driver.pool, 'drafts')).length === 0)
  assert.deepEqual(await cutter.list(), [])
})

test('a driver that is killed with all that it had started leaves volumes frozen until the next start at most', async () => {
  const { volumes, holder, writersGoOn } = await hang()
  const keepers = keepersOf(volumes)
  assert.ok(keepers.length >= volumes.length)
  for (const pid of keepers) process.kill(pid, 'SIGKILL')
  holder.child.kill('SIGKILL')
  await driver.restart()
  await writersGoOn()
  await waitUntil('no draft', () => readdirSync(join(driver.pool, 'drafts')).length === 0)
})

test('a driver that is killed anywhere in the cut or the deletion of a group: a repeat comes to the end, and writers go on', async () => {
  const { survive, settle } = killerOf(bench, 'xfs')
  const volumes = await mounted('ext4', 'xfs')
  let writer = write(volumes)
  for (let round = 0; round < rounds(2, 40); round += 1) {
    writer = await renew(writer, volumes)
    const before = writer.lines()
    await waitUntil('writes', () => writer.lines() > before + 2)
    let group: GroupMessage | undefined
    await survive(async () => {
      group = await grouper.ask(`killed-${round}`, volumes)
    })
    const counts = await restore(volumes, group?.snapshots ?? [])
    assert.equal(outOfOrder(counts), undefined, `round ${round}`)
    assert.ok(Number(counts[0]) >= before, 'what was durable before it is in it')
    await survive(async () => {
      if (group) await grouper.remove(group)
    })
    assert.deepEqual(await cutter.list(), [])
  }
  await stop(writer.child)
  for (const volume of volumes) await volume.teardown()
  await settle()
})

test('a driver that hangs while volumes are frozen does not keep them so, and does not believe that it did', async () => {
  const { holder, writersGoOn } = await hang()
  await writersGoOn()
  holder.child.stdin.write('.')
  await waitUntil('its answer', () => holder.lines() > 1)
  assert.match(holder.printed(), /^held\nUnavailable: /)
  assert.deepEqual([readdirSync(join(driver.pool, 'drafts')), await cutter.list()], [[], []])
})
