// A driver that claims what it stages: whole lives without ControllerPublishVolume, and what becomes of stages that fail.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { refused, useDriver } from './harness.ts'
import type { TestVolume } from './volume.ts'

const bench = useDriver({ config: { selfPublish: true } })

const claimsOf = (volume: TestVolume): string[] => readdirSync(join(volume.data, '..', 'claims'))
const ask = (service: 'Controller' | 'Node', method: string, request: object) =>
  bench.driver.call<object>(service, method, request)

for (const as of ['ext4', 'xfs', 'block'] as const) {
  test(`${as}: a volume lives without a word to the controller about the node`, async () => {
    const volume = await bench.volume({ as }).create()
    await volume.stage()
    assert.equal(claimsOf(volume).length, 1)
    const target = await volume.publishAt(bench.path('pod'))
    if (as !== 'block') writeFileSync(join(target, 'kept'), 'bytes')
    await bench.driver.kill()
    await bench.driver.start()
    await volume.stage()
    if (as !== 'block') assert.equal(readFileSync(join(target, 'kept'), 'utf8'), 'bytes')
    await refused(ask('Controller', 'DeleteVolume', { volume_id: volume.id }), 'FAILED_PRECONDITION')
    await volume.unpublishAt(target)
    await volume.unstage()
    assert.deepEqual(claimsOf(volume), [])
    await ask('Controller', 'DeleteVolume', { volume_id: volume.id })
    assert.ok(!existsSync(volume.data))
  })
}

test('the node makes the volume larger by itself', async () => {
  const volume = await bench.volume({ as: 'xfs' }).create()
  await volume.stage()
  const target = await volume.publishAt(bench.path('pod'))
  const required_bytes = String(volume.size * 2)
  const reply = await ask('Node', 'NodeExpandVolume', {
    volume_id: volume.id,
    volume_path: target,
    staging_target_path: volume.staging,
    capacity_range: { required_bytes },
    volume_capability: volume.capability,
  })
  assert.deepEqual(reply, { capacity_bytes: required_bytes })
})

test('a stage that is refused leaves no claim, and a publish of what is not staged makes none', async () => {
  const volume = await bench.volume().create()
  const elsewhere = bench.path('missing')
  await refused(volume.stage({ staging_target_path: elsewhere }), 'FAILED_PRECONDITION')
  assert.deepEqual(claimsOf(volume), [])
  await refused(volume.publishAt(bench.path('pod')), 'FAILED_PRECONDITION')
  assert.deepEqual(claimsOf(volume), [])
})

test('a claim that a dead stage left does not keep the volume from being deleted', async () => {
  const volume = await bench.volume().create()
  await volume.publish()
  assert.equal(claimsOf(volume).length, 1)
  await ask('Controller', 'DeleteVolume', { volume_id: volume.id })
  assert.ok(!existsSync(volume.data))
})

test('the controller does not offer what the node does', async () => {
  const { capabilities } = (await ask('Controller', 'ControllerGetCapabilities', {})) as {
    capabilities: { rpc: { type: string } }[]
  }
  const types = capabilities.map(({ rpc }) => rpc.type)
  assert.ok(types.includes('GET_CAPACITY'))
  for (const type of ['PUBLISH_UNPUBLISH_VOLUME', 'LIST_VOLUMES_PUBLISHED_NODES', 'EXPAND_VOLUME', 'MODIFY_VOLUME'])
    assert.ok(!types.includes(type), type)
})
