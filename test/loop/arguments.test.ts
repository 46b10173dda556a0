// Checks 20, 23 to 27 and 32: what callers may ask, which code says why not, and that names reach no path.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { NODE_ID } from './driver.ts'
import { outcome, refused, useDriver } from './harness.ts'
import { capabilityOf, type Fields, GIB, MIB, type Strings, type TestVolume } from './volume.ts'

const bench = useDriver()
const { driver } = bench

interface Confirmation {
  confirmed: { volume_capabilities: Fields[]; volume_context: Strings; parameters: Strings } | null
  message: string
}
const validate = async (volume: TestVolume, request: Fields) =>
  await driver.call<Confirmation>('Controller', 'ValidateVolumeCapabilities', { volume_id: volume.id, ...request })

const entriesOf = (folder: string): string[] => readdirSync(folder).sort()

test('check 20: several writers get a block device, never a filesystem', async () => {
  const [shared, own] = [bench.volume({ as: 'block' }), bench.volume()]
  const mode = 'MULTI_NODE_MULTI_WRITER'
  await shared.create({ volume_capabilities: [capabilityOf('block', mode)] })
  await shared.publish({ volume_capability: capabilityOf('block', mode) })
  assert.ok((await validate(shared, { volume_capabilities: [capabilityOf('block', mode)] })).confirmed)
  await own.create()
  for (const multi of [mode, 'MULTI_NODE_SINGLE_WRITER']) {
    for (const as of ['ext4', 'xfs', '']) {
      const capability = capabilityOf(as, multi)
      await refused(bench.volume().create({ volume_capabilities: [capability] }), 'INVALID_ARGUMENT', /several nodes/)
      await refused(own.publish({ volume_capability: capability }), 'INVALID_ARGUMENT')
      const { confirmed, message } = await validate(own, { volume_capabilities: [capability] })
      assert.equal(confirmed, null)
      assert.match(message, /several nodes/)
    }
  }
})

test('check 23: a name may be any text and stays inside the pool', async () => {
  const before = entriesOf(driver.folder)
  const long = 'n'.repeat(128)
  const names = [
    long,
    '../../../etc/x',
    '/etc/passwd',
    '.',
    '..',
    'a b\n\t"\'\\$(id);*',
    '😀é',
    '-rf',
    'vol-default-x/data',
  ]
  const volumes = names.map(name => bench.volume({ as: 'block', name }))
  for (const volume of volumes) {
    await volume.create()
    assert.match(volume.id, /^[a-z0-9-]{1,128}$/)
    await volume.create()
  }
  assert.deepEqual(entriesOf(join(driver.pool, 'volumes')), volumes.map(({ id }) => id).sort())
  const staging = volumes.map(({ staging: path }) => path.slice(driver.folder.length + 1))
  assert.deepEqual(
    entriesOf(driver.folder).filter(name => !staging.includes(name)),
    before,
  )
  assert.ok(!existsSync(join(driver.folder, '..', 'etc')))
  for (const name of ['\u0001', '\u007f', 'a\u0000b', '\u009f', `${long}n`, `${'é'.repeat(64)}e`]) {
    await refused(bench.volume({ name }).create(), 'INVALID_ARGUMENT')
  }
})

test('check 24: foreign and hostile ids reach nothing', async () => {
  const volume = await bench.volume().up()
  const before = [entriesOf(driver.pool), entriesOf(driver.state), entriesOf(driver.folder)]
  const hash = '0'.repeat(32)
  const ids = [
    '../../../etc',
    `../${volume.id}`,
    `${volume.id}/../${volume.id}`,
    `vol-default-${hash}`,
    `vol-other-${hash}`,
    'a\0b',
    'x'.repeat(129),
    '.',
    volume.id.toUpperCase(),
  ]
  for (const volume_id of ids) {
    const asking = {
      volume_id,
      node_id: NODE_ID,
      volume_capability: volume.capability,
      volume_capabilities: [volume.capability],
    }
    const at = { volume_path: volume.staging, capacity_range: { required_bytes: String(GIB) } }
    await driver.call('Controller', 'DeleteVolume', { volume_id })
    await driver.call('Controller', 'ControllerUnpublishVolume', { volume_id })
    await refused(driver.call('Controller', 'ControllerPublishVolume', asking), 'NOT_FOUND')
    await refused(driver.call('Controller', 'ValidateVolumeCapabilities', asking), 'NOT_FOUND')
    await refused(driver.call('Controller', 'ControllerGetVolume', asking), 'NOT_FOUND')
    await refused(driver.call('Controller', 'ControllerExpandVolume', { ...at, volume_id }), 'NOT_FOUND')
    await refused(driver.call('Node', 'NodeGetVolumeStats', { ...at, volume_id }), 'NOT_FOUND')
    await refused(driver.call('Node', 'NodeExpandVolume', { ...at, volume_id }), 'NOT_FOUND')
    const empty = bench.path('empty')
    mkdirSync(empty)
    await refused(volume.stage({ volume_id, staging_target_path: empty }), ['INVALID_ARGUMENT', 'NOT_FOUND'])
    await refused(volume.publishAt(bench.path('t'), { volume_id }), ['FAILED_PRECONDITION', 'NOT_FOUND'])
    await refused(volume.unstage({ volume_id }), 'FAILED_PRECONDITION') // another volume is mounted there
    await driver.call('Node', 'NodeUnstageVolume', { volume_id, staging_target_path: empty })
    await driver.call('Node', 'NodeUnpublishVolume', { volume_id, target_path: empty })
  }
  assert.deepEqual([entriesOf(driver.pool), entriesOf(driver.state), entriesOf(driver.folder)], before)
  await volume.stage()
})

test('check 25: sizes are rounded up, kept within the limit and never lose precision', async () => {
  const created = async (range: Fields | undefined) => {
    const volume = bench.volume({ as: 'block' })
    const { volume: reply } = await driver.call<{ volume: { capacity_bytes: string } }>('Controller', 'CreateVolume', {
      name: volume.name,
      volume_capabilities: [volume.capability],
      ...(range && { capacity_range: range }),
    })
    await volume.create(range ? { capacity_range: range } : { capacity_range: undefined })
    return Number(reply.capacity_bytes)
  }
  assert.equal(await created(undefined), GIB)
  assert.equal(await created({ required_bytes: '1' }), MIB)
  assert.equal(await created({ required_bytes: String(5 * MIB + 1) }), 6 * MIB)
  assert.equal(await created({ required_bytes: String(5 * MIB), limit_bytes: String(5 * MIB) }), 5 * MIB)
  assert.equal(await created({ limit_bytes: String(7 * MIB + 5) }), 7 * MIB)
  const wrong = async (range: Fields, codes: Parameters<typeof refused>[1]) =>
    await refused(bench.volume({ as: 'block' }).create({ capacity_range: range }), codes)
  await wrong({ required_bytes: String(2 * MIB), limit_bytes: String(MIB) }, ['OUT_OF_RANGE', 'INVALID_ARGUMENT'])
  await wrong({ required_bytes: String(5 * MIB + 1), limit_bytes: String(5 * MIB + 2) }, 'OUT_OF_RANGE')
  await wrong({ required_bytes: '-1' }, 'INVALID_ARGUMENT')
  await wrong({ required_bytes: '0', limit_bytes: '-5' }, 'INVALID_ARGUMENT')
  await wrong({ required_bytes: '9223372036854775807' }, ['OUT_OF_RANGE', 'RESOURCE_EXHAUSTED'])
  const words = await wrong({ required_bytes: String(2n ** 53n + 1n) }, ['OUT_OF_RANGE', 'RESOURCE_EXHAUSTED'])
  assert.match(words, /9007199255789568|9007199254740993/) // 2^53 + 1, or the next MiB; not 2^53
})

test('check 26: a capability without access type or with an unknown mode', async () => {
  const volume = await bench.volume().up()
  const wrong: Record<string, Fields> = {
    'no access type': { access_mode: { mode: 'SINGLE_NODE_WRITER' } },
    'no access mode': { mount: { fs_type: 'ext4' } },
    'mode 0': { mount: { fs_type: 'ext4' }, access_mode: { mode: 0 } },
    'mode 99': { mount: { fs_type: 'ext4' }, access_mode: { mode: 99 } },
  }
  const target = bench.path('t')
  for (const [what, capability] of Object.entries(wrong)) {
    const expand = {
      volume_id: volume.id,
      volume_path: volume.staging,
      capacity_range: { required_bytes: String(volume.size) },
      volume_capability: capability,
    }
    const calls: Record<string, () => Promise<unknown>> = {
      CreateVolume: async () => await bench.volume().create({ volume_capabilities: [capability] }),
      'CreateVolume, second': async () =>
        await bench.volume().create({ volume_capabilities: [volume.capability, capability] }),
      ValidateVolumeCapabilities: async () => await validate(volume, { volume_capabilities: [capability] }),
      ControllerPublishVolume: async () => await volume.publish({ volume_capability: capability }),
      NodeStageVolume: async () => await volume.stage({ volume_capability: capability }),
      NodePublishVolume: async () => await volume.publishAt(target, { volume_capability: capability }),
      ControllerExpandVolume: async () => await driver.call('Controller', 'ControllerExpandVolume', expand),
      NodeExpandVolume: async () => await driver.call('Node', 'NodeExpandVolume', expand),
    }
    for (const [method, call] of Object.entries(calls))
      assert.equal(await outcome(call()), 'INVALID_ARGUMENT', `${method}, ${what}`)
  }
  assert.ok(!existsSync(target))
})

test('check 27: a volume is used only as what it was staged for', async () => {
  const volume = await bench.volume().up()
  const [target, block] = [bench.path('t'), capabilityOf('block')]
  await refused(volume.publishAt(target, { volume_capability: block }), 'FAILED_PRECONDITION')
  await refused(volume.publishAt(target, { volume_capability: capabilityOf('xfs') }), 'FAILED_PRECONDITION')
  await refused(volume.publishAt(target, { staging_target_path: '' }), 'FAILED_PRECONDITION')
  assert.ok(!existsSync(target))
  await refused(volume.stage({ volume_capability: block }), 'ALREADY_EXISTS')
  await refused(
    volume.stage({ volume_capability: capabilityOf('ext4', 'SINGLE_NODE_WRITER', ['noatime']) }),
    'ALREADY_EXISTS',
  )
  await refused(volume.publish({ volume_capability: block }), 'INVALID_ARGUMENT')
  await refused(volume.publish({ readonly: true }), 'ALREADY_EXISTS')
  await volume.publishAt(target)
  await refused(volume.publishAt(target, { readonly: true }), 'ALREADY_EXISTS')

  const raw = await bench.volume({ as: 'block' }).up()
  const file = bench.path('t')
  await refused(raw.publishAt(file, { volume_capability: capabilityOf('ext4') }), 'FAILED_PRECONDITION')
  assert.ok(!existsSync(file))
  await raw.publishAt(file)
  await refused(raw.publishAt(file, { readonly: true }), 'ALREADY_EXISTS')
})

test('check 27: the table of second targets for one node', async () => {
  const expected = {
    SINGLE_NODE_SINGLE_WRITER: 'FAILED_PRECONDITION',
    SINGLE_NODE_MULTI_WRITER: 'OK',
    SINGLE_NODE_WRITER: 'OK',
  }
  for (const [mode, code] of Object.entries(expected)) {
    for (const as of ['ext4', 'block'] as const) {
      const volume = await bench.volume({ as, mode }).up()
      const first = await volume.publishAt(bench.path('t'))
      assert.equal(await outcome(volume.publishAt(bench.path('t'))), code, `${as} ${mode}`)
      await volume.publishAt(first)
    }
  }
})

test('check 32: extra keys in the volume context are accepted, and tokens are not logged', async () => {
  const volume = await bench.volume().create()
  await volume.publish()
  const token = 'eyJhbGciOiJSUzI1NiIs-token'
  const extra = (n: number): Strings => ({
    ...volume.context,
    'storage.kubernetes.io/csiProvisionerIdentity': `${n}-csi.ashlar.dev`,
    'csi.storage.k8s.io/pod.name': `pod-${n}`,
    'csi.storage.k8s.io/ephemeral': 'false',
    'csi.storage.k8s.io/serviceAccount.tokens': JSON.stringify({ '': { token: `${token}${n}` } }),
  })
  await volume.stage({ volume_context: extra(1) })
  await volume.stage({ volume_context: extra(2) })
  const target = await volume.publishAt(bench.path('t'), { volume_context: extra(3) })
  await volume.publishAt(target, { volume_context: extra(4) })
  assert.ok(driver.log.includes('csiProvisionerIdentity'), 'requests were logged')
  assert.ok(!driver.log.includes(token))
})
