// Tests of names and routes: they arrive as sent, and nothing else is accepted.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { failure } from '../../../test/fixtures.ts'
import { encodeVolumeId } from '../../volume/ids.ts'
import { isIqn } from '../../volume/node-id.ts'
import { initiatorName, serialOf, targetName, volumeOfTarget } from './names.ts'
import { encodeIscsiRoute, type IscsiRoute, parseIscsiRoute } from './route.ts'

const id = encodeVolumeId('p', 'one')
const INITIATOR = 'iqn.2026-01.dev.ashlar:node.a'
const other = encodeVolumeId('p', 'two')
const sent: IscsiRoute = {
  target: targetName(id),
  lun: 2_147_483_647,
  portals: ['10.0.0.1:3260', '[fd00::1]:3261'],
  serial: serialOf(id),
  size: 1024n,
  sectorSize: 512,
  readonly: false,
  chap: { mode: 'mutual', nonce: 'a'.repeat(32), key: '0123abcd' },
}
const route = encodeIscsiRoute(sent)
const refused = failure('invalid-argument', /publish context/)

describe('an iSCSI route', () => {
  it('comes back as it was sent', () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, 2n ** 63n - 1n),
        fc.boolean(),
        fc.constantFrom('none', 'one-way'),
        (size, readonly, mode) => {
          const chap =
            mode === 'none'
              ? { mode: 'none' as const }
              : { mode: 'one-way' as const, nonce: 'f'.repeat(32), key: '00000000' }
          const given = { ...sent, size, readonly, chap }
          assert.deepEqual(parseIscsiRoute(id, INITIATOR, encodeIscsiRoute(given)), given)
        },
      ),
    )
  })

  it('with any key missing is refused', () => {
    for (const key of Object.keys(route)) {
      const { [key]: _, ...rest } = route
      assert.throws(() => parseIscsiRoute(id, INITIATOR, rest), refused, key)
    }
  })

  it('of another volume, or with a value that is not exactly what we send, is refused', () => {
    assert.throws(() => parseIscsiRoute(other, INITIATOR, route), refused)
    const wrong = {
      target: [targetName(other), `${targetName(id)} `, `${targetName(id)}\n`, '', 'iqn.2001-04.com.example:x'],
      serial: [serialOf(other), '', serialOf(id).toUpperCase(), `${serialOf(id)}0`],
      lun_id: ['-1', '', '2147483648', '1 ', '0x1'],
      portals: [
        '',
        '10.0.0.1',
        '10.0.0.1:0',
        '10.0.0.1:99999',
        '10.0.0.1:3260,',
        '--help',
        '10.0.0.1:3260 -x',
        'host:3260',
      ],
      size: ['', '-1', '1e9', '9'.repeat(20)],
      sector_size: ['', '0', '1024'],
      readonly: ['', 'True', '1'],
      chap: ['', 'CHAP', 'none '],
      chap_nonce: ['', 'g'.repeat(32), 'a'.repeat(31)],
      chap_key: ['', '0123abcg', '0123abcd0'],
    }
    for (const [key, values] of Object.entries(wrong)) {
      for (const value of values)
        assert.throws(
          () => parseIscsiRoute(id, INITIATOR, { ...route, [key]: value }),
          refused,
          `${key}=${JSON.stringify(value)}`,
        )
    }
  })
})

describe('names', () => {
  it('of targets lead back to their volumes, and others to none', () => {
    assert.equal(volumeOfTarget(targetName(id)), id)
    assert.ok(isIqn(targetName(encodeVolumeId('p'.repeat(32), 'x'))))
    for (const foreign of [
      '',
      'iqn.2026-01.dev.ashlar:',
      'iqn.2026-01.dev.ashlar:x',
      `iqn.2003-01.org.linux-iscsi:${id}`,
      `${targetName(id)}:x`,
    ])
      assert.equal(volumeOfTarget(foreign), undefined, foreign)
  })

  it('of initiators are legal and different for different nodes, whatever those are called', () => {
    const nodes = [
      'node-a',
      'node-b',
      'Node-A',
      'node_a',
      'a'.repeat(192),
      `${'a'.repeat(191)}b`,
      'n ',
      'ä',
      'node.a',
      'node-a.',
    ]
    const names = nodes.map(initiatorName)
    assert.ok(names.every(isIqn), names.join('\n'))
    assert.equal(new Set(names).size, nodes.length)
  })

  it('of units are different from the first 25 digits on, which are all that LIO uses', () => {
    const serials = Array.from({ length: 1000 }, (_, n) => serialOf(encodeVolumeId('p', String(n))))
    assert.ok(serials.every(each => /^[0-9a-f]{32}$/.test(each)))
    assert.equal(new Set(serials.map(each => each.slice(0, 25))).size, serials.length)
  })
})
