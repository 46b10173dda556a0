// One frozen filesystem and one truncated backing file change nothing for the other volumes of the node.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { again, outcome, refused, useDriver } from '../../loop/harness.ts'
import { findProcesses, mountsAt, run } from '../../loop/machine.ts'
import { MIB, type TestVolume } from '../../loop/volume.ts'
import { persist } from './retry.ts'

const bench = useDriver()
/** What kubelet's own patience allows for, on a machine that is not much slower than a node. */
const ANSWER_MS = 2_000
/** How much longer than while all is well an answer may take. */
const SLACK = 8
/** An error within seconds; every call below must be answered, whatever the answer is. */
const ERROR_MS = 15_000
const CALLS = 100

interface Published {
  volume: TestVolume
  target: string
}

interface Stats {
  usage: { total: string; unit: string }[]
  volume_condition: { abnormal: boolean; message: string } | null
}

const published = async (as: 'ext4' | 'xfs' | 'block'): Promise<Published> => {
  const volume = await bench.volume({ as }).up()
  const target = await volume.publishAt(bench.path(`t-${as}`))
  return { volume, target }
}

/** How long this machine may take for an answer of a volume that nothing is wrong with: by what all of these take now. */
const answerTime = async (all: readonly Published[]): Promise<number> => {
  let slowest = 0
  for (let round = 0; round < 4; round += 1) {
    await Promise.all(
      all.map(async ({ volume, target }) => {
        const began = performance.now()
        await volume.stats(target)
        slowest = Math.max(slowest, performance.now() - began)
      }),
    )
  }
  return Math.max(ANSWER_MS, Math.ceil(SLACK * slowest))
}

/** Freezes the filesystem; it is thawed after the test, and by a watchdog should the test process die before. */
const freeze = (path: string): { thaw: () => void } => {
  run('fsfreeze', '--freeze', path)
  const watchdog = spawn('sh', ['-c', 'sleep 180; fsfreeze --unfreeze "$0"', path], { detached: true, stdio: 'ignore' })
  watchdog.unref()
  const thaw = () => {
    spawnSync('fsfreeze', ['--unfreeze', path]) // fails when it is thawed already
    if (watchdog.pid !== undefined && watchdog.signalCode === null) process.kill(-watchdog.pid, 'SIGKILL')
  }
  bench.defer(thaw)
  return { thaw }
}

/** Asks again and again until it is told to stop; answers every outcome. */
const keepAsking = (ask: () => Promise<unknown>): { stop: () => Promise<string[]> } => {
  const state = { stopping: false }
  const asking = (async () => {
    const outcomes: string[] = []
    while (!state.stopping) {
      outcomes.push(await outcome(ask()))
      await sleep(50)
    }
    return outcomes
  })()
  return {
    stop: async () => {
      state.stopping = true
      return await asking
    },
  }
}

for (const as of ['ext4', 'xfs'] as const) {
  test(`with a frozen ${as} and a truncated file, ${CALLS} stats calls on the others answer as ever`, async t => {
    const frozen = await published(as)
    const truncated = await published(as === 'ext4' ? 'xfs' : 'ext4')
    const others = [await published('ext4'), await published('xfs'), await published('block')]
    writeFileSync(join(frozen.target, 'file'), 'data', { flush: true })

    const limit = await answerTime([frozen, truncated, ...others])
    truncateSync(truncated.volume.data, truncated.volume.size / 2)
    const { thaw } = freeze(frozen.volume.staging)
    try {
      await refused(frozen.volume.stats(frozen.target, ERROR_MS), 'UNAVAILABLE')
      const noise = [frozen, truncated].map(({ volume, target }) =>
        keepAsking(async () => await volume.stats(target, ERROR_MS)),
      )
      let slowest = 0
      await Promise.all(
        others.map(async ({ volume, target }, lane) => {
          for (let n = lane; n < CALLS; n += others.length) {
            const began = performance.now()
            const { volume_condition, usage } = await volume.stats<Stats>(target, limit)
            slowest = Math.max(slowest, performance.now() - began)
            assert.deepEqual([volume_condition?.abnormal, usage.length > 0], [false, true])
          }
        }),
      )
      t.diagnostic(`the slowest of ${CALLS} answers took ${Math.round(slowest)} of ${limit} ms`)
      const [whileFrozen = [], whileTruncated = []] = await Promise.all(noise.map(async each => await each.stop()))
      assert.deepEqual([...new Set(whileFrozen)], ['UNAVAILABLE'])
      assert.ok(whileTruncated.length > 0)
      // A child that sleeps in the kernel cannot be ended: they must not pile up, one for each question.
      const asleep = findProcesses(/^rmdir$/, '--').filter(pid => isAskingAt(pid, frozen.volume.staging))
      assert.ok(asleep.length <= 2, `${asleep.length} processes hang on the frozen filesystem`)
    } finally {
      thaw()
    }

    // What hung has to end first.
    const { volume_condition: thawed } = await again(() => frozen.volume.stats<Stats>(frozen.target))
    assert.equal(thawed?.abnormal, false)
    writeFileSync(join(frozen.target, 'file'), 'more data', { flush: true })
    await frozen.volume.unpublishAt(frozen.target)
    await frozen.volume.unstage()
    await frozen.volume.stage()
    assert.equal(readFileSync(join(frozen.volume.staging, 'file'), 'utf8'), 'more data')
  })
}

test('a truncated backing file is an abnormal condition or an error', async t => {
  for (const as of ['ext4', 'xfs', 'block'] as const) {
    const { volume, target } = await published(as)
    truncateSync(volume.data, volume.size / 2)
    const answer = await volume.stats<Stats>(target, ERROR_MS).catch((error: unknown) => error as { code: number })
    t.diagnostic(`truncated ${as}: ${JSON.stringify(answer)}`)
    assert.ok('code' in answer || answer.volume_condition?.abnormal === true, JSON.stringify(answer))
    truncateSync(volume.data, volume.size)
  }
})

test('every other call for a frozen volume is answered, and none of them stops another volume', async t => {
  const frozen = await published('xfs')
  const other = await published('ext4')
  const limit = await answerTime([frozen, other])
  const { thaw } = freeze(frozen.volume.staging)
  const answers: Record<string, string> = {}
  try {
    const asked = async (name: string, call: Promise<unknown>) => {
      answers[name] = await outcome(call)
    }
    const { id, staging } = frozen.volume
    const volume_path = frozen.target
    await asked('stage again', frozen.volume.stage({}, ERROR_MS))
    await asked('expand', bench.driver.call('Node', 'NodeExpandVolume', { volume_id: id, volume_path }, ERROR_MS))
    await asked(
      'unstage while published',
      bench.driver.call('Node', 'NodeUnstageVolume', { volume_id: id, staging_target_path: staging }, ERROR_MS),
    )
    await asked(
      'unpublish',
      bench.driver.call('Node', 'NodeUnpublishVolume', { volume_id: id, target_path: volume_path }, ERROR_MS),
    )
    await other.volume.stats(other.target, limit)
    await other.volume.unpublishAt(other.target)
    await other.volume.unstage()
  } finally {
    thaw()
  }
  t.diagnostic(`while frozen: ${JSON.stringify(answers)}`)
  assert.deepEqual(
    Object.entries(answers).filter(([, answer]) => answer === 'DEADLINE_EXCEEDED'),
    [],
    JSON.stringify(answers),
  )
})

test('a growth that waits for a thaw holds its own volume only, and is done afterwards', async t => {
  const frozen = await published('xfs')
  const other = await published('xfs')
  const wanted = frozen.volume.size + 64 * MIB
  await frozen.volume.expand(wanted)
  const limit = await answerTime([frozen, other])
  const { thaw } = freeze(frozen.volume.staging)
  const node = frozen.volume
  const grow = async (ms: number) =>
    await bench.driver.call('Node', 'NodeExpandVolume', { volume_id: node.id, volume_path: frozen.target }, ms)
  try {
    t.diagnostic(`growth while frozen: ${await outcome(grow(5_000))}, and again: ${await outcome(grow(5_000))}`)
    await refused(node.stats(frozen.target, ERROR_MS), 'UNAVAILABLE')
    await other.volume.stats(other.target, limit)
    await other.volume.unpublishAt(other.target)
    await other.volume.unstage()
  } finally {
    thaw()
  }
  // The growth that its caller gave up may still be running.
  await persist('expand', new Map(), () => grow(60_000))
  const { volume_condition: thawed } = await again(() => node.stats<Stats>(frozen.target))
  assert.equal(thawed?.abnormal, false)
  assert.ok(Number(/blocks=(\d+), imaxpct/.exec(run('xfs_info', frozen.target))?.[1]) * 4096 === wanted)
})

test('a frozen volume is unstaged, and its device goes with it', async () => {
  const { volume, target } = await published('ext4')
  writeFileSync(join(target, 'file'), 'data', { flush: true })
  const { thaw } = freeze(volume.staging)
  try {
    await volume.unpublishAt(target)
    await volume.unstage()
  } catch (error) {
    thaw()
    throw error
  }
  assert.deepEqual(mountsAt(volume.staging), [])
  await volume.stage()
  assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'data')
})

/** Is this process one that asks whether the filesystem at the path takes writes? */
const isAskingAt = (pid: number, path: string): boolean => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0${path}/`)
  } catch {
    return false // it has ended
  }
}
