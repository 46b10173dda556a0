// Tests of ids: any legal name becomes one short, harmless id, and the id leads back to its pool.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  encodeGroupId,
  encodeMemberId,
  encodeSnapshotId,
  encodeVolumeId,
  filesystemUuid,
  isPoolName,
  parseGroupId,
  parseMemberId,
  parseSnapshotId,
  parseVolumeId,
} from './ids.ts'

const NASTY = [
  '/',
  '..',
  '../../etc/passwd',
  '"',
  "'",
  '`$(id)`',
  'a\nb',
  'a\tb',
  ' ',
  '^',
  '\\',
  '%s',
  '🪨'.repeat(32),
]
const name = fc.oneof(
  fc.constantFrom(...NASTY),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 128 }).filter(text => Buffer.byteLength(text) <= 128),
)
const alphanumeric = [...'abcdefghijklmnopqrstuvwxyz0123456789']
const pool = fc
  .tuple(
    fc.constantFrom(...alphanumeric),
    fc.string({ unit: fc.constantFrom(...alphanumeric, '-'), maxLength: 30 }),
    fc.constantFrom(...alphanumeric),
  )
  .map(parts => parts.join(''))

describe('a volume id', () => {
  it('is legal for CSI, for a file name and for kube-controller-manager, whatever the name', () => {
    fc.assert(
      fc.property(pool, name, (where, called) => {
        const id = encodeVolumeId(where, called)
        assert.match(id, /^[a-z0-9-]+$/)
        assert.ok(Buffer.byteLength(id) <= 128)
        assert.equal(id, encodeVolumeId(where, called))
      }),
    )
  })

  it('is parsed back into its pool, also when the pool looks like an id', () => {
    fc.assert(
      fc.property(pool, name, (where, called) => {
        const parsed = parseVolumeId(encodeVolumeId(where, called))
        assert.equal(parsed?.pool, where)
        assert.equal(encodeVolumeId(where, called), `vol-${where}-${parsed.hash}`)
      }),
    )
  })

  it('differs between names that differ in one character only', () => {
    const ids = ['a', 'A', 'a ', 'é', 'e\u0301', ...NASTY].map(each => encodeVolumeId('p', each))
    assert.equal(new Set(ids).size, ids.length)
  })

  it('of someone else is not ours', () => {
    const hash = '0123456789abcdef0123456789abcdef'
    assert.deepEqual(parseVolumeId(`vol-p-${hash}`), { pool: 'p', hash })
    for (const foreign of [
      '',
      'vol',
      `vol--${hash}`,
      `vol-P-${hash}`,
      `vol-p-${hash}0`,
      `vol-p-${hash.slice(1)}`,
      `vol-p-${hash.toUpperCase()}`,
      `vol-../../x-${hash}`,
      `vol-p-${hash}\n`,
      `xvol-p-${hash}`,
      `vol-${'p'.repeat(33)}-${hash}`,
    ])
      assert.equal(parseVolumeId(foreign), undefined, foreign)
  })
})

it('a pool name is lower-case, short and cannot begin or end with a dash', () => {
  for (const good of ['a', 'default', 'fast-ssd', '0', 'a'.repeat(32)]) assert.equal(isPoolName(good), true, good)
  for (const bad of ['', '-a', 'a-', 'A', 'a_b', 'a/b', '..', 'a'.repeat(33), 'a\n'])
    assert.equal(isPoolName(bad), false, bad)
})

it('a filesystem UUID is a valid version 8 UUID, stable, and its volume’s own', () => {
  const uuid = filesystemUuid('vol-p-1')
  assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(uuid, filesystemUuid('vol-p-1'))
  assert.notEqual(uuid, filesystemUuid('vol-p-2'))
})

describe('the id of a snapshot in a group', () => {
  it('leads back to the group and its place there, and is a snapshot of the pool', () => {
    fc.assert(
      fc.property(pool, name, fc.nat(999), (of, text, place) => {
        const group = encodeGroupId(of, text)
        const id = encodeMemberId(group, place)
        assert.deepEqual(parseMemberId(id), { group, place })
        assert.equal(parseSnapshotId(id)?.pool, of)
        assert.equal(parseGroupId(group)?.pool, of)
        for (const parse of [parseVolumeId, parseGroupId]) assert.equal(parse(id), undefined)
      }),
    )
  })

  it('is no other id, and no other id is one', () => {
    fc.assert(
      fc.property(pool, name, (of, text) => {
        assert.equal(parseMemberId(encodeSnapshotId(of, text)), undefined)
        assert.equal(parseSnapshotId(encodeGroupId(of, text)), undefined)
        for (const place of ['', '-', '-01', '-1000', '-1-1', '-x', '/1'])
          assert.equal(parseMemberId(`${encodeSnapshotId(of, text)}${place}`), undefined)
        assert.equal(parseMemberId(`${encodeVolumeId(of, text)}-1`), undefined)
      }),
    )
  })
})
