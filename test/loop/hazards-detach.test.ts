// Unstaging what is frozen, dead, covered, shared with another namespace or held open: all writes kept, or told why not.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { refused, useDriver } from './harness.ts'
import { backingOf, loopsBelow, mountsAt, poke, run } from './machine.ts'
import type { TestVolume } from './volume.ts'

const bench = useDriver()
const { driver } = bench

const content = (volume: TestVolume) => readFileSync(join(volume.staging, 'file'), 'utf8')

/** Nothing of it is left on the node. */
const assertDetached = (volume: TestVolume) => {
  assert.deepEqual(mountsAt(volume.staging), [])
  assert.deepEqual(loopsBelow(volume.data), [])
}

/**
 * A process in a mount namespace of its own, into which all mounts of this moment were copied. It gives back those of
 * tests that run at the same time; the one that it stands in is busy, and stays.
 */
const copyMount = async ({ staging }: TestVolume): Promise<() => Promise<void>> => {
  const script = 'umount --all --types ext4,xfs 2>/dev/null; echo ready; exec sleep 3600'
  const child = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script], {
    cwd: staging,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(child.stdout, 'data')
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  bench.defer(end)
  return end
}

for (const as of ['ext4', 'xfs'] as const) {
  test(`a frozen ${as} is thawed by its unstage and really detached`, async () => {
    const volume = await bench.volume({ as }).up()
    writeFileSync(join(volume.staging, 'file'), 'written before the freeze')
    run('fsfreeze', '--freeze', volume.staging)
    await volume.unstage()
    assertDetached(volume)
    await volume.stage()
    assert.equal(content(volume), 'written before the freeze')
    writeFileSync(join(volume.staging, 'file'), 'and it takes writes')
  })

  test(`${as} that lives on in another mount namespace keeps its device until it ends there`, async () => {
    const volume = await bench.volume({ as }).up()
    writeFileSync(join(volume.staging, 'file'), 'data')
    const end = await copyMount(volume)
    await refused(volume.unstage(), 'UNAVAILABLE', /alive, perhaps mounted in another namespace/)
    assert.equal(backingOf(volume.device), volume.data)
    await refused(volume.unpublish(), 'UNAVAILABLE', /alive/)
    await refused(volume.delete(), 'FAILED_PRECONDITION')
    await end()
    await volume.unstage()
    assertDetached(volume)
    await volume.stage()
    assert.equal(content(volume), 'data')
  })

  test(`${as} that was shut down after an error is unpublished and unstaged, and comes back with what was synced`, async () => {
    const volume = await bench.volume({ as }).up()
    const target = await volume.publishAt(bench.path('t'))
    writeFileSync(join(target, 'file'), 'synced', { flush: true })
    run('xfs_io', '-x', '-c', 'shutdown', target)
    assert.throws(() => writeFileSync(join(target, 'other'), 'lost', { flush: true }))
    await volume.unpublishAt(target)
    await volume.unstage()
    assertDetached(volume)
    await volume.stage()
    assert.equal(content(volume), 'synced')
  })
}

test('a device that somebody has open is not called detached, and not given out again', async () => {
  const volume = await bench.volume({ as: 'block' }).up()
  const file = openSync(volume.device, 'r')
  bench.defer(() => {
    if (held) closeSync(file)
  })
  let held = true
  await refused(volume.unstage(), 'UNAVAILABLE', /something still has it open/)
  assert.equal(backingOf(volume.device), volume.data)
  // The kernel detaches it as soon as it is closed, whoever has been given it meanwhile.
  await refused(volume.stage(), 'UNAVAILABLE')
  await refused(volume.unpublish(), 'UNAVAILABLE')
  closeSync(file)
  held = false
  await volume.unstage()
  assertDetached(volume)
  await volume.stage()
  poke(await volume.publishAt(bench.path('t')), [0, 'data'])
})

test('mounts stacked on the staging path all go, a foreign one stays', async () => {
  const volume = await bench.volume().up()
  writeFileSync(join(volume.staging, 'file'), 'data')
  for (let n = 0; n < 2; n += 1) run('mount', '--bind', volume.staging, volume.staging)
  await volume.unstage()
  assertDetached(volume)

  await volume.stage()
  run('mount', '-t', 'tmpfs', 'tmpfs', volume.staging)
  writeFileSync(join(volume.staging, 'foreign'), 'theirs')
  await refused(volume.unstage(), 'FAILED_PRECONDITION', /tmpfs/)
  await refused(volume.stage(), ['FAILED_PRECONDITION', 'ALREADY_EXISTS'])
  assert.equal(readFileSync(join(volume.staging, 'foreign'), 'utf8'), 'theirs')
  assert.equal(mountsAt(volume.staging).length, 2)
  run('umount', volume.staging)
  assert.equal(content(volume), 'data')
})

test('a volume is unstaged from where it is, and from nowhere else', async () => {
  const volume = await bench.volume().up()
  const elsewhere = bench.path('elsewhere')
  mkdirSync(elsewhere)
  bench.defer(() => rmdirSync(elsewhere))
  await refused(volume.stage({ staging_target_path: elsewhere }), 'ALREADY_EXISTS', /is staged at/)
  await refused(volume.unstage({ staging_target_path: elsewhere }), 'FAILED_PRECONDITION', /published at/)
  assert.equal(mountsAt(volume.staging).length, 1)
  assert.equal(backingOf(volume.device), volume.data)

  // Without its journal entry, as after the loss of the state directory, the kernel still tells.
  run('find', driver.state, '-name', '*.json', '-delete')
  await refused(volume.stage({ staging_target_path: elsewhere }), 'ALREADY_EXISTS', /mounted at/)
  await refused(volume.unstage({ staging_target_path: elsewhere }), 'FAILED_PRECONDITION', /published at/)
  await volume.unstage()
  assertDetached(volume)
})
