// Tests of the mark of an unfinished format: one page for each volume, in places that a growing device keeps.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { deviceOf, failure, GIB, MIB, printPages, testOp } from '../../test/fixtures.ts'
import { fakeHost, type Line } from '../host/fake.ts'
import { clearMarkers, findMarkers, markerPage, markerSpots, writeMarkers } from './format-marker.ts'

const op = testOp()
const ID = 'vol-default-0123456789abcdef0123456789abcdef'
const device = deviceOf(64n * MIB)
const target = { ...device, direct: true }
const SPOTS = markerSpots(device.size)
const WRITE: Line = {
  run: /^dd bs=4096 count=1 iflag=fullblock of=\/dev\/loop7 seek=\d+ oflag=direct,seek_bytes conv=notrunc,fsync status=none$/,
}
const READ = /^xfs_io -r -d (-c pread -v -b 4096 \d+ 4096 )+\/dev\/loop7$/
const reads = (pages: Readonly<Record<string, string>>): Line => ({ run: READ, stdout: printPages(pages) })
const marked = (spots: readonly bigint[], page = markerPage(ID)) =>
  Object.fromEntries(spots.map(spot => [String(spot), page]))

describe('the places of the mark', () => {
  const size = fc.bigInt({ min: 16n, max: 2n ** 30n }).map(mib => mib * MIB)

  it('are whole pages of the device, away from its ends', () => {
    fc.assert(
      fc.property(size, bytes => {
        const spots = markerSpots(bytes)
        assert.ok(spots.length >= 2)
        for (const spot of spots) assert.ok(spot % 4096n === 0n && spot >= MIB && spot + 256n * 1024n <= bytes)
        assert.equal(new Set(spots).size, spots.length)
      }),
    )
  })

  it('are kept by a device that grows', () => {
    fc.assert(
      fc.property(size, size, (a, b) => {
        const larger = new Set(markerSpots(a > b ? a : b))
        for (const spot of markerSpots(a < b ? a : b)) assert.ok(larger.has(spot))
      }),
    )
  })
})

describe('the mark', () => {
  it('is one page that names the volume, the same at every time', () => {
    assert.equal(markerPage(ID).length, 4096)
    assert.equal(markerPage(ID), markerPage(ID))
    assert.match(markerPage(ID), new RegExp(`volume ${ID}\n`))
    assert.notEqual(markerPage(ID), markerPage(ID.replace('0', '1')))
  })

  it('is found where it is, and only if every byte of it is there', async () => {
    const page = markerPage(ID)
    const [first = 0n] = SPOTS
    const found = async (text: string) => await findMarkers(fakeHost([reads(marked([first], text))]), target, ID, op)
    assert.deepEqual(await found(page), [first])
    assert.deepEqual(await found(markerPage('vol-default-ffffffffffffffffffffffffffffffff')), [])
    await fc.assert(
      fc.asyncProperty(fc.nat(4095), async at => {
        assert.deepEqual(await found(`${page.slice(0, at)}\x01${page.slice(at + 1)}`), [])
      }),
      { numRuns: 20 },
    )
  })

  it('that cannot be read is an error, not absent', async () => {
    const short = fakeHost([{ run: READ, stdout: '' }])
    await assert.rejects(findMarkers(short, target, ID, op), failure('unavailable'))
    const dead = fakeHost([{ run: READ, code: 1, stderr: 'Input/output error' }])
    await assert.rejects(findMarkers(dead, target, ID, op), failure('unavailable', /Input\/output error/))
  })

  it('is written to three places past the cache, by something that is never killed, and read back', async () => {
    const wide = deviceOf(GIB)
    const last = markerSpots(GIB).slice(-3)
    const host = fakeHost([WRITE, WRITE, WRITE, reads(marked(last))])
    await writeMarkers(host, wide, ID, op)
    assert.deepEqual(
      host.said.slice(0, 3).map(text => BigInt(/seek=(\d+)/.exec(text)?.[1] ?? 0)),
      last,
    )
    assert.ok(host.commands.slice(0, 3).every(({ stdin, onAbort }) => stdin === markerPage(ID) && onAbort === 'finish'))
    for (const lost of [[], last.slice(1)]) {
      const lying = fakeHost([WRITE, WRITE, WRITE, reads(marked(lost))])
      await assert.rejects(writeMarkers(lying, wide, ID, op), failure('internal', /cannot be read back/))
    }
  })

  it('is cleared wherever it is left, and nothing else is', async () => {
    const left = SPOTS.slice(1, 2)
    const clear: Line = { run: `xfs_io -d -c pwrite -S 0 -b 4096 ${left[0]} 4096 -c fsync /dev/loop7` }
    const host = fakeHost([reads({ ...marked(left), [String(SPOTS[0])]: 'data'.padEnd(4096, '.') }), clear, reads({})])
    await clearMarkers(host, device, ID, op)
    assert.equal(host.left(), 0)
    const none = fakeHost([reads({})])
    await clearMarkers(none, device, ID, op)
    assert.equal(none.said.length, 1)
    const lying = fakeHost([reads(marked(left)), clear, reads(marked(left))])
    await assert.rejects(clearMarkers(lying, device, ID, op), failure('internal', /still bears 1/))
  })
})
