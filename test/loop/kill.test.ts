// Check 4, and what it means for mkfs: the driver is killed at any instant, and the repeated calls come to the end.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { markerPage } from '../../src/linux/format-marker.ts'
import { again, outcome, refused, useDriver } from './harness.ts'
import { loopsBelow, mountsAt, poke, run, sha256 } from './machine.ts'
import { hasWritten, holdsDevice, stopMkfs } from './mkfs.ts'
import type { TestVolume } from './volume.ts'

const bench = useDriver()
const { driver } = bench

/** The whole way up; every call may be a repeat. */
const up = async (volume: TestVolume, target: string): Promise<void> => {
  await volume.create()
  await volume.publish()
  await volume.stage()
  await volume.publishAt(target)
}

/** A mkfs that outlives its driver keeps the device busy for a moment: the orchestrator calls again, and so do we. */
const persist = async (call: () => Promise<unknown>): Promise<string[]> => {
  const codes: string[] = []
  for (;;) {
    const code = await outcome(call())
    if (code === 'OK') return codes
    codes.push(code)
    assert.ok(codes.length < 100, codes.join())
    await sleep(100)
  }
}

/** What another node knows of the volume: nothing. */
const clearState = (): void => {
  for (const name of readdirSync(driver.state).filter(each => each.endsWith('.json')))
    unlinkSync(join(driver.state, name))
}

const listIds = async (): Promise<string[]> => {
  const { entries } = await driver.call<{ entries: { volume: { volume_id: string } }[] }>('Controller', 'ListVolumes')
  return entries.map(({ volume }) => volume.volume_id)
}

/** What a killed CreateVolume left is swept when the driver starts and it is old. */
const sweepDrafts = async (): Promise<void> => {
  const drafts = join(driver.pool, 'drafts')
  const old = new Date(Date.now() - 3_600_000)
  for (const name of readdirSync(drafts)) utimesSync(join(drafts, name), old, old)
  await driver.restart()
  assert.deepEqual(readdirSync(drafts), [])
}

for (const as of ['ext4', 'xfs'] as const) {
  test(`check 4: killed at five instants on the way to a published ${as} volume`, async () => {
    const rehearsal = bench.volume({ as })
    const start = performance.now()
    await up(rehearsal, bench.path('t'))
    const duration = performance.now() - start
    for (let n = 0; n < 5; n += 1) {
      const volume = bench.volume({ as })
      const target = bench.path('t')
      const first = outcome(up(volume, target))
      await sleep(((n + 0.5 + Math.random() / 2) / 5) * duration)
      await driver.kill()
      await first
      await driver.start()
      await persist(async () => await up(volume, target))
      assert.equal((await listIds()).filter(id => id === volume.id).length, 1)
      assert.equal(loopsBelow(volume.data).length, 1)
      assert.deepEqual([mountsAt(volume.staging).length, mountsAt(target).length], [1, 1])
      writeFileSync(join(target, 'file'), 'data')
      await volume.unpublishAt(target)
      await volume.unstage()
      await volume.stage()
      assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'data')
      await volume.teardown()
    }
    await sweepDrafts()
  })

  for (const [when, point] of Object.entries({
    'has opened the device': holdsDevice,
    'has begun to write': hasWritten,
  })) {
    test(`check 4: driver and mkfs.${as} killed when mkfs ${when}`, async () => {
      const { volume, mkfs } = await stopMkfs(bench, as, point)
      await driver.kill()
      await mkfs.kill()
      await driver.start()
      await again(() => volume.stage())
      assert.deepEqual(
        mountsAt(volume.staging).map(({ fsType }) => fsType),
        [as],
      )
      writeFileSync(join(volume.staging, 'file'), 'data')
    })
  }

  test(`check 4: driver killed while mkfs.${as} runs on`, async () => {
    // ext4: before mkfs has opened the device, when only its lock shows that it is there.
    const { volume, mkfs } = await stopMkfs(bench, as, as === 'ext4' ? () => true : holdsDevice)
    await driver.kill()
    await driver.start()
    // The new driver may be trying to settle what the killed one began.
    await refused(volume.stage(), ['UNAVAILABLE', 'ABORTED'], /another tool holds its lock|another process/)
    assert.deepEqual(mountsAt(volume.staging), [])
    mkfs.resume()
    await mkfs.gone()
    await again(() => volume.stage())
    writeFileSync(join(volume.staging, 'file'), 'data')
    await volume.unstage()
    await volume.stage()
    assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'data')
  })
}

test('check 4: an unfinished xfs that bears the mark of its format is formatted again, on any node', async () => {
  const { volume, mkfs } = await stopMkfs(bench, 'xfs')
  await driver.kill()
  await mkfs.kill()
  run('mkfs.xfs', '-q', '-f', '-K', volume.data)
  poke(volume.data, [126, '\x01']) // sb_inprogress, as mkfs.xfs leaves it when killed between its first and last write
  clearState()
  await driver.start()
  await again(() => volume.stage())
  assert.equal(mountsAt(volume.staging).length, 1)
})

test('check 4: an unfinished xfs without the mark is refused', async () => {
  const volume = await bench.volume({ as: 'xfs' }).up()
  await volume.unstage()
  poke(volume.data, [126, '\x01'])
  const before = sha256(volume.data)
  await refused(volume.stage(), 'FAILED_PRECONDITION', /did not finish, and does not bear the mark/)
  assert.equal(sha256(volume.data), before)
})

test('check 4: a mounted volume bears no mark, and needs no note to be staged again', async () => {
  const volume = await bench.volume().up()
  writeFileSync(join(volume.staging, 'file'), 'data')
  assert.ok(!readFileSync(volume.data, 'latin1').includes(markerPage(volume.id)))
  await driver.kill()
  clearState()
  await driver.start()
  await volume.stage()
  await volume.unstage()
  await volume.stage()
  assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'data')
})
