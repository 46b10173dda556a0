// Tests of io.max: one line for each device, and a device without one has no limits.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { deviceOf, failure, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { readLimits, setLimits } from './io-limits.ts'

const op = testOp()
const device = deviceOf()
const GROUP = '/sys/fs/cgroup/kubepods/pod1'
const run = `dd of=${GROUP}/io.max conv=notrunc,nocreat status=none`

it('limits are set in one write, and only those that were asked for', async () => {
  const host = fakeHost([{ run }])
  await setLimits(host, GROUP, device, { wiops: 'max', rbps: '1048576' }, op)
  assert.deepEqual(
    host.commands.map(({ stdin, onAbort }) => [stdin, onAbort]),
    [['7:7 rbps=1048576 wiops=max', 'kill']],
  )
  const refused = fakeHost([{ run, code: 1, stderr: 'No such device' }])
  await assert.rejects(setLimits(refused, GROUP, device, { riops: '1' }, op), failure('unavailable', /No such device/))
})

it('limits are those of the very device', async () => {
  const read = (text: string) => readLimits(fakeHost([], { [`${GROUP}/io.max`]: text }), GROUP, device)
  const none = { rbps: 'max', wbps: 'max', riops: 'max', wiops: 'max' }
  assert.deepEqual(await read(''), none)
  assert.deepEqual(await read('7:77 rbps=1 wbps=2 riops=3 wiops=4\n17:7 rbps=1 wbps=1 riops=1 wiops=1\n'), none)
  const line = '7:7 rbps=1048576 wbps=max riops=100 wiops=max\n'
  assert.deepEqual(await read(`8:0 rbps=1 wbps=max riops=max wiops=max\n${line}`), {
    ...none,
    rbps: '1048576',
    riops: '100',
  })
  assert.equal(await readLimits(fakeHost([]), GROUP, device), undefined)
})
