// Checks 17, 19, 21 and 22: what is in use stays as it is, and what is given away again is empty.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { test } from 'node:test'
import { refused, useDriver } from './harness.ts'
import { backingOf, mountsAt, peek, poke, run } from './machine.ts'
import { MIB } from './volume.ts'

const bench = useDriver()
const { driver } = bench

/** A process whose current directory keeps the mount busy. */
const sitIn = async (directory: string): Promise<() => Promise<void>> => {
  const child = spawn('sleep', ['3600'], { cwd: directory, stdio: 'ignore' })
  await once(child, 'spawn')
  const leave = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  bench.defer(leave)
  return leave
}

test('check 17: a busy mount is not removed', async () => {
  const volume = await bench.volume().up()
  const target = await volume.publishAt(bench.path('t'))
  writeFileSync(join(target, 'file'), 'data')
  const leaveTarget = await sitIn(target)
  await refused(volume.unpublishAt(target), 'FAILED_PRECONDITION', /busy/)
  assert.equal(readFileSync(join(target, 'file'), 'utf8'), 'data')
  await refused(volume.unstage(), 'FAILED_PRECONDITION', /published at/)
  await leaveTarget()
  await volume.unpublishAt(target)
  assert.ok(!existsSync(target))

  const leaveStaging = await sitIn(volume.staging)
  await refused(volume.unstage(), 'FAILED_PRECONDITION', /busy/)
  await refused(volume.unpublish(), 'FAILED_PRECONDITION')
  assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'data')
  assert.equal(backingOf(volume.device), volume.data)
  await leaveStaging()
  await volume.unstage()
  assert.ok(existsSync(volume.staging))
})

test('check 17: mounts stacked on the target all go, a foreign one stays', async () => {
  const volume = await bench.volume().up()
  const target = await volume.publishAt(bench.path('t'))
  for (let n = 0; n < 3; n += 1) run('mount', '--bind', volume.staging, target)
  await volume.unpublishAt(target)
  assert.ok(!existsSync(target))

  await volume.publishAt(target)
  run('mount', '-t', 'tmpfs', 'tmpfs', target)
  bench.defer(() => run('umount', target))
  writeFileSync(join(target, 'foreign'), 'data')
  await refused(volume.unpublishAt(target), 'FAILED_PRECONDITION', /tmpfs/)
  await refused(volume.publishAt(target), 'FAILED_PRECONDITION', /tmpfs/)
  assert.equal(readFileSync(join(target, 'foreign'), 'utf8'), 'data')
  assert.equal(mountsAt(target).length, 2)
})

test('check 17: files below the target are never removed', async () => {
  const volume = await bench.volume().up()
  const target = bench.path('t')
  mkdirSync(target)
  writeFileSync(join(target, 'below'), 'data')
  await refused(volume.publishAt(target), 'FAILED_PRECONDITION', /not empty: there is .*below/)
  unlinkSync(join(target, 'below'))
  await volume.publishAt(target)
  // A bind of the folder above shows what the mount hides.
  const above = bench.path('above')
  mkdirSync(above)
  run('mount', '--bind', dirname(target), above)
  bench.defer(() => {
    run('umount', above)
    rmdirSync(above)
  })
  writeFileSync(join(above, basename(target), 'below'), 'data')
  await refused(volume.unpublishAt(target), 'FAILED_PRECONDITION', /not empty/i)
  assert.deepEqual(mountsAt(target), [])
  assert.equal(readFileSync(join(target, 'below'), 'utf8'), 'data')
  unlinkSync(join(target, 'below'))
  await volume.unpublishAt(target)
  assert.ok(!existsSync(target))
})

test('check 19: a second node is refused with the name of the first', async () => {
  const volume = await bench.volume().create()
  await volume.publish()
  await refused(volume.publish({ node_id: 'node-b' }), 'FAILED_PRECONDITION', /node-a/)
  assert.equal(readdirSync(join(driver.pool, 'volumes', volume.id, 'claims')).length, 1)
  await volume.unpublish()
  assert.equal(backingOf(volume.device), undefined, 'the first node cannot write any more')
  await refused(volume.publish({ node_id: 'node-b' }), 'NOT_FOUND') // a loop volume lives on its own node
  assert.deepEqual(readdirSync(join(driver.pool, 'volumes', volume.id, 'claims')), [])
})

for (const as of ['block', 'ext4', 'xfs'] as const) {
  test(`check 21: a new ${as} volume after a deleted one holds nothing of it`, async () => {
    const first = await bench.volume({ as }).up()
    const target = await first.publishAt(bench.path('t'))
    const secret = 'what the former tenant wrote'
    if (as === 'block') poke(target, [0, secret], [MIB, secret], [first.size - 512, secret])
    else writeFileSync(join(target, 'file'), secret.repeat(10_000))
    await first.teardown()

    const second = await bench.volume({ as, name: first.name }).create()
    assert.equal(second.id, first.id)
    await second.publish()
    const { device } = second
    for (let offset = 0; offset < second.size; offset += MIB) {
      assert.ok(!/[^\0]/.test(peek(device, offset, MIB).toString('latin1')), `zeros at ${offset}`)
    }
    await second.stage()
    if (as !== 'block')
      assert.deepEqual(
        readdirSync(second.staging).filter(name => name !== 'lost+found'),
        [],
      )
  })
}

test('check 22: DeleteVolume of a volume in use', async () => {
  const volume = await bench.volume().create()
  await volume.publish()
  await refused(volume.delete(), 'FAILED_PRECONDITION')
  await volume.stage()
  writeFileSync(join(volume.staging, 'file'), 'data')
  await refused(volume.delete(), 'FAILED_PRECONDITION')
  // The claim is lost, the mount is not: what the kernel shows decides.
  const claims = join(driver.pool, 'volumes', volume.id, 'claims')
  for (const name of readdirSync(claims)) unlinkSync(join(claims, name))
  await refused(volume.delete(), 'FAILED_PRECONDITION', /attached/)
  assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'data')
  await volume.publish()
  await volume.teardown()
  assert.ok(!existsSync(claims))
  assert.throws(() => rmdirSync(volume.staging), { code: 'ENOENT' })
})
