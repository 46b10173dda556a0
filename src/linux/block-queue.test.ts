// Tests of queues of block devices: what is written, and what is said of a kernel that does something else.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deviceOf, failure, GIB, testOp } from '../../test/fixtures.ts'
import { type FakeHost, fakeHost, type Line } from '../host/fake.ts'
import { queueShortfalls, tuneDiscard, tuneReadAhead } from './block-queue.ts'

const op = testOp()
const device = deviceOf(GIB, { path: '/dev/sda', kname: 'sda', number: '8:0' })
const QUEUE = '/sys/block/sda/queue'
const AS_MADE = {
  [`${QUEUE}/read_ahead_kb`]: '128\n',
  [`${QUEUE}/discard_max_bytes`]: '4294966784\n',
  [`${QUEUE}/discard_max_hw_bytes`]: '4294966784\n',
  [`${QUEUE}/discard_granularity`]: '4096\n',
}
const OFF = { ...AS_MADE, [`${QUEUE}/discard_max_bytes`]: '0\n' }
const writes = (name: string): Line => ({ run: `dd of=${QUEUE}/${name} conv=notrunc,nocreat status=none` })
const input = ({ commands }: FakeHost) => commands.map(({ stdin }) => stdin)

describe('tuning a queue', () => {
  it('writes by a child that can be given up', async () => {
    const host = fakeHost([writes('discard_max_bytes'), writes('read_ahead_kb')], AS_MADE)
    await tuneDiscard(host, device, { discard: 'off' }, op)
    await tuneReadAhead(host, device, { readAheadKiB: '512' }, op)
    assert.deepEqual([input(host), host.left()], [['0', '512'], 0])
    assert.ok(host.commands.every(({ onAbort }) => onAbort === 'kill'))
  })

  it('touches nothing that is so already, or that nobody asked for', async () => {
    const host = fakeHost([], AS_MADE)
    for (const wish of [{ readAheadKiB: '128', discard: 'on' } as const, {}]) {
      await tuneDiscard(host, device, wish, op)
      await tuneReadAhead(host, device, wish, op)
    }
    await tuneDiscard(fakeHost([], OFF), device, { discard: 'off' }, op)
  })

  it('allows discards in whole granules, if the device can do any', async () => {
    for (const [able, written] of [
      ['4294966784', ['4294963200']],
      ['8192', ['8192']],
      ['0', []],
    ] as const) {
      const script = written.length > 0 ? [writes('discard_max_bytes')] : []
      const host = fakeHost(script, { ...OFF, [`${QUEUE}/discard_max_hw_bytes`]: `${able}\n` })
      await tuneDiscard(host, device, { discard: 'on' }, op)
      assert.deepEqual(input(host), written)
    }
  })

  it('takes discards from no loop device: the number would keep that for another volume, for good', async () => {
    const kernel = { '/sys/block/loop7/queue/discard_max_bytes': '4096\n' }
    await tuneDiscard(fakeHost([], kernel), deviceOf(), { discard: 'off' }, op)
    const [told = ''] = await queueShortfalls(fakeHost([], kernel), deviceOf(), { discard: 'off' })
    assert.match(told, /^discard off is not in effect on \/dev\/loop7: a loop device would keep it/)
  })

  it('says what the kernel refuses', async () => {
    const host = fakeHost([{ ...writes('read_ahead_kb'), code: 1, stderr: 'Read-only file system' }], AS_MADE)
    await assert.rejects(
      tuneReadAhead(host, device, { readAheadKiB: '4' }, op),
      failure('unavailable', /write "4" to .*read_ahead_kb: .*Read-only file system.*writable/),
    )
  })
})

describe('what is not in effect', () => {
  const found = (kernel: Record<string, string>, wish: Parameters<typeof queueShortfalls>[2]) =>
    queueShortfalls(fakeHost([], kernel), device, wish)

  it('is nothing when the kernel shows what was wished, or nothing was', async () => {
    assert.deepEqual(await found(AS_MADE, { readAheadKiB: '128', discard: 'on' }), [])
    assert.deepEqual(await found(AS_MADE, {}), [])
    assert.deepEqual(await found(OFF, { discard: 'off' }), [])
  })

  it('is named with what the kernel shows instead', async () => {
    const [readAhead = '', discard = ''] = await found(AS_MADE, { readAheadKiB: '512', discard: 'off' })
    assert.match(readAhead, /^readAheadKiB 512 .*\/dev\/sda is 128$/)
    assert.match(discard, /^discard off .*takes discards$/)
    const [unknown = '', none = ''] = await found({}, { readAheadKiB: '512', discard: 'on' })
    assert.match(unknown, /not known$/)
    assert.match(none, /takes no discards$/)
  })
})
