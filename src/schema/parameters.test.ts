// Tests of the StorageClass parameters: every key, and messages that a user can act on.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failure } from '../../test/fixtures.ts'
import { encodeParameters, parseParameters, parseVolumeContext } from './parameters.ts'

const parse = (given: Record<string, string>) => parseParameters('create', given)
/** Of each key: values that are allowed, and values that are not. */
const VALUES: Record<string, [good: string[], bad: string[]]> = {
  pool: [['default', 'fast'], []],
  transport: [['loop'], []],
  fsType: [
    ['ext4', 'xfs'],
    ['', 'EXT4', 'btrfs', 'ext3', 'ext4 -F'],
  ],
  blockSize: [
    ['1024', '2048', '4096'],
    ['', '512', '4k', '65536'],
  ],
  inodeSize: [
    ['256', '512', '1024', '2048'],
    ['128', '0256', '4096'],
  ],
  bytesPerInode: [
    ['1024', '16384', '99999999'],
    ['999', '0', '-1', '1e4', '100000000', '16384 -F', '16384\n'],
  ],
  reservedPercent: [
    ['0', '5', '50'],
    ['51', '-1', '05', '1.5', ''],
  ],
  reflink: [
    ['true', 'false'],
    ['1', 'True', ''],
  ],
  mountPermissions: [
    ['755', '0777', '2770'],
    ['778', '77', '07777', 'u+x', ''],
  ],
  uid: [
    ['0', '1000', '4294967294'],
    ['-1', '01', 'root', '1000:1000', '', '4294967295', '99999999999'],
  ],
  gid: [
    ['0', '1000', '4294967294'],
    ['-1', '01', 'root', '', '4294967295', '99999999999'],
  ],
}

describe('storage parameters', () => {
  for (const [key, [good, bad]] of Object.entries(VALUES)) {
    it(`${key} takes its values, and names itself when it refuses`, () => {
      for (const value of good) assert.deepEqual(parse({ [key]: value }), { [key]: value })
      for (const value of bad)
        assert.throws(() => parse({ [key]: value }), failure('invalid-argument', new RegExp(`\\b${key} `)), value)
    })
  }

  it('are these and no others: the message lists them all', () => {
    assert.throws(
      () => parse({ fstyp: 'ext4', mkfsOptions: '-F' }),
      failure(
        'invalid-argument',
        new RegExp(`unknown key fstyp; unknown key mkfsOptions; .*${Object.keys(VALUES).join(', ')}`),
      ),
    )
  })

  it('with several faults are refused with all of them, and with the allowed values', () => {
    assert.throws(
      () => parse({ fsType: 'zfs', blockSize: '1', a: 'b' }),
      (error: Error) =>
        ['unknown key a', 'fsType must be one of: ext4, xfs', 'blockSize must be one of: 1024, 2048, 4096'].every(
          each => error.message.includes(each),
        ),
    )
  })

  it('of one filesystem are refused for the other', () => {
    for (const [key, value] of [
      ['bytesPerInode', '8192'],
      ['reservedPercent', '1'],
    ] as const) {
      assert.throws(
        () => parse({ fsType: 'xfs', [key]: value }),
        failure('invalid-argument', new RegExp(`${key} is for ext4`)),
      )
      assert.equal(parse({ fsType: 'ext4', [key]: value })[key], value)
    }
    assert.throws(() => parse({ fsType: 'ext4', reflink: 'true' }), failure('invalid-argument', /reflink is for xfs/))
  })

  it('of Kubernetes are ignored, but for the filesystem type', () => {
    const metadata = {
      'csi.storage.k8s.io/pvc/name': 'claim',
      'csi.storage.k8s.io/pv/name': 'pv',
      'csi.storage.k8s.io/node-stage-secret-name': 'canary',
    }
    assert.deepEqual(parse({ ...metadata, pool: 'p' }), { pool: 'p' })
    assert.deepEqual(parse({ ...metadata, 'csi.storage.k8s.io/fstype': 'xfs' }), { fsType: 'xfs' })
    assert.deepEqual(parse({ fstype: 'xfs' }), { fsType: 'xfs' })
    assert.deepEqual(parse({ 'csi.storage.k8s.io/fstype': '' }), {})
    assert.throws(
      () => parse({ 'csi.storage.k8s.io/fstype': 'zfs' }),
      failure('invalid-argument', /fsType must be one of/),
    )
  })

  it('are stored in one order without metadata, and come back from the volume context', () => {
    const parsed = parse({ uid: '1', fsType: 'xfs', 'csi.storage.k8s.io/pvc/name': 'c', blockSize: '4096' })
    const stored = encodeParameters(parsed)
    assert.deepEqual(Object.entries(stored), [
      ['blockSize', '4096'],
      ['fsType', 'xfs'],
      ['uid', '1'],
    ])
    const context = {
      ...stored,
      'storage.kubernetes.io/csiProvisionerIdentity': 'x',
      'csi.storage.k8s.io/pod.name': 'p',
      'csi.storage.k8s.io/ephemeral': 'false',
    }
    assert.deepEqual(parseVolumeContext('stage', context), parsed)
    assert.throws(
      () => parseVolumeContext('stage', { ...context, evil: '1' }),
      failure('invalid-argument', /unknown key evil/),
    )
  })
})
