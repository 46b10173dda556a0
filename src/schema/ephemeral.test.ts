// Tests of what a pod may ask for: a size, a filesystem, and options that harm nobody.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failure } from '../../test/fixtures.ts'
import type { Capability } from '../volume/capability.ts'
import { isEphemeral, parseEphemeralWish } from './ephemeral.ts'

const CAPABILITY: Capability = { access: 'mount', mode: 'SINGLE_NODE_WRITER', fsType: 'ext4', mountFlags: [] }
const KUBELET = { 'csi.storage.k8s.io/ephemeral': 'true', 'csi.storage.k8s.io/pod.uid': 'u' }

const parse = (attributes: Record<string, string>, capability: Partial<Capability> = {}) =>
  parseEphemeralWish('publish', { ...KUBELET, ...attributes }, { ...CAPABILITY, ...capability })
const refuses = (attributes: Record<string, string>, capability: Partial<Capability>, message: RegExp): void =>
  assert.throws(() => parse(attributes, capability), failure('invalid-argument', message))

describe('what a pod may ask for', () => {
  it('is a size in whole binary units, or none', () => {
    const sizes = ['1', '1024', '4Ki', '500Mi', '1Gi', '2Ti'].map(size => parse({ size }).size)
    assert.deepEqual(sizes, [1n, 1024n, 4096n, 500n << 20n, 1n << 30n, 2n << 40n])
    assert.equal(parse({}).size, undefined)
  })

  for (const size of ['', '0', '-1', '1.5Gi', '1G', '1gi', '01Gi', ' 1Gi', '1Gi\n', '1e9', '9999999999999999'])
    it(`is not the size ${JSON.stringify(size)}`, () => refuses({ size }, {}, /is not a size/))

  for (const key of [
    'pool',
    'transport',
    'path',
    'fsType',
    'uid',
    'mountPermissions',
    'blockSize',
    'readIops',
    'device',
  ])
    it(`is not ${key}`, () => refuses({ [key]: '1' }, {}, new RegExp(`attribute "${key}"`)))

  it('is a filesystem that one pod writes to', () => {
    refuses({}, { access: 'block' }, /block device/)
    for (const mode of ['SINGLE_NODE_READER_ONLY', 'MULTI_NODE_READER_ONLY', 'MULTI_NODE_SINGLE_WRITER'] as const)
      refuses({}, { mode }, new RegExp(mode))
    for (const mode of ['SINGLE_NODE_WRITER', 'SINGLE_NODE_SINGLE_WRITER', 'SINGLE_NODE_MULTI_WRITER'] as const)
      assert.ok(parse({}, { mode }))
  })

  it('is no mount option that reaches beyond the volume, changes what errors do, or lets go of a protection', () => {
    for (const option of [
      'suid',
      'dev',
      'exec',
      'ro',
      'errors=continue',
      'discard',
      'data=writeback',
      'loop',
      'usrquota',
    ])
      refuses({}, { mountFlags: [option] }, /not for pods to choose/)
    assert.ok(parse({}, { mountFlags: ['nosuid', 'noatime', 'context="system_u:object_r:container_file_t:s0:c1,c2"'] }))
  })
})

it('only kubelet says that a volume is ephemeral, with a word', () => {
  assert.equal(isEphemeral(KUBELET), true)
  for (const value of ['false', 'True', '1', ''])
    assert.equal(isEphemeral({ 'csi.storage.k8s.io/ephemeral': value }), false)
  assert.equal(isEphemeral({ ephemeral: 'true' }), false)
})
