// What stands around a volume: symbolic links above its paths, loop devices of others on it, a file that was unlinked.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Driver, NODE_ID } from './driver.ts'
import { refused, useDriver } from './harness.ts'
import { backingOf, mountsAt, peek, run } from './machine.ts'

const bench = useDriver()

test('a kubelet folder that is a symbolic link: the whole life goes through it', async () => {
  const real = bench.path('real')
  const link = bench.path('link')
  mkdirSync(join(real, 'stage'), { recursive: true })
  symlinkSync(real, link)
  bench.defer(() => {
    rmSync(link)
    rmSync(real, { recursive: true })
  })
  const volume = await bench.volume({ as: 'xfs' }).create()
  await volume.publish()
  const through = { staging_target_path: join(link, 'stage') }
  await volume.stage(through)
  await volume.stage(through)
  assert.equal(mountsAt(join(real, 'stage')).length, 1)
  const target = await volume.publishAt(join(link, 'target'), through)
  writeFileSync(join(target, 'file'), 'data')
  assert.equal(readFileSync(join(real, 'target', 'file'), 'utf8'), 'data')
  await bench.driver.call('Node', 'NodeGetVolumeStats', { volume_id: volume.id, volume_path: target })
  await volume.unpublishAt(target)
  await volume.unstage(through)
  assert.deepEqual([...mountsAt(join(real, 'stage')), ...mountsAt(join(real, 'target'))], [])
})

test('a pool folder that is a symbolic link: its volumes are attached, staged and taken down', async () => {
  const [link, real, staging] = [bench.path('link'), bench.path('pool'), bench.path('staging')]
  for (const path of [real, staging]) mkdirSync(path)
  symlinkSync(real, link)
  const driver = new Driver({ config: { pools: { default: { type: 'file', path: link, overcommit: 100 } } } })
  bench.defer(async () => {
    await driver.end('SIGTERM')
    for (const path of [link, real, staging, driver.folder]) rmSync(path, { recursive: true })
  })
  await driver.start()
  const capability = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } }
  const { volume } = await driver.call<{ volume: { volume_id: string } }>('Controller', 'CreateVolume', {
    name: 'behind a link',
    capacity_range: { required_bytes: '67108864' },
    volume_capabilities: [capability],
  })
  const { volume_id } = volume
  const published = { volume_id, node_id: NODE_ID, volume_capability: capability }
  const { publish_context } = await driver.call('Controller', 'ControllerPublishVolume', published)
  const staged = { volume_id, staging_target_path: staging }
  await driver.call('Node', 'NodeStageVolume', { ...staged, volume_capability: capability, publish_context })
  assert.equal(mountsAt(staging).length, 1)
  await driver.call('Node', 'NodeUnstageVolume', staged)
  await driver.call('Controller', 'ControllerUnpublishVolume', { volume_id, node_id: NODE_ID })
  await driver.call('Controller', 'DeleteVolume', { volume_id })
})

test('a writable loop device that somebody else keeps on a block volume is not taken for the read-only view', async () => {
  const volume = await bench.volume({ as: 'block' }).up()
  const lock = run('losetup', '--find', '--show', volume.device).trim()
  bench.defer(() => backingOf(lock) === volume.device && run('losetup', '--detach', lock))
  const target = await volume.publishAt(bench.path('ro'), { readonly: true })
  assert.throws(() => writeFileSync(target, 'x', { flag: 'r+' }), /EPERM|EROFS|EACCES/)
  await volume.unpublishAt(target)
  assert.equal(backingOf(lock), volume.device, 'the lock of somebody else stays')
})

test('the device of a file that somebody unlinked is not detached: it is the last way to the data', async () => {
  const volume = await bench.volume({ as: 'block' }).up()
  writeFileSync(volume.device, 'the only copy', { flag: 'r+' })
  unlinkSync(volume.data)
  bench.defer(async () => {
    run('losetup', '--detach', volume.device)
    rmSync(join(bench.driver.pool, 'volumes', volume.id), { recursive: true })
  })
  await refused(volume.unstage(), 'FAILED_PRECONDITION', /last way to the data/)
  await refused(volume.stage(), ['FAILED_PRECONDITION', 'NOT_FOUND'])
  assert.equal(String(peek(volume.device, 0, 13)), 'the only copy')
})
