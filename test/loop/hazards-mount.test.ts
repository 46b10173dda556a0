// What is mounted how: damaged and dirty filesystems, hostile options, paths that hold something, and what mkfs was asked for.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { outcome, refused, useDriver } from './harness.ts'
import { backingOf, differences, loopsBelow, mountsAt, mountsBelow, run, sha256 } from './machine.ts'
import { capabilityOf } from './volume.ts'

const bench = useDriver()
const { driver } = bench

const debugfs = (image: string, ...requests: string[]) => {
  for (const request of requests) run('debugfs', '-w', '-R', request, image)
}

test('an ext4 with errors that only loss could repair is refused, and comes back when they are gone', async () => {
  const volume = await bench.volume().up()
  mkdirSync(join(volume.staging, 'folder'))
  writeFileSync(join(volume.staging, 'folder', 'file'), 'data')
  await volume.unstage()
  const saved = bench.path('saved')
  run('cp', '--sparse=always', volume.data, saved)
  bench.defer(() => unlinkSync(saved))
  debugfs(volume.data, 'set_super_value state 2', 'clri <2>') // no root folder any more
  const before = bench.path('before')
  run('cp', '--sparse=always', volume.data, before)
  bench.defer(() => unlinkSync(before))
  const mark = driver.log.length
  await refused(volume.stage(), 'FAILED_PRECONDITION', /errors that cannot be repaired without losing data/)
  assert.deepEqual(mountsAt(volume.staging), [])
  // e2fsck notes in the superblock that a person is needed; nothing else is touched.
  assert.deepEqual(
    differences(volume.data, before).filter(at => at < 1024 || at >= 2048),
    [],
  )
  const checks = driver.commands(mark).filter(each => /e2fsck|mkfs|debugfs/.test(each))
  assert.deepEqual(
    checks.filter(each => !/ e2fsck -p \/dev\/loop\d+$/.test(each)),
    [],
    'never a repair that may lose data',
  )
  run('cp', '--sparse=always', saved, volume.data)
  await volume.stage()
  assert.equal(readFileSync(join(volume.staging, 'folder', 'file'), 'utf8'), 'data')
})

test('an ext4 with small faults is repaired without loss, and mounted', async () => {
  const volume = await bench.volume().up()
  writeFileSync(join(volume.staging, 'file'), 'data')
  await volume.unstage()
  debugfs(volume.data, 'set_super_value state 2', 'set_super_value free_blocks_count 7')
  await volume.stage()
  assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'data')
  await volume.unstage()
  run('e2fsck', '-fn', volume.data)
})

for (const as of ['ext4', 'xfs'] as const) {
  test(`${as} that was cut off from power is replayed, mounted and whole`, async () => {
    const volume = await bench.volume({ as }).up()
    for (let n = 0; n < 50; n += 1) writeFileSync(join(volume.staging, `file-${n}`), `${n}`)
    run('sync', '--file-system', volume.staging)
    run('xfs_io', '-x', '-c', 'shutdown -f', volume.staging)
    await volume.unstage()
    await volume.stage()
    for (let n = 0; n < 50; n += 1) assert.equal(readFileSync(join(volume.staging, `file-${n}`), 'utf8'), `${n}`)
    await volume.unstage()
    if (as === 'ext4') run('e2fsck', '-fn', volume.data)
    else run('xfs_repair', '-n', '-f', volume.data)
  })

  test(`mount options that reach beyond the volume are refused for ${as} before anything happens`, async () => {
    const volume = await bench.volume({ as }).create()
    await volume.publish()
    const before = [sha256(volume.data), mountsBelow(driver.folder)]
    const inside = bench.path('made-by-mount')
    const hostile = [
      'loop',
      'remount',
      'bind',
      'move',
      'suid,loop',
      'X-mount.mkdir',
      `X-mount.subdir=../..`,
      'offset=1048576',
      'sizelimit=4096',
      'helper=/bin/sh',
      'uhelper=x',
      'logdev=/dev/vda',
      'rtdev=/dev/vda',
      'journal_path=/dev/vda',
      'journal_dev=0x700',
      'errors=panic',
      'nouuid',
      'user',
      'context=system_u:object_r:x:s0',
      'noatime,,loop',
      'noatime\nloop',
      '-o loop',
      '--bind',
      '$(id)',
    ]
    for (const flag of hostile) {
      for (const flags of [[flag], ['noatime', flag]]) {
        const volume_capability = capabilityOf(as, 'SINGLE_NODE_WRITER', flags)
        await refused(volume.stage({ volume_capability }), 'INVALID_ARGUMENT')
        await refused(bench.volume({ as, mountFlags: flags }).create(), 'INVALID_ARGUMENT')
      }
    }
    assert.deepEqual([sha256(volume.data), mountsBelow(driver.folder)], before)
    assert.throws(() => readdirSync(inside), { code: 'ENOENT' })
  })

  test(`options that a StorageClass may ask for are those of the mount of ${as}`, async () => {
    const volume = await bench.volume({ as, mountFlags: ['nosuid,nodev', 'noexec', 'noatime'] }).up()
    const target = await volume.publishAt(bench.path('t'))
    for (const path of [volume.staging, target]) {
      const [mount] = mountsAt(path)
      for (const option of ['nosuid', 'nodev', 'noexec', 'noatime'])
        assert.ok(mount?.options.includes(option), `${option} of ${path}: ${mount?.options.join()}`)
    }
    const script = join(target, 'script')
    writeFileSync(script, '#!/bin/sh\nexit 0\n', { mode: 0o4755 })
    assert.equal((spawnSync(script).error as NodeJS.ErrnoException | undefined)?.code, 'EACCES')
  })
}

test('a folder that holds something is mounted over neither as target nor as staging path', async () => {
  const volume = await bench.volume().create()
  await volume.publish()
  const inStaging = join(volume.staging, 'file')
  writeFileSync(inStaging, 'somebody’s')
  await refused(volume.stage(), 'FAILED_PRECONDITION', /not empty/)
  assert.equal(readFileSync(inStaging, 'utf8'), 'somebody’s')
  unlinkSync(inStaging)
  await volume.stage()

  const target = bench.path('t')
  mkdirSync(target)
  const inTarget = join(target, '.hidden')
  writeFileSync(inTarget, 'somebody’s')
  await refused(volume.publishAt(target), 'FAILED_PRECONDITION', /not empty/)
  assert.deepEqual(mountsAt(target), [])
  assert.equal(readFileSync(inTarget, 'utf8'), 'somebody’s')
  for (const system of ['/etc', '/usr/bin', '/proc', '/']) {
    const code = await outcome(
      driver.call('Node', 'NodePublishVolume', {
        volume_id: volume.id,
        staging_target_path: volume.staging,
        target_path: system,
        volume_capability: volume.capability,
        publish_context: volume.route,
        volume_context: volume.context,
      }),
    )
    assert.match(code, /^(FAILED_PRECONDITION|INVALID_ARGUMENT)$/, system)
    await refused(driver.call('Node', 'NodeUnpublishVolume', { volume_id: volume.id, target_path: system }), [
      'FAILED_PRECONDITION',
      'INVALID_ARGUMENT',
    ])
  }
  unlinkSync(inTarget)
  await volume.publishAt(target)
  await volume.unpublishAt(target)

  const raw = await bench.volume({ as: 'block' }).up()
  const folder = bench.path('folder')
  mkdirSync(folder)
  await refused(raw.publishAt(folder), 'INVALID_ARGUMENT', /not a file/)
  rmdirSync(folder)
})

test('a stage that is refused takes away the device that it brought, and leaves the one that was there', async () => {
  const volume = await bench.volume().create()
  await volume.publish()
  run('mkfs.ext4', '-q', '-F', volume.data)
  await refused(volume.stage(), 'FAILED_PRECONDITION')
  assert.equal(backingOf(volume.device), volume.data, 'ControllerPublishVolume brought it')
  run('losetup', '--detach', volume.device) // as after a reboot
  await refused(volume.stage(), 'FAILED_PRECONDITION')
  assert.deepEqual(loopsBelow(volume.data), [])
  assert.deepEqual(
    readdirSync(driver.state).filter(name => name !== 'locks'),
    [],
  )
})

test('filesystems are made with features that older kernels and tools on the next node know', async () => {
  const [ext4, xfs] = [await bench.volume().up(), await bench.volume({ as: 'xfs' }).up()]
  const features = /^Filesystem features:\s+(.*)$/m.exec(run('dumpe2fs', '-h', ext4.device))?.[1]?.split(/\s+/) ?? []
  assert.ok(features.includes('metadata_csum_seed'), 'a copy gets its UUID without a rewrite of all checksums')
  for (const feature of ['orphan_file', 'mmp', 'casefold', 'encrypt', 'verity'])
    assert.ok(!features.includes(feature), feature)
  const info = run('xfs_info', xfs.staging)
  assert.match(info, /\bcrc=1\b/)
  assert.match(info, /\bbigtime=1\b/)
  assert.match(info, /\bnrext64=0\b/)
  assert.doesNotMatch(info, /\b(parent|exchange|metadir)=1\b/)
})
