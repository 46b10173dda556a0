// `ashlar doctor` and records without the thing: named, and mended where that loses nothing.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { useDoctor } from './doctor-bench.ts'
import { mountsAt, run, sha256 } from './machine.ts'

const { bench, driver, lookNow, troubles, repairAll, noteOf, published } = useDoctor()

describe('ghosts', () => {
  test('journal entries after a reboot are forgotten by --repair, and the volume can be staged again', async () => {
    const ext4 = await bench.volume().up()
    writeFileSync(join(ext4.staging, 'file'), 'data')
    const block = await bench.volume({ as: 'block' }).up()
    run('umount', ext4.staging)
    for (const { device } of [ext4, block]) run('losetup', '--detach', device)
    assert.deepEqual(await troubles(), [`ghost entry ${ext4.id}`, `ghost entry ${block.id}`].sort())
    const { mended, failed, left } = await repairAll()
    assert.deepEqual(mended.sort(), [`forget ${ext4.id}`, `forget ${block.id}`].sort())
    assert.deepEqual({ failed, left }, { failed: [], left: [] })
    assert.deepEqual([ext4, block].map(noteOf).filter(existsSync), [])
    await ext4.stage()
    assert.equal(readFileSync(join(ext4.staging, 'file'), 'utf8'), 'data')
    await block.stage()
    assert.deepEqual(await troubles(), [])
  })

  test('one repair reveals the next: an unclaimed device behind a ghost entry is detached too', async () => {
    const volume = await bench.volume().up()
    run('umount', volume.staging)
    const [claim = ''] = readdirSync(join(driver.pool, 'volumes', volume.id, 'claims'))
    unlinkSync(join(driver.pool, 'volumes', volume.id, 'claims', claim))
    const { mended, left } = await repairAll()
    assert.deepEqual(mended, [`forget ${volume.id}`, `detach ${volume.device}`])
    assert.deepEqual(left, [])
  })

  test('a filesystem that is alive though no mount of it is visible, as in another namespace, is not forgotten', async () => {
    const volume = await bench.volume().up()
    // Not a real namespace: that would keep the mounts of every other test on this machine alive as well.
    const keeper = spawn('sleep', ['600'], { cwd: volume.staging })
    const ended = once(keeper, 'exit')
    await once(keeper, 'spawn')
    run('umount', '--lazy', volume.staging)
    const result = await repairAll()
    keeper.kill()
    await ended
    assert.deepEqual(result, { mended: [], failed: [], left: [`mismatch entry ${volume.id}`] })
    assert.ok(existsSync(noteOf(volume)))
  })

  test('a target that is not mounted is taken out of the entry, and can still be unpublished', async () => {
    const { volume, target } = await published()
    run('umount', target)
    assert.deepEqual(await repairAll(), { mended: [`forget-target ${target}`], failed: [], left: [] })
    await volume.unpublishAt(target)
    assert.ok(!existsSync(target))
  })

  test('a staging mount that is gone beneath a published target is not forgotten', async () => {
    const { volume, target } = await published()
    run('umount', volume.staging)
    assert.deepEqual(await repairAll(), { mended: [], failed: [], left: [`ghost entry ${volume.id}`] })
    assert.equal(mountsAt(target).length, 1)
  })

  test('a file that was deleted: the device is the last way to its bytes, and no repair takes it', async () => {
    const volume = await bench.volume().up()
    writeFileSync(join(volume.staging, 'file'), 'precious')
    await volume.unstage()
    await volume.publish()
    const before = sha256(volume.data)
    const { device } = volume
    unlinkSync(volume.data)
    const named = [`ghost device ${device}`, `ghost volume ${volume.id}`]
    assert.deepEqual(await repairAll(), { mended: [], failed: [], left: named })
    const report = await lookNow()
    assert.match(
      report.problems.find(({ kind }) => kind === 'volume')?.remedy ?? '',
      new RegExp(`${device} still shows`),
    )
    // The remedy, as it is told.
    run('dd', `if=${device}`, `of=${volume.data}`, 'bs=1M', 'conv=sparse', 'status=none')
    run('losetup', '--detach', device)
    assert.equal(sha256(volume.data), before)
    assert.deepEqual(await troubles(), [])
    await volume.stage()
    assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'precious')
  })
})
