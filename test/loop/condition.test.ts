// The condition of volumes, as NodeGetVolumeStats, ListVolumes and ControllerGetVolume tell it: in order, or what is wrong.
import assert from 'node:assert/strict'
import {
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { waitUntil } from '../patience.ts'
import { outcome, refused, useDriver } from './harness.ts'
import { backingOf, hasSysResource, run } from './machine.ts'
import { capabilityOf, MIB, type TestVolume } from './volume.ts'

const bench = useDriver()
const { driver } = bench

interface Condition {
  abnormal: boolean
  message: string
}
interface Listed {
  volume: { volume_id: string }
  status: { volume_condition: Condition }
}

const kname = ({ device }: TestVolume) => device.slice('/dev/'.length)

const nodeCondition = async (volume: TestVolume, path = volume.staging): Promise<Condition> =>
  (await volume.stats<{ volume_condition: Condition }>(path)).volume_condition

/** The two controller calls tell the same. */
const poolCondition = async ({ id }: TestVolume): Promise<Condition> => {
  const { entries } = await driver.call<{ entries: Listed[] }>('Controller', 'ListVolumes')
  const listed = entries.find(({ volume }) => volume.volume_id === id)?.status.volume_condition
  const got = await driver.call<Listed>('Controller', 'ControllerGetVolume', { volume_id: id })
  assert.deepEqual(got.status.volume_condition, listed)
  assert.ok(listed)
  return listed
}

const IN_ORDER: Condition = { abnormal: false, message: 'the volume is in order' }
const inOrder = async (volume: TestVolume, path?: string) =>
  assert.deepEqual([await nodeCondition(volume, path), await poolCondition(volume)], [IN_ORDER, IN_ORDER])
const isAbnormal = ({ abnormal, message }: Condition, words: RegExp) => {
  assert.match(message, words)
  assert.equal(abnormal, true)
}

for (const as of ['ext4', 'xfs', 'block'] as const) {
  test(`a healthy ${as} volume is in order, by every path and in use`, async () => {
    const volume = await bench.volume({ as }).create()
    assert.deepEqual(await poolCondition(volume), IN_ORDER)
    await volume.publish()
    await volume.stage()
    const [writable, readonly] = [bench.path('rw'), bench.path('ro')]
    await volume.publishAt(writable)
    await volume.publishAt(readonly, { readonly: true })
    if (as !== 'block') writeFileSync(join(writable, 'file'), 'data', { flush: true })
    for (const path of [writable, readonly]) await inOrder(volume, path)
    await volume.expand(2 * volume.size)
    await inOrder(volume, writable)
  })
}

test('a volume that was staged read-only is in order', async () => {
  for (const as of ['ext4', 'xfs'] as const) {
    const volume = await bench.volume({ as }).up()
    await volume.unstage()
    await volume.unpublish()
    const reader = { volume_capability: capabilityOf(as, 'SINGLE_NODE_READER_ONLY') }
    await volume.publish(reader)
    await volume.stage(reader)
    await inOrder(volume)
  }
})

test('a filesystem that was made read-only is told, and in order again when it takes writes', async () => {
  for (const as of ['ext4', 'xfs'] as const) {
    const volume = await bench.volume({ as }).up()
    const target = await volume.publishAt(bench.path('t'))
    run('mount', '-o', 'remount,ro', volume.staging)
    for (const path of [volume.staging, target]) isAbnormal(await nodeCondition(volume, path), /made read-only/)
    run('mount', '-o', 'remount,rw', volume.staging)
    await inOrder(volume)
  }
})

const failFilesystem = (volume: TestVolume) => writeFileSync(`/sys/fs/ext4/${kname(volume)}/trigger_fs_error`, 'a test')

test('an ext4 that met an error is told with its counter, whether it went on or not, until it was checked', async () => {
  for (const [mountFlags, words] of [
    [[], /stopped taking writes|made read-only/],
    [['errors=continue'], /^its filesystem has met 1 errors/],
  ] as const) {
    const volume = await bench.volume({ mountFlags: [...mountFlags] }).up()
    writeFileSync(join(volume.staging, 'file'), 'data', { flush: true })
    failFilesystem(volume)
    const condition = await nodeCondition(volume)
    isAbnormal(condition, words)
    isAbnormal(condition, /met 1 errors/)
    await volume.unstage()
    await volume.stage() // e2fsck ran
    await inOrder(volume)
    assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'data')
  }
})

for (const as of ['ext4', 'xfs'] as const) {
  test(`an ${as} that was shut down is told`, async () => {
    const volume = await bench.volume({ as }).up()
    run('xfs_io', '-x', '-c', 'shutdown', volume.staging)
    for (let n = 0; n < 2; n += 1) isAbnormal(await nodeCondition(volume), /./)
    await volume.unstage()
    await volume.stage()
    await inOrder(volume)
  })
}

test('a file that was truncated is told by node and controller', async () => {
  for (const as of ['ext4', 'block'] as const) {
    const volume = await bench.volume({ as }).up()
    run('sync', '--file-system', volume.staging)
    truncateSync(volume.data, volume.size - MIB)
    const words = new RegExp(`truncated to ${volume.size - MIB} bytes, it should have ${volume.size}`)
    const path = as === 'block' ? await volume.publishAt(bench.path('t')) : volume.staging
    isAbnormal(await nodeCondition(volume, path), words)
    isAbnormal(await poolCondition(volume), words)
    truncateSync(volume.data, volume.size)
    await inOrder(volume, path)
  }
  const idle = await bench.volume().create()
  truncateSync(idle.data, MIB)
  isAbnormal(await poolCondition(idle), /truncated/)
})

test('a file that is gone is told by node and controller, and the volume is still listed', async () => {
  const volume = await bench.volume().up()
  const hidden = bench.path('hidden')
  renameSync(volume.data, hidden)
  isAbnormal(await poolCondition(volume), /is gone/)
  renameSync(hidden, volume.data)
  await inOrder(volume)

  const keep = bench.path('keep')
  run('cp', '--sparse=always', volume.data, keep)
  bench.defer(() => rmSync(keep, { force: true }))
  unlinkSync(volume.data)
  isAbnormal(await nodeCondition(volume), /was deleted: \/dev\/loop\d+ is the last way to the data/)
  isAbnormal(await poolCondition(volume), /is gone/)
  run('umount', volume.staging)
  run('losetup', '--detach', volume.device)
  renameSync(keep, volume.data)
  assert.deepEqual(await poolCondition(volume), IN_ORDER)
})

test('two devices on one file are told by the controller', async () => {
  const volume = await bench.volume().create()
  await volume.publish()
  const twin = run('losetup', '--find', '--show', volume.data).trim()
  bench.defer(() => backingOf(twin) === volume.data && run('losetup', '--detach', twin))
  isAbnormal(await poolCondition(volume), new RegExp(`several devices show it: .*${twin}`))
})

test('growth that failed is told until it succeeds, and fails no stage', async () => {
  const volume = await bench.volume().up()
  const target = await volume.publishAt(bench.path('t'))
  await volume.expand(2 * volume.size)
  const canGrow = hasSysResource()
  if (canGrow) {
    await volume.expandOnNode(target)
    return await inOrder(volume)
  }
  await refused(volume.expandOnNode(target), 'FAILED_PRECONDITION', /CAP_SYS_RESOURCE/)
  isAbnormal(await nodeCondition(volume, target), /smaller than its device: .*CAP_SYS_RESOURCE/)
  assert.deepEqual(await poolCondition(volume), IN_ORDER)
  await volume.unpublishAt(target)
  await volume.unstage()
  await volume.stage() // a mount is worth more than its growth
  isAbnormal(await nodeCondition(volume), /smaller than its device/)
  await driver.kill()
  await driver.start()
  isAbnormal(await nodeCondition(volume), /smaller than its device/)
  await volume.unstage()
  await volume.publish()
  run('e2fsck', '-fp', volume.device)
  run('resize2fs', volume.device)
  await volume.stage()
  await inOrder(volume)
  const { blocks, bsize } = statfsSync(volume.staging)
  assert.ok(blocks * bsize > 1.5 * volume.size)
})

test('a frozen filesystem is an error within seconds, again and again, and others answer meanwhile', async () => {
  for (const as of ['ext4', 'xfs'] as const) {
    const [volume, other] = [await bench.volume({ as }).up(), await bench.volume().up()]
    run('fsfreeze', '--freeze', volume.staging)
    let isFrozen = true
    const thaw = () => {
      if (isFrozen) run('fsfreeze', '--unfreeze', volume.staging)
      isFrozen = false
    }
    bench.defer(thaw)
    const asking = Array.from({ length: 3 }, async () => {
      await refused(volume.stats(volume.staging, 30_000), 'UNAVAILABLE', /frozen/)
    })
    await inOrder(other)
    await Promise.all(asking)
    await refused(volume.stats(volume.staging, 30_000), 'UNAVAILABLE', /frozen|hangs/)
    assert.deepEqual(await poolCondition(volume), IN_ORDER)
    thaw()
    await waitUntil('what hung has ended', async () => (await outcome(nodeCondition(volume))) === 'OK')
    await inOrder(volume)
  }
})

test('a block volume whose filesystem belongs to its user is never asked for writes', async () => {
  const volume = await bench.volume({ as: 'block' }).up()
  const target = await volume.publishAt(bench.path('t'))
  const mark = driver.log.length
  await inOrder(volume, target)
  assert.deepEqual(
    driver.commands(mark).filter(each => /rmdir|stat --file-system/.test(each)),
    [],
  )
})

/** The pool of the driver on a filesystem of its own, with this many bytes. */
const useSmallPool = async (volumes: readonly TestVolume[], bytes: number) => {
  const image = bench.path('image')
  writeFileSync(image, '')
  truncateSync(image, bytes)
  run('mkfs.ext4', '-q', '-F', '-m', '0', image)
  await driver.end('SIGTERM')
  run('mount', '-o', 'loop', image, driver.pool)
  await driver.start()
  bench.defer(async () => {
    rmSync(join(driver.pool, 'filler'), { force: true })
    for (const volume of volumes) await volume.teardown()
    await driver.end('SIGTERM')
    run('umount', driver.pool)
    unlinkSync(image)
    await driver.start()
  })
  const fill = (leave: number) => {
    const { bavail, bsize } = statfsSync(driver.pool)
    run('fallocate', '--length', String(bavail * bsize - leave), join(driver.pool, 'filler'))
  }
  return { fill, empty: () => unlinkSync(join(driver.pool, 'filler')) }
}

test('a full pool is told by node and controller; what is lost by it is told at the unstage; room heals it', async () => {
  const volume = bench.volume()
  const pool = await useSmallPool([volume], 200 * MIB)
  await volume.up()
  await inOrder(volume)
  pool.fill(512 * 1024)
  isAbnormal(await nodeCondition(volume), /the filesystem of its pool is full/)
  isAbnormal(await poolCondition(volume), /the filesystem of its pool is full/)

  writeFileSync(join(volume.staging, 'file'), Buffer.alloc(16 * MIB, 'x')) // still in memory only
  const mark = driver.log.length
  await volume.unstage()
  assert.match(driver.log.slice(mark), /writes were lost/)
  pool.empty()
  await volume.stage()
  await inOrder(volume)
})

for (const as of ['ext4', 'xfs'] as const) {
  test(`a pool that is too full for mkfs.${as}: the stage fails, and formats as soon as there is room`, async () => {
    const volume = bench.volume({ as })
    const pool = await useSmallPool([volume], 200 * MIB)
    await volume.create()
    pool.fill(128 * 1024)
    await volume.publish()
    await assert.rejects(volume.stage())
    assert.ok(statSync(volume.data).blocks * 512 < MIB)
    await assert.rejects(volume.stage())
    pool.empty()
    await volume.unpublish()
    await volume.publish()
    await volume.stage()
    await inOrder(volume)
  })
}
