// Tests of the translation: limits are kept, numbers keep every digit, and what our proto does not know is refused.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { BLOCK, failure, MOUNT } from '../../test/fixtures.ts'
import { ACCESS_MODES } from '../volume/capability.ts'
import type { VolumeCapability__Output } from './generated/csi/v1/VolumeCapability.ts'
import {
  encodeCapability,
  encodeSnapshot,
  encodeVolume,
  parseCapability,
  parseContentSource,
  parseMap,
  parseName,
  parsePage,
  parseRange,
  parseRequisite,
  refuseForeignParameters,
} from './translate.ts'

const refused = failure('invalid-argument')
const mount = (rest: object = {}, mode: unknown = 'SINGLE_NODE_WRITER') =>
  ({
    access_type: 'mount',
    mount: { fs_type: '', mount_flags: [], volume_mount_group: '', ...rest },
    access_mode: { mode },
  }) as unknown as VolumeCapability__Output

describe('a capacity range', () => {
  const range = (required_bytes: string, limit_bytes: string) => parseRange('t', { required_bytes, limit_bytes })

  it('keeps every digit of an int64', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 2n ** 63n - 1n), fc.bigInt(0n, 2n ** 62n), (required, more) => {
        assert.deepEqual(range(String(required), '0'), { required, limit: 0n })
        assert.deepEqual(range(String(required), String(required + more)), { required, limit: required + more })
      }),
    )
    assert.equal(parseRange('t', null), undefined)
    assert.deepEqual(range('0', '5'), { required: 0n, limit: 5n })
  })

  it('that is negative, upside down or empty is refused', () => {
    for (const [required, limit] of [
      ['-1', '0'],
      ['0', '-1'],
      ['2', '1'],
      ['0', '0'],
    ] as const)
      assert.throws(() => range(required, limit), refused, `${required} ${limit}`)
  })
})

describe('a capability', () => {
  it('survives the way there and back', () => {
    for (const mode of ACCESS_MODES) {
      for (const each of [
        { ...MOUNT, mode, fsType: 'xfs', mountFlags: ['noatime', 'ro'] } as const,
        { ...MOUNT, mode },
        { ...BLOCK, mode },
      ]) {
        const message = { ...encodeCapability(each), access_type: each.access } as VolumeCapability__Output
        assert.deepEqual(parseCapability('t', message), each)
      }
    }
  })

  it('without type or mode, or of a mode that our proto does not know, is refused', () => {
    for (const given of [
      null,
      {},
      { access_mode: { mode: 'SINGLE_NODE_WRITER' } },
      { ...mount(), access_mode: null },
      { ...mount(), access_type: 'nfs' },
      mount({}, 'UNKNOWN'),
      mount({}, 99),
      mount({}, '99'),
      { ...mount(), access_mode: {} },
    ])
      assert.throws(
        () => parseCapability('t', given as VolumeCapability__Output | null),
        refused,
        JSON.stringify(given),
      )
    assert.throws(() => parseCapability('t', mount({}, 99)), failure('invalid-argument', /"99".*SINGLE_NODE_WRITER/))
  })

  it('with an unknown filesystem, a mount group or too many flags is refused', () => {
    assert.throws(
      () => parseCapability('t', mount({ fs_type: 'btrfs' })),
      failure('invalid-argument', /btrfs.*ext4, xfs/),
    )
    assert.throws(() => parseCapability('t', mount({ volume_mount_group: '1000' })), refused)
    assert.throws(() => parseCapability('t', mount({ mount_flags: ['a'.repeat(4000), 'b'.repeat(97)] })), refused)
    assert.equal(parseCapability('t', mount({ mount_flags: ['a'.repeat(4000), 'b'.repeat(96)] })).mountFlags.length, 2)
  })

  it('splits joined flags, so that every one is looked at', () => {
    assert.deepEqual(parseCapability('t', mount({ mount_flags: ['ro,noatime', 'discard'] })).mountFlags, [
      'ro',
      'noatime',
      'discard',
    ])
  })
})

describe('a name', () => {
  it('has at most 128 bytes, not characters', () => {
    assert.equal(parseName('t', 'ä'.repeat(64)), 'ä'.repeat(64))
    assert.throws(() => parseName('t', 'ä'.repeat(65)), refused)
    assert.throws(() => parseName('t', 'a'.repeat(129)), refused)
  })

  it('may hold what the spec allows, new lines included, and no other control character', () => {
    for (const good of ['a/b', '..', '"', "'", 'a\nb', 'a\tb', 'a\rb', '🪨', ' '])
      assert.equal(parseName('t', good), good)
    for (const code of [0, 1, 8, 0x0b, 0x0c, 0x0e, 0x1b, 0x1f, 0x7f, 0x85, 0x9f])
      assert.throws(() => parseName('t', `a${String.fromCharCode(code)}`), refused, code.toString(16))
  })
})

it('a map has at most 4 KiB in keys and values together', () => {
  const map = { key: 'v'.repeat(4093) }
  assert.equal(parseMap('t', 'parameters', map), map)
  assert.throws(
    () => parseMap('t', 'parameters', { key: 'v'.repeat(4094) }),
    failure('invalid-argument', /parameters has 4097/),
  )
  assert.throws(() => parseMap('t', 'parameters', { ['ä'.repeat(1024)]: 'ä'.repeat(1025) }), refused)
})

it('requisite topologies come first, preferred ones only without them', () => {
  const [a, b] = [{ segments: { k: 'a' } }, { segments: { k: 'b' } }]
  assert.deepEqual(parseRequisite({ requisite: [a], preferred: [b] }), [{ k: 'a' }])
  assert.deepEqual(parseRequisite({ requisite: [], preferred: [b] }), [{ k: 'b' }])
  assert.deepEqual(parseRequisite(null), [])
})

it('a volume tells its size with every digit', () => {
  const volume = {
    ...{ id: 'v', name: 'n', pool: 'p', transport: 'loop', sectorSize: 512, capabilities: [], size: 2n ** 62n + 1n },
    parameters: { fsType: 'xfs' },
    segments: { k: 'a' },
  }
  assert.deepEqual(encodeVolume(volume), {
    volume_id: 'v',
    capacity_bytes: '4611686018427387905',
    volume_context: { fsType: 'xfs' },
    accessible_topology: [{ segments: { k: 'a' } }],
  })
})

describe('a content source', () => {
  it('is a snapshot or a volume, and names it', () => {
    assert.equal(parseContentSource('t', null), undefined)
    const snapshot = { type: 'snapshot', snapshot: { snapshot_id: 's' }, volume: null } as const
    const volume = { type: 'volume', snapshot: null, volume: { volume_id: 'v' } } as const
    assert.deepEqual(parseContentSource('t', snapshot), { kind: 'snapshot', id: 's' })
    assert.deepEqual(parseContentSource('t', volume), { kind: 'volume', id: 'v' })
    for (const each of [{}, { ...snapshot, snapshot: { snapshot_id: '' } }, { ...volume, volume: null }])
      assert.throws(() => parseContentSource('t', each), refused)
  })
})

describe('a snapshot', () => {
  it('keeps every digit of its size and time', () => {
    const origin = { volume: 'v', capabilities: [], parameters: {}, sectorSize: 512 }
    const base = { id: 's', name: 'n', source: 'v', pool: 'p', ready: false, origin }
    const { size_bytes, creation_time } = encodeSnapshot({
      ...base,
      size: 2n ** 62n + 1n,
      created: 1_700_000_000_123_456_789n,
    })
    assert.deepEqual(
      [size_bytes, creation_time],
      ['4611686018427387905', { seconds: '1700000000', nanos: 123_456_789 }],
    )
  })

  it('takes the parameters of sidecars, and no others', () => {
    refuseForeignParameters('t', { 'csi.storage.k8s.io/volumesnapshot/name': 'x' })
    assert.throws(() => refuseForeignParameters('t', { fsType: 'xfs' }), failure('invalid-argument', /"fsType"/))
  })
})

it('a page is not negative', () => {
  assert.deepEqual(parsePage('t', { max_entries: 0, starting_token: 'x' }), { size: 0, token: 'x' })
  assert.throws(() => parsePage('t', { max_entries: -1, starting_token: '' }), refused)
})
