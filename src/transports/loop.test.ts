// Tests of the loop route: what is sent arrives, what is tampered with is refused.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { failure } from '../../test/fixtures.ts'
import { encodeVolumeId } from '../volume/ids.ts'
import { encodeLoopRoute, parseLoopRoute } from './loop.ts'

const id = encodeVolumeId('p', 'name')
const route = encodeLoopRoute({
  backingFile: `/pool/volumes/${id}/data`,
  sectorSize: 512,
  readonly: false,
  size: 1024n,
})
const refused = failure('invalid-argument', /publish context/)
const folder = fc
  .array(fc.string({ unit: fc.constantFrom(...'abc ä"\'\\$-.'), minLength: 1, maxLength: 8 }), { maxLength: 4 })
  .filter(parts => !parts.some(part => part === '.' || part === '..'))
  .map(parts => parts.map(part => `/${part}`).join(''))

describe('a loop route', () => {
  it('comes back as it was sent, whatever the pool’s folder is called and however large the volume', () => {
    fc.assert(
      fc.property(
        folder,
        fc.constantFrom(512, 4096),
        fc.boolean(),
        fc.bigInt(0n, 2n ** 63n - 1n),
        (parent, sectorSize, readonly, size) => {
          const sent = { backingFile: `${parent}/${id}/data`, sectorSize, readonly, size }
          const travelling = encodeLoopRoute(sent)
          assert.ok(Object.values(travelling).every(value => typeof value === 'string'))
          assert.deepEqual(parseLoopRoute(id, travelling), sent)
          assert.throws(() => parseLoopRoute(encodeVolumeId('p', 'other'), travelling), refused)
        },
      ),
    )
  })

  it('with any key missing is refused', () => {
    for (const key of Object.keys(route)) {
      const { [key]: _, ...rest } = route
      assert.throws(() => parseLoopRoute(id, rest), refused, key)
    }
  })

  it('that leads to another file is refused', () => {
    for (const path of [
      '/etc/shadow',
      '/dev/sda',
      `/pool/volumes/${id}`,
      `pool/volumes/${id}/data`,
      `/pool/volumes/${id}/../${encodeVolumeId('p', 'other')}/data`,
      `/pool/volumes/${encodeVolumeId('p', 'other')}/../${id}/data`,
      `/pool/volumes/${id}//data`,
      `/pool/volumes/${id}/./data`,
      `/pool/volumes/${id}/deep/data`,
      `/pool/volumes/x${id}/data`,
    ])
      assert.throws(() => parseLoopRoute(id, { ...route, backing_file: path }), refused, path)
    assert.throws(() => parseLoopRoute('../..', { ...route, backing_file: '/pool/../../data' }), refused)
  })

  it('with a value that is not exactly what we send is refused', () => {
    const wrong = {
      sector_size: ['', '0', '1024', '512 ', '512\n', '0x200', '-512', '4096,512'],
      readonly: ['', 'True', '1', 'true\n', 'yes'],
      size: ['', '-1', '1e9', '1.5', ' 1', '1\n', '9'.repeat(20), 'NaN'],
    }
    for (const [key, values] of Object.entries(wrong)) {
      for (const value of values)
        assert.throws(() => parseLoopRoute(id, { ...route, [key]: value }), refused, `${key}=${JSON.stringify(value)}`)
    }
  })
})
