// Tests of capabilities: what is refused, what excludes what.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BLOCK, MOUNT } from '../../test/fixtures.ts'
import { ACCESS_MODES, allowsManyTargets, isCompatible, isReaderOnly, isSameCapability, refusal } from './capability.ts'

describe('access modes', () => {
  it('with several writing nodes are refused for filesystems and served for block', () => {
    const refused = ACCESS_MODES.filter(mode => refusal({ ...MOUNT, mode }) !== undefined)
    assert.deepEqual(refused, ['MULTI_NODE_SINGLE_WRITER', 'MULTI_NODE_MULTI_WRITER'])
    for (const mode of ACCESS_MODES) assert.equal(refusal({ ...BLOCK, mode }), undefined, mode)
  })

  it('that only read are the two', () => {
    assert.deepEqual(ACCESS_MODES.filter(isReaderOnly), ['SINGLE_NODE_READER_ONLY', 'MULTI_NODE_READER_ONLY'])
  })

  it('forbid a second target for the single writer only', () => {
    assert.deepEqual(
      ACCESS_MODES.filter(mode => !allowsManyTargets(mode)),
      ['SINGLE_NODE_SINGLE_WRITER'],
    )
  })
})

describe('two capabilities', () => {
  it('are the same when every part is, in order', () => {
    const flags = { ...MOUNT, mountFlags: ['noatime', 'ro'] }
    assert.equal(isSameCapability(flags, { mountFlags: ['noatime', 'ro'], mode: MOUNT.mode, access: 'mount' }), true)
    assert.equal(isSameCapability(flags, { ...MOUNT, mountFlags: ['ro', 'noatime'] }), false)
    assert.equal(isSameCapability(MOUNT, { ...MOUNT, fsType: 'xfs' }), false)
    assert.equal(isSameCapability(MOUNT, BLOCK), false)
  })

  it('are compatible when access type and filesystem fit, whatever the mode', () => {
    const xfs = { ...MOUNT, fsType: 'xfs' } as const
    assert.equal(isCompatible([MOUNT], xfs), true)
    assert.equal(isCompatible([xfs], MOUNT), true)
    assert.equal(isCompatible([xfs], { ...MOUNT, fsType: 'ext4' }), false)
    assert.equal(isCompatible([MOUNT], BLOCK), false)
    assert.equal(isCompatible([MOUNT, BLOCK], { ...BLOCK, mode: 'MULTI_NODE_MULTI_WRITER' }), true)
    assert.equal(isCompatible([], MOUNT), false)
  })
})
