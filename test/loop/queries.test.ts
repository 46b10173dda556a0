// Checks 28 to 30: what the driver answers about volumes, nodes and room.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refused, useDriver } from './harness.ts'
import { capabilityOf, type Fields, GIB, type Strings, type TestVolume } from './volume.ts'

const bench = useDriver()
const { driver } = bench

interface Entry {
  volume: { volume_id: string }
  status: { published_node_ids: string[] }
}
interface Page {
  entries: Entry[]
  next_token: string
}
const list = async (request: Fields = {}) => await driver.call<Page>('Controller', 'ListVolumes', request)

interface Capacity {
  available_capacity: string
}
const capacity = async (request: Fields = {}) =>
  BigInt((await driver.call<Capacity>('Controller', 'GetCapacity', request)).available_capacity)

interface Confirmation {
  confirmed: { volume_capabilities: Fields[]; volume_context: Strings; parameters: Strings } | null
  message: string
}
const validate = async (volume: TestVolume, request: Fields) =>
  await driver.call<Confirmation>('Controller', 'ValidateVolumeCapabilities', { volume_id: volume.id, ...request })

test('check 28: ValidateVolumeCapabilities echoes what it confirms and explains what not', async () => {
  const volume = await bench.volume({ parameters: { mountPermissions: '0750' } }).create()
  const request = {
    volume_capabilities: [volume.capability, capabilityOf('ext4', 'SINGLE_NODE_READER_ONLY')],
    volume_context: volume.context,
    parameters: volume.parameters,
  }
  const { confirmed } = await validate(volume, request)
  assert.deepEqual(confirmed?.volume_context, volume.context)
  assert.deepEqual(confirmed.parameters, volume.parameters)
  assert.equal(confirmed.volume_capabilities.length, 2)
  for (const capability of [
    capabilityOf('block'),
    capabilityOf('xfs'),
    capabilityOf('ext4', 'MULTI_NODE_MULTI_WRITER'),
  ]) {
    const answer = await validate(volume, { volume_capabilities: [volume.capability, capability] })
    assert.equal(answer.confirmed, null)
    assert.notEqual(answer.message, '')
  }
  await refused(validate(volume, { volume_capabilities: [] }), 'INVALID_ARGUMENT')
})

test('check 29: paging goes on while volumes vanish', async () => {
  const volumes = Array.from({ length: 5 }, () => bench.volume({ as: 'block' }))
  for (const volume of volumes) await volume.create()
  const seen: string[] = []
  let token = ''
  let pages = 0
  do {
    const page = await list({ max_entries: 1, starting_token: token })
    assert.ok(page.entries.length <= 1)
    seen.push(...page.entries.map(({ volume }) => volume.volume_id))
    token = page.next_token
    pages += 1
    assert.ok(pages <= 6, 'the listing ends')
    const last = volumes.find(({ id }) => id === seen.at(-1))
    if (pages === 2) await last?.teardown() // the token points at it
    if (pages === 3) await volumes.find(({ id }) => !seen.includes(id))?.teardown() // it was to come
  } while (token !== '')
  assert.equal(seen.length, 4)
  assert.equal(new Set(seen).size, 4)
  await refused(list({ max_entries: -1 }), 'INVALID_ARGUMENT')
  await refused(list({ starting_token: 'no token of ours' }), 'ABORTED')
  assert.deepEqual((await list({ max_entries: 100 })).next_token, '')
})

test('check 29: published nodes are the ids that NodeGetInfo reports', async () => {
  const [volume, idle] = [await bench.volume().create(), await bench.volume().create()]
  await volume.publish()
  const { node_id } = await driver.call<{ node_id: string }>('Node', 'NodeGetInfo')
  const nodesOf = async ({ id }: TestVolume) =>
    (await list()).entries.find(entry => entry.volume.volume_id === id)?.status.published_node_ids
  assert.deepEqual([await nodesOf(volume), await nodesOf(idle)], [[node_id], []])
  await volume.unpublish()
  assert.deepEqual(await nodesOf(volume), [])
})

test('check 30: GetCapacity takes what the provisioner sends', async () => {
  const all = await capacity()
  assert.ok(all > 0n)
  const class_ = {
    'csi.storage.k8s.io/fstype': 'xfs',
    'csi.storage.k8s.io/provisioner-secret-name': 'x',
    mountPermissions: '0750',
  }
  assert.ok((await capacity({ parameters: class_ })) > 0n)
  const info = await driver.call<{ accessible_topology: { segments: Strings } }>('Node', 'NodeGetInfo')
  assert.ok(
    (await capacity({ accessible_topology: info.accessible_topology, volume_capabilities: [capabilityOf('xfs')] })) >
      0n,
  )
  const [key = ''] = Object.keys(info.accessible_topology.segments)
  for (const segments of [{ [key]: 'node-z' }, { 'example.com/rack': '7' }]) {
    assert.equal(await capacity({ accessible_topology: { segments } }), 0n)
  }
  const volume = await bench.volume({ as: 'block', size: GIB }).create()
  const less = await capacity()
  assert.ok(less < all, `${less} after a volume of ${volume.size} bytes, ${all} before`)
})
