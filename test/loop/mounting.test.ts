// Checks 33, 34 and 36 to 38: read-only is read-only, growth reaches the filesystem, statistics tell the truth.
import assert from 'node:assert/strict'
import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { refused, useDriver } from './harness.ts'
import { hasSysResource, mountsAt, peek, poke, run, sha256 } from './machine.ts'
import { capabilityOf, MIB, type TestVolume } from './volume.ts'

const bench = useDriver()
const { driver } = bench

const deviceSize = (path: string): number => Number(run('blockdev', '--getsize64', path))

/** The kernel opens a read-only block device for writing, but lets no byte through; and nor must any other way in. */
const refusesWrites = (path: string): void => {
  const before = sha256(path)
  assert.throws(() => poke(path, [0, 'written']), /EACCES|EROFS|EPERM/)
  assert.throws(() => run('dd', 'if=/dev/zero', `of=${path}`, 'bs=4096', 'count=1', 'conv=notrunc', 'oflag=direct'))
  assert.throws(() => run('blkdiscard', '--force', path))
  run('blockdev', '--flushbufs', path)
  assert.equal(sha256(path), before)
}

/** Total bytes as df shows them. */
const usableSize = (path: string): number => {
  const { blocks, bsize } = statfsSync(path)
  return blocks * bsize
}

interface Stats {
  usage: { unit: string; total: string; used: string; available: string }[]
}
const stats = async (volume: TestVolume, path: string) =>
  (await driver.call<Stats>('Node', 'NodeGetVolumeStats', { volume_id: volume.id, volume_path: path })).usage

for (const as of ['ext4', 'xfs'] as const) {
  test(`check 33: a read-only target of ${as} refuses writes, another target takes them`, async () => {
    const volume = await bench.volume({ as }).up()
    const [writable, readonly] = [bench.path('rw'), bench.path('ro')]
    await volume.publishAt(writable)
    await volume.publishAt(readonly, { readonly: true })
    assert.throws(() => writeFileSync(join(readonly, 'file'), 'x'), { code: 'EROFS' })
    writeFileSync(join(writable, 'file'), 'data')
    assert.equal(readFileSync(join(readonly, 'file'), 'utf8'), 'data')
    await volume.publishAt(readonly, { readonly: true })
    await refused(volume.publishAt(readonly), 'ALREADY_EXISTS', /read-only/)
    await volume.unpublishAt(writable)
    assert.throws(() => writeFileSync(join(readonly, 'file'), 'x'), { code: 'EROFS' })
  })
}

test('check 33: a read-only target of a block volume takes no writes, another target does', async () => {
  const volume = await bench.volume({ as: 'block' }).up()
  const [writable, readonly] = [bench.path('rw'), bench.path('ro')]
  await volume.publishAt(readonly, { readonly: true })
  await volume.publishAt(writable)
  poke(writable, [0, 'mine'], [4096, 'data'])
  refusesWrites(readonly)
  run('blockdev', '--flushbufs', readonly)
  assert.equal(peek(readonly, 4096, 4).toString(), 'data')
  assert.equal(deviceSize(readonly), volume.size)
  await volume.unpublishAt(readonly)
  poke(writable, [4096, 'more'])
})

test('check 33: ControllerPublishVolume with readonly makes the whole device read-only', async () => {
  const volume = await bench.volume({ as: 'block' }).create()
  await volume.publish({ readonly: true })
  await volume.stage()
  const target = await volume.publishAt(bench.path('t'))
  refusesWrites(volume.device)
  refusesWrites(target)
})

test('check 34: an unformatted volume in a read-only mode is refused and not formatted', async () => {
  const reader = capabilityOf('ext4', 'SINGLE_NODE_READER_ONLY')
  for (const over of [{ volume_capability: reader }, { readonly: true }]) {
    const volume = await bench.volume().create()
    await volume.publish(over)
    const before = sha256(volume.data)
    const mark = driver.log.length
    await refused(volume.stage(over), 'FAILED_PRECONDITION', /not formatted/)
    assert.equal(sha256(volume.data), before)
    assert.ok(!driver.commands(mark).some(each => /(^| )mkfs/.test(each)))
  }
})

for (const as of ['ext4', 'xfs'] as const) {
  test(`check 34: ${as} with a dirty journal, read-only, is not repaired and not written`, async () => {
    const volume = await bench.volume({ as }).up()
    writeFileSync(join(volume.staging, 'file'), 'data', { flush: true })
    run('xfs_io', '-x', '-c', 'shutdown -f', volume.staging) // as a power cut: the log is on disk, its replay is not
    await volume.unstage()
    await volume.unpublish()
    const reader = { volume_capability: capabilityOf(as, 'SINGLE_NODE_READER_ONLY') }
    await volume.publish(reader)
    const before = sha256(volume.data)
    const mark = driver.log.length
    await refused(volume.stage(reader), 'FAILED_PRECONDITION', /read-only|write access|mount/)
    assert.equal(sha256(volume.data), before)
    assert.ok(!driver.commands(mark).some(each => /(^| )(mkfs|e2fsck)/.test(each)))
    await volume.unpublish()
    await volume.publish()
    await volume.stage()
    assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'data')
  })
}

test('check 36: ControllerExpandVolume never shrinks and can be repeated', async () => {
  const volume = await bench.volume({ as: 'block' }).up()
  const { size } = volume
  assert.equal(await volume.expand(3 * size), 3 * size)
  assert.equal(await volume.expand(3 * size), 3 * size)
  assert.equal(await volume.expand(2 * size), 3 * size)
  assert.equal(await volume.expand(3 * size, 4 * size), 3 * size)
  await refused(volume.expand(size, 2 * size), 'OUT_OF_RANGE')
  await refused(volume.expand(2 ** 60), ['OUT_OF_RANGE', 'RESOURCE_EXHAUSTED'])
  assert.equal(statSync(volume.data).size, 3 * size)
  assert.equal(await volume.expand(3 * size + 1), 3 * size + MIB)
})

/** NodeExpandVolume by this path: a mounted ext4 grows only when the kernel lets this process do it. */
const growByPath = async (volume: TestVolume, as: string, path: string, mountedAt: string): Promise<void> => {
  const before = usableSize(mountedAt)
  if (as === 'ext4' && !hasSysResource()) {
    await refused(volume.expandOnNode(path), 'FAILED_PRECONDITION', /CAP_SYS_RESOURCE/)
    assert.equal(usableSize(mountedAt), before)
    return
  }
  const size = await volume.expandOnNode(path)
  assert.equal(size, deviceSize(volume.device))
  assert.ok(usableSize(mountedAt) > before + 0.7 * volume.size, `${usableSize(mountedAt)} after ${before}`)
  assert.equal(await volume.expandOnNode(path), size)
}

for (const as of ['ext4', 'xfs'] as const) {
  test(`check 37: NodeExpandVolume of ${as} by the path of a pod, the staging path, or an unknown path`, async () => {
    const volume = await bench.volume({ as }).up()
    const target = await volume.publishAt(bench.path('t'))
    const file = openSync(join(target, 'log'), 'a')
    const paths = [target, volume.staging, bench.path('unknown')]
    for (const [n, path] of paths.entries()) {
      const size = (n + 2) * volume.size
      assert.equal(await volume.expand(size), size)
      await growByPath(volume, as, path, target)
      assert.equal(deviceSize(volume.device), size)
      writeSync(file, 'x')
      fsyncSync(file)
    }
    closeSync(file)
    await volume.unpublishAt(target)
    await volume.expand(5 * volume.size)
    await growByPath(volume, as, volume.staging, volume.staging)
    assert.equal(readFileSync(join(volume.staging, 'log'), 'utf8'), 'xxx')
    // What the kernel refuses while it is mounted is made up for by the next stage, or refused again without harm.
    await volume.unstage()
    await volume.stage()
    assert.equal(readFileSync(join(volume.staging, 'log'), 'utf8'), 'xxx')
  })
}

test('check 37: NodeExpandVolume of a block volume runs no filesystem tool and reaches read-only targets', async () => {
  const volume = await bench.volume({ as: 'block' }).up()
  const [writable, readonly] = [bench.path('rw'), bench.path('ro')]
  await volume.publishAt(writable)
  await volume.publishAt(readonly, { readonly: true })
  const mark = driver.log.length
  for (const [n, path] of [writable, volume.staging, bench.path('unknown')].entries()) {
    const size = (n + 2) * volume.size
    await volume.expand(size)
    assert.equal(await volume.expandOnNode(path), size)
    assert.deepEqual([deviceSize(writable), deviceSize(readonly)], [size, size])
  }
  await volume.expandOnNode(writable, { volume_capability: volume.capability })
  assert.deepEqual(
    driver.commands(mark).filter(each => /resize2fs|xfs_growfs|dumpe2fs|e2fsck|xfs_info/.test(each)),
    [],
  )
  const more = { capacity_range: { required_bytes: String(9 * volume.size) } }
  await refused(volume.expandOnNode(writable, more), 'OUT_OF_RANGE', /ControllerExpandVolume/)
})

test('check 38: NodeGetVolumeStats of filesystems and block volumes, by every path', async () => {
  for (const as of ['ext4', 'xfs'] as const) {
    const volume = await bench.volume({ as }).up()
    const target = await volume.publishAt(bench.path('t'))
    writeFileSync(join(target, 'file'), Buffer.alloc(5 * MIB, 'x'))
    run('sync', '--file-system', target)
    for (const path of [target, volume.staging]) {
      const [bytes, inodes] = await stats(volume, path)
      assert.deepEqual([bytes?.unit, inodes?.unit], ['BYTES', 'INODES'])
      assert.equal(Number(bytes?.total), usableSize(target))
      assert.ok(Number(bytes?.used) >= 5 * MIB && Number(bytes?.available) < Number(bytes?.total))
      assert.equal(Number(inodes?.total), statfsSync(target).files)
      assert.ok(Number(inodes?.used) > 0)
    }
    await volume.unpublishAt(target)
    await refused(stats(volume, target), 'NOT_FOUND')
    await refused(stats(volume, '/'), 'NOT_FOUND')
  }
  const volume = await bench.volume({ as: 'block' }).up()
  const folder = bench.path('volumeDevices')
  mkdirSync(join(folder, 'dev'), { recursive: true })
  bench.defer(async () => {
    await volume.teardown()
    for (const path of [join(folder, 'dev'), folder]) rmdirSync(path)
  })
  const target = await volume.publishAt(join(folder, 'dev', 'uid'))
  const [bytes, ...rest] = await stats(volume, target)
  assert.deepEqual([bytes?.unit, bytes?.total, rest], ['BYTES', String(volume.size), []])
  await refused(stats(volume, join(folder, 'dev')), 'NOT_FOUND')
})

test('check 38: NodeGetVolumeStats of a truncated volume tells its condition', async () => {
  for (const as of ['block', 'ext4'] as const) {
    const volume = await bench.volume({ as }).up()
    const target = await volume.publishAt(bench.path('t'))
    await stats(volume, target)
    truncateSync(volume.data, 0)
    const { volume_condition: condition } = await driver.call<{
      volume_condition: { abnormal: boolean; message: string }
    }>('Node', 'NodeGetVolumeStats', { volume_id: volume.id, volume_path: target })
    assert.equal(condition.abnormal, true)
    assert.match(condition.message, /truncated to 0 bytes, it should have/)
    truncateSync(volume.data, volume.size)
  }
})

test('paths with spaces, quotes and other signs are staged and published', async () => {
  const folder = bench.path('a "b"\\ü\u00a0#')
  mkdirSync(folder)
  const volume = bench.volume({ staging: join(folder, 'staging path') })
  mkdirSync(volume.staging)
  bench.defer(async () => {
    await volume.teardown()
    rmdirSync(folder)
  })
  await volume.up()
  await volume.stage()
  const target = await volume.publishAt(join(folder, 'target path'))
  await volume.publishAt(target)
  assert.deepEqual([mountsAt(volume.staging).length, mountsAt(target).length], [1, 1])
  assert.equal((await stats(volume, target)).length, 2)
})

test('a symbolic link as target or staging path is refused and not followed', async () => {
  const victim = bench.path('victim')
  mkdirSync(victim)
  writeFileSync(join(victim, 'file'), 'data')
  bench.defer(() => {
    unlinkSync(join(victim, 'file'))
    rmdirSync(victim)
  })
  for (const as of ['ext4', 'block'] as const) {
    const volume = await bench.volume({ as }).up()
    const link = bench.path('link')
    symlinkSync(as === 'block' ? join(victim, 'file') : victim, link)
    await refused(volume.publishAt(link), 'INVALID_ARGUMENT')
    await refused(volume.unpublishAt(link), 'FAILED_PRECONDITION')
    assert.ok(lstatSync(link).isSymbolicLink())
    unlinkSync(link)
    const other = await bench.volume({ as }).create()
    await other.publish()
    symlinkSync(victim, link)
    await refused(other.stage({ staging_target_path: link }), 'FAILED_PRECONDITION', /not a directory/)
    unlinkSync(link)
  }
  assert.deepEqual(mountsAt(victim), [])
  assert.equal(readFileSync(join(victim, 'file'), 'utf8'), 'data')
})

test('owner and mode are given to the root folder of a new filesystem once', async () => {
  const parameters = { mountPermissions: '2770', uid: '1234', gid: '4321' }
  const volume = await bench.volume({ parameters }).up()
  const facts = () => {
    const { uid, gid, mode } = statSync(volume.staging)
    return { uid, gid, mode: (mode & 0o7777).toString(8) }
  }
  assert.deepEqual(facts(), { uid: 1234, gid: 4321, mode: '2770' })
  chownSync(volume.staging, 7, 8)
  chmodSync(volume.staging, 0o700)
  await volume.unstage()
  await volume.stage()
  assert.deepEqual(facts(), { uid: 7, gid: 8, mode: '700' })
})
