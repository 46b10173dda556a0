// Tests of mutable parameters on the controller: created with, changed, compared, copied, and passed on to nodes.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { BLOCK, failure, testOp } from '../../test/fixtures.ts'
import { networkSite } from '../../test/network-site.ts'
import type { Parameters } from '../volume/types.ts'
import { createVolume } from './create-volume.ts'
import { modifyVolume } from './modify-volume.ts'
import { validateCapabilities } from './validate-capabilities.ts'

const op = testOp()

async function setUp(t: TestContext, mutableParameters?: Parameters) {
  const { site, pool, publish } = await networkSite(t)
  const create = (mutable: Parameters | undefined = mutableParameters) =>
    createVolume(
      site,
      {
        name: 'one',
        range: undefined,
        capabilities: [BLOCK],
        parameters: {},
        requisite: [],
        ...(mutable && { mutableParameters: mutable }),
      },
      op,
    )
  const { id } = await create()
  const published = async () => {
    const { read_iops, write_iops, discard } = await publish(id)
    return { read_iops, write_iops, discard }
  }
  return { site, pool, id, create, modify: (given: Parameters) => modifyVolume(site, id, given, op), published }
}
const NOTHING = { read_iops: undefined, write_iops: undefined, discard: undefined }

describe('ControllerModifyVolume', () => {
  it('changes what is named, leaves the rest, and can be repeated; nodes get it all at the next publish', async t => {
    const { modify, published } = await setUp(t, { readIops: '1', discard: 'off' })
    assert.deepEqual(await published(), { ...NOTHING, read_iops: '1', discard: 'off' })
    for (let n = 0; n < 2; n += 1) {
      await modify({ writeIops: '2', readIops: 'none', 'csi.storage.k8s.io/pvc/name': 'p' })
      assert.deepEqual(await published(), { read_iops: 'none', write_iops: '2', discard: 'off' })
    }
  })

  it('changes nothing when one key or value is wrong', async t => {
    const { modify, published } = await setUp(t)
    for (const wrong of [{ XXX: '1' }, { discard: 'maybe' }])
      await assert.rejects(modify({ readIops: '1', ...wrong }), failure('invalid-argument', /XXX|discard/))
    assert.deepEqual(await published(), NOTHING)
  })

  it('of a volume that is not there is not found', async t => {
    const { site } = await setUp(t)
    await assert.rejects(modifyVolume(site, 'vol-p-0', { readIops: '1' }, op), failure('not-found'))
  })
})

describe('CreateVolume', () => {
  it('refuses mutable parameters that there are not, and makes nothing', async t => {
    const { site, pool } = await networkSite(t)
    const request = { name: 'x', range: undefined, capabilities: [BLOCK], parameters: {}, requisite: [] }
    await assert.rejects(
      createVolume(site, { ...request, mutableParameters: { XXX: '1' } }, op),
      failure('invalid-argument', /XXX/),
    )
    assert.deepEqual(await pool.list(), [])
  })

  it('again is the same request after a change too, and another one with other mutable parameters', async t => {
    const { id, create, modify } = await setUp(t, { readIops: '1', writeIops: '1' })
    await modify({ readIops: '2' })
    assert.equal((await create({ writeIops: '1', readIops: '1' })).id, id)
    for (const other of [{}, { readIops: '2', writeIops: '1' }, { readIops: '1' }])
      await assert.rejects(create(other), failure('already-exists', /mutable parameters .*"readIops":"1"/))
  })

  it('of a copy takes over no mutable parameter of its source', async t => {
    const { site, id, modify } = await setUp(t, { readIops: '1' })
    await modify({ discard: 'off' })
    const source = { kind: 'volume', id } as const
    const request = { name: 'copy', range: undefined, capabilities: [BLOCK], parameters: {}, requisite: [], source }
    const copy = await createVolume(site, { ...request, mutableParameters: { writeIops: '7' } }, op)
    assert.deepEqual([copy.mutableParameters, copy.modified], [{ writeIops: '7' }, undefined])
  })
})

it('ValidateVolumeCapabilities confirms what holds now, and names what does not', async t => {
  const { site, id, modify } = await setUp(t, { readIops: '1' })
  const reason = (mutableParameters: Parameters) =>
    validateCapabilities(site, id, [BLOCK], { parameters: {}, mutableParameters })
  await modify({ discard: 'off' })
  assert.equal(await reason({ discard: 'off', readIops: '1' }), undefined)
  assert.equal(await reason({}), undefined)
  assert.match((await reason({ readIops: '2' })) ?? '', /readIops is 1, not 2/)
  assert.match((await reason({ writeIops: '2' })) ?? '', /writeIops is not set, not 2/)
  assert.match((await reason({ XXX: '2' })) ?? '', /XXX/)
})
