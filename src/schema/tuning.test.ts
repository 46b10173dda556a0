// Tests of the mutable parameters: every key, its values, and its way to the node and back.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failure } from '../../test/fixtures.ts'
import type { Tuning } from './shapes/tuning.ts'
import { encodeTuning, encodeTuningRoute, parseTuning, parseTuningRoute } from './tuning.ts'

const parse = (given: Record<string, string>) => parseTuning('modify', given)
const IOPS: [string[], string[]] = [
  ['none', '1', '999999999'],
  ['', '0', '-1', '01', '1.5', '1k', 'max', 'None', '1000000000', '10\n', '1 wiops=max'],
]
const BYTES: [string[], string[]] = [
  ['none', '1', '1048576', '999999999999999'],
  ['', '0', '-1', '1M', '1Mi', '1e6', '1000000000000000', '10\n'],
]
/** Of each key: values that are allowed, and values that are not. */
const VALUES: Record<keyof Tuning, [good: string[], bad: string[]]> = {
  readIops: IOPS,
  writeIops: IOPS,
  readBytesPerSecond: BYTES,
  writeBytesPerSecond: BYTES,
  readAheadKiB: [
    ['0', '4', '128', '4096', '99996'],
    ['', '-4', '1', '130', '04', '100000', '128k', 'none'],
  ],
  discard: [
    ['on', 'off'],
    ['', 'On', 'true', '0'],
  ],
}

describe('mutable parameters', () => {
  for (const [key, [good, bad]] of Object.entries(VALUES)) {
    it(`${key} takes its values, and names itself when it refuses`, () => {
      for (const value of good) assert.deepEqual(parse({ [key]: value }), { [key]: value })
      for (const value of bad)
        assert.throws(() => parse({ [key]: value }), failure('invalid-argument', new RegExp(`\\b${key} `)), value)
    })
  }

  it('are these and no others: every wrong key is named, with all that there are', () => {
    assert.throws(
      () => parse({ readIops: '1', fsType: 'xfs', XXX: '1' }),
      failure(
        'invalid-argument',
        /unknown key fsType; unknown key XXX; .*readIops, writeIops, .*readAheadKiB, discard$/,
      ),
    )
  })

  it('come with facts about the claim, which are nobody’s business', () => {
    assert.deepEqual(parse({ 'csi.storage.k8s.io/pvc/name': 'p', readIops: '1' }), { readIops: '1' })
  })

  it('are stored in one order, whatever the order of the request', () => {
    const stored = encodeTuning({ writeIops: '2', discard: 'off' })
    assert.equal(JSON.stringify(stored), '{"discard":"off","writeIops":"2"}')
  })

  it('reach the node beside the keys of the transport, under names of their own', () => {
    const all = Object.fromEntries(Object.entries(VALUES).map(([key, [[first = '']]]) => [key, first]))
    const route = encodeTuningRoute(all)
    assert.deepEqual(Object.keys(route).sort(), [
      'discard',
      'read_ahead_kib',
      'read_bytes_per_second',
      'read_iops',
      'write_bytes_per_second',
      'write_iops',
    ])
    assert.deepEqual(parseTuningRoute('publish', { ...route, device_path: '/dev/loop0', readonly: 'false' }), all)
    assert.deepEqual(encodeTuningRoute({ discard: 'on' }), { discard: 'on' })
  })

  it('are absent from the context of an older controller, and never believed unseen', () => {
    assert.deepEqual(parseTuningRoute('publish', { transport: 'loop', size: '1' }), {})
    assert.throws(
      () => parseTuningRoute('publish', { read_iops: '1 wiops=1' }),
      failure('invalid-argument', /readIops/),
    )
  })
})
