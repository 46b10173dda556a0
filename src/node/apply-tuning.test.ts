// Tests of mutable parameters on a node: set where they can be, told where not, and never a reason to fail.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deviceOf, kernelOf } from '../../test/fixtures.ts'
import { type FakeHost, fakeHost, type Line } from '../host/fake.ts'
import type { Op } from '../volume/op.ts'
import { SILENT } from '../volume/op.ts'
import { tuneDevice, tuneTarget, tuningShortfalls } from './apply-tuning.ts'

const device = deviceOf()
const POD = '0b5e8f4c-1d2e-4f3a-9b8c-7d6e5f4a3b2c'
const PATH = `/pods/${POD}/volumes/kubernetes.io~csi/pv/mount`
const GROUP = `/sys/fs/cgroup/kubepods/burstable/pod${POD}`
const READ_AHEAD = '/sys/block/loop7/queue/read_ahead_kb'
const MOUNTS = [
  '30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw',
  `40 25 7:7 / ${PATH} rw - ext4 /dev/loop7 rw`,
  '41 25 0:6 /loop8 /view rw - devtmpfs udev rw',
].join('\n')
const VIEW = deviceOf(device.size, { path: '/dev/loop8', kname: 'loop8', number: '7:8', readonly: true })
const KERNEL = {
  ...kernelOf(device, '/pool/data'),
  ...kernelOf(VIEW, '/dev/loop7'),
  '/proc/self/mountinfo': `${MOUNTS}\n`,
  '/sys/fs/cgroup/cgroup.controllers': 'io memory\n',
  [`${GROUP}/io.max`]: '',
  [READ_AHEAD]: '128\n',
}
const target = { path: PATH, readonly: false, pod: POD }
const tuning = { readIops: '100', writeBytesPerSecond: 'none', readAheadKiB: '512' }

function listen() {
  const warnings: object[] = []
  const op: Op = {
    log: { ...SILENT, warn: fields => void warnings.push(fields) },
    signal: new AbortController().signal,
  }
  return { op, warnings: () => JSON.stringify(warnings) }
}

/** A write to a file of the kernel, which then shows this. */
const writes = (host: () => FakeHost, path: string, shows: string): Line => ({
  run: `dd of=${path} conv=notrunc,nocreat status=none`,
  effect: () => void host().kernel.set(path, shows),
})

describe('what is published', () => {
  it('gets its read-ahead, and its pod the limits, and nobody hears of it', async () => {
    const script = [
      writes(() => host, READ_AHEAD, '512\n'),
      writes(() => host, `${GROUP}/io.max`, '7:7 rbps=max wbps=max riops=100 wiops=max\n'),
    ]
    const host: FakeHost = fakeHost(script, KERNEL)
    const { op, warnings } = listen()
    await tuneTarget(host, device, tuning, target, op)
    assert.deepEqual(
      [host.commands.map(({ stdin }) => stdin), host.left(), warnings()],
      [['512', '7:7 wbps=max riops=100'], 0, '[]'],
    )
    assert.deepEqual(await tuningShortfalls(host, device, { tuning, targets: [target] }), [])
  })

  it('is left alone when nothing was asked for: not even a look', async () => {
    const { op, warnings } = listen()
    await tuneTarget(fakeHost([]), device, {}, target, op)
    assert.deepEqual(await tuningShortfalls(fakeHost([]), device, { targets: [target] }), [])
    assert.equal(warnings(), '[]')
  })

  it('is published although nothing can be set, and all of that is said', async () => {
    const script = [READ_AHEAD, `${GROUP}/io.max`].map(path => ({
      run: `dd of=${path} conv=notrunc,nocreat status=none`,
      code: 1,
      stderr: 'Read-only file system',
    }))
    const host = fakeHost(script, KERNEL)
    const { op, warnings } = listen()
    await tuneTarget(host, device, tuning, target, op)
    assert.equal(host.left(), 0)
    assert.match(warnings(), /Read-only file system.*Read-only file system.*not in effect/)
    const [readAhead = '', limits = '', ...more] = await tuningShortfalls(host, device, { tuning, targets: [target] })
    assert.match(readAhead, /readAheadKiB 512 is not in effect.* is 128/)
    assert.match(limits, /^readIops not enforced: .*io\.max shows .*"riops":"max"/)
    assert.deepEqual(more, [])
  })

  it('does not believe a write that had no effect', async () => {
    const script = [{ run: /^dd/, repeats: true }]
    const { op, warnings } = listen()
    await tuneTarget(fakeHost(script, KERNEL), device, tuning, target, op)
    assert.match(warnings(), /readAheadKiB 512 is not in effect.*readIops not enforced/)
  })

  it('for a pod that nobody names has no limits, and says so; no limit at all needs no pod', async () => {
    const unknown = { path: '/mnt/x', readonly: false }
    const { op, warnings } = listen()
    await tuneTarget(fakeHost([], KERNEL), device, { readIops: '1', writeIops: '1' }, unknown, op)
    assert.match(warnings(), /readIops, writeIops not enforced: \/mnt\/x names no pod/)
    assert.deepEqual(
      await tuningShortfalls(fakeHost([], KERNEL), device, { tuning: { readIops: 'none' }, targets: [unknown] }),
      [],
    )
  })

  it('as a read-only view has the limits of the view, which is what the pod reads', async () => {
    const script = [writes(() => host, `${GROUP}/io.max`, '7:8 rbps=max wbps=max riops=100 wiops=max\n')]
    const host: FakeHost = fakeHost(script, KERNEL)
    const { op, warnings } = listen()
    await tuneTarget(host, device, { readIops: '100' }, { ...target, path: '/view', readonly: true }, op)
    assert.deepEqual([host.commands.map(({ stdin }) => stdin), warnings()], [['7:8 riops=100'], '[]'])
  })
})

it('discards are set before the read-ahead, because the kernel resets that, and a refusal of one stops no other', async () => {
  const disk = deviceOf(device.size, { path: '/dev/sda', kname: 'sda', number: '8:0' })
  const [discard, readAhead] = ['discard_max_bytes', 'read_ahead_kb'].map(name => `/sys/block/sda/queue/${name}`)
  for (const code of [0, 1]) {
    const script = [discard, readAhead].map(path => ({ run: new RegExp(`^dd of=${path} `), code }))
    const host = fakeHost(script, { [`${discard}`]: '4096\n', [`${readAhead}`]: '128\n' })
    await tuneDevice(host, disk, { readAheadKiB: '512', discard: 'off' }, listen().op)
    assert.equal(host.left(), 0)
  }
})

it('what is staged gets what needs no pod', async () => {
  const host: FakeHost = fakeHost([writes(() => host, READ_AHEAD, '512\n')], KERNEL)
  const { op, warnings } = listen()
  await tuneDevice(host, device, tuning, op)
  assert.deepEqual([host.left(), warnings()], [0, '[]'])
})

it('a limit that somebody took away later shows in the condition', async () => {
  const tuned = { tuning: { writeIops: '5' }, targets: [target] }
  const shows = (line: string) =>
    tuningShortfalls(fakeHost([], { ...KERNEL, [`${GROUP}/io.max`]: line }), device, tuned)
  assert.deepEqual(await shows('7:7 rbps=max wbps=max riops=max wiops=5\n'), [])
  assert.match((await shows('7:7 rbps=max wbps=max riops=max wiops=6\n')).join(), /^writeIops not enforced/)
})
