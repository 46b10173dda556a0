// Tests of devices: only what the kernel shows and a read past the cache confirms is a device.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deviceOf, failure, GIB, kernelOf, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import {
  findDevice,
  findDeviceByNumber,
  holdersOf,
  liveFilesystems,
  makeWritable,
  readDirect,
  waitForDevice,
} from './device.ts'

const op = testOp()
const device = deviceOf(3n * 2n ** 53n, { sectorSize: 4096, readonly: true })

describe('a device', () => {
  it('is what /sys/block shows, with every byte of a huge size', async () => {
    assert.deepEqual(await findDevice(fakeHost([], kernelOf(device)), 'loop7'), device)
    assert.deepEqual(await findDeviceByNumber(fakeHost([], kernelOf(device)), '7:7'), device)
  })

  it('is absent when the kernel has none, and when the name could lead elsewhere', async () => {
    const traps = { '/sys/block/../../dev': '7:7', '/sys/block/../../size': '8', '/sys/block/nvme0n1/dev': '259:0' }
    const host = fakeHost([], { ...kernelOf(device), ...traps, '/sys/block/nvme0n1/size': '8' })
    for (const kname of ['loop8', '../..', '', 'nvme0n1', 'loop7/../loop7', 'loop', 'loop7\n'])
      assert.equal(await findDevice(host, kname), undefined, kname)
    assert.equal(await findDeviceByNumber(host, '7:8'), undefined)
  })

  it('is read past the cache; less than all bytes, or an error, is "does not answer"', async () => {
    const run = 'dd if=/dev/loop7 bs=4096 count=1 skip=8192 iflag=direct,skip_bytes,fullblock status=none'
    const good = fakeHost([{ run, stdout: 'x'.repeat(4096) }])
    assert.equal((await readDirect(good, device, 8192n, 4096, op)).length, 4096)
    assert.equal(good.commands[0]?.onAbort, 'kill')
    assert.equal(good.commands[0].encoding, 'latin1')
    for (const bad of [{ stdout: 'x' }, { stdout: '' }, { code: 1, stderr: 'Input/output error' }])
      await assert.rejects(readDirect(fakeHost([{ run, ...bad }]), device, 8192n, 4096, op), failure('unavailable'))
  })

  it('tells who stands on it', async () => {
    const host = fakeHost([], { '/sys/block/loop7/holders/dm-0/dev': '254:0', '/sys/fs/ext4/loop7/lifetime': '1' })
    assert.deepEqual(await holdersOf(host, device), ['dm-0'])
    assert.deepEqual(await liveFilesystems(host, device), ['/sys/fs/ext4/loop7'])
    assert.deepEqual(await holdersOf(fakeHost([]), device), [])
    assert.deepEqual(await liveFilesystems(fakeHost([]), device), [])
  })
})

describe('waiting for a device', () => {
  const READ = { run: /^dd if=\/dev\/loop7 / }
  it('goes on until it exists and has a size', async () => {
    const ready = deviceOf(GIB)
    const host = fakeHost([{ ...READ, stdout: '\0'.repeat(4096) }], kernelOf(deviceOf(0n)))
    setTimeout(() => host.kernel.delete('/sys/block/loop7/size'), 15)
    setTimeout(() => host.kernel.set('/sys/block/loop7/size', String(GIB / 512n)), 30)
    assert.deepEqual(await waitForDevice(host, 'loop7', GIB, op), ready)
  })

  it('ends at once for one that is smaller than promised, and for one that does not answer', async () => {
    const small = fakeHost([], kernelOf(deviceOf(GIB)))
    await assert.rejects(waitForDevice(small, 'loop7', GIB + 1n, op), failure('failed-precondition', /the volume has/))
    const dead = fakeHost([{ ...READ, code: 1, stderr: 'EIO' }], kernelOf(deviceOf(GIB)))
    await assert.rejects(waitForDevice(dead, 'loop7', GIB, op), failure('unavailable', /EIO/))
  })

  it('ends when the caller goes', async () => {
    const gone = new AbortController()
    const waiting = waitForDevice(fakeHost([]), 'loop7', GIB, testOp(gone.signal))
    gone.abort()
    await assert.rejects(waiting, failure('cancelled'))
  })
})

it('a device is made writable only if the kernel shows it afterwards', async () => {
  const run = 'blockdev --setrw /dev/loop7'
  const open = fakeHost([{ run, effect: () => open.kernel.set('/sys/block/loop7/ro', '0\n') }], kernelOf(device))
  assert.deepEqual(await makeWritable(open, device, op), { ...device, readonly: false })
  await assert.rejects(makeWritable(fakeHost([{ run }], kernelOf(device)), device, op), failure('internal'))
  await assert.rejects(makeWritable(fakeHost([{ run }]), device, op), failure('internal'))
})
