// Tests of topology: legal label values, and which places lie in which.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isServed, isTopologyValue, matches, nodeSegments } from './topology.ts'

describe('the segments of a node', () => {
  it('are legal label values whatever the node is called', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 192 }), node => {
        const [value, ...rest] = Object.values(nodeSegments('csi.ashlar.dev', { node }))
        assert.ok(isTopologyValue(value ?? ''))
        assert.deepEqual(rest, [])
      }),
    )
  })

  it('carry the driver’s prefix, and differ for nodes whose names had to be replaced', () => {
    assert.deepEqual(nodeSegments('d.x', { node: 'n1', zone: 'z', region: 'r' }), {
      'd.x/node': 'n1',
      'd.x/zone': 'z',
      'd.x/region': 'r',
    })
    const long = (end: string) => nodeSegments('d', { node: 'n'.repeat(100) + end })['d/node']
    assert.notEqual(long('a'), long('b'))
  })
})

it('a topology value has 1 to 63 characters and alphanumeric ends', () => {
  for (const good of ['a', 'A.b_c-d', 'x'.repeat(63)]) assert.equal(isTopologyValue(good), true, good)
  for (const bad of ['', '-a', 'a.', 'a b', 'x'.repeat(64), 'a\n', 'ä']) assert.equal(isTopologyValue(bad), false, bad)
})

it('a place is served when one requisite topology contains it, or none is given', () => {
  const place = { 'd/node': 'n1', 'd/zone': 'z1' }
  assert.equal(matches(place, { 'd/zone': 'z1' }), true)
  assert.equal(matches(place, { 'd/zone': 'z1', 'd/rack': 'r' }), false)
  assert.equal(isServed(place, []), true)
  assert.equal(isServed(place, [{ 'd/node': 'n2' }, { 'd/node': 'n1' }]), true)
  assert.equal(isServed(place, [{ 'd/node': 'n2' }, { 'd/node': 'n1', 'd/zone': 'z2' }]), false)
})
