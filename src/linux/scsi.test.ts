// Tests of SCSI disks: what they say they are, and that nothing asks them without a time limit.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deviceOf, failure, testOp } from '../../test/fixtures.ts'
import { type FakeHost, fakeHost, type Line } from '../host/fake.ts'
import { isClaimed } from './device.ts'
import { deleteDisk, readDiskState, readUnitSerial, readWorldWideId, rescanDisk } from './scsi.ts'

const op = testOp()

it('the serial number is read without header, NUL (LIO) and blanks (tgt)', async () => {
  const read = (page: Buffer) =>
    readUnitSerial(fakeHost([], { '/sys/block/sda/device/vpd_pg80': page.toString('utf8') }), 'sda')
  const page = (text: string) => Buffer.concat([Buffer.from([0, 0x80, 0, text.length]), Buffer.from(text)])
  assert.equal(await read(page('0123abc\0')), '0123abc')
  assert.equal(await read(page('      0123abc')), '0123abc')
  assert.equal(await read(page('a b')), 'a b')
  assert.equal(await read(page('')), '')
  // A length that is no ASCII character.
  assert.equal(
    await read(Buffer.concat([Buffer.from([0, 0x80, 0, 0xc8]), Buffer.from(' '.repeat(199)), Buffer.from('x')])),
    'x',
  )
  assert.equal(await readUnitSerial(fakeHost([]), 'sda'), undefined)
})

it('a disk that is not there has no name and is gone', async () => {
  const host = fakeHost([], { '/sys/block/sdb/device/wwid': 'naa.6\n', '/sys/block/sdb/device/state': 'running\n' })
  assert.deepEqual([await readWorldWideId(host, 'sdb'), await readDiskState(host, 'sdb')], ['naa.6', 'running'])
  assert.deepEqual([await readWorldWideId(host, 'sda'), await readDiskState(host, 'sda')], ['', 'gone'])
})

it('what may wait for a disk is done by a child that can be given up', async () => {
  const write = (path: string) => `dd of=${path} conv=notrunc,nocreat status=none`
  const host = fakeHost([
    { run: write('/sys/block/sda/device/rescan') },
    { run: write('/sys/x/0:0:0:0/delete') },
    { run: write('/sys/block/sdb/device/rescan'), code: 1, stderr: 'No such file or directory' },
  ])
  await rescanDisk(host, 'sda', op)
  await deleteDisk(host, '/sys/x/0:0:0:0', op)
  await assert.rejects(rescanDisk(host, 'sdb', op), failure('unavailable', /No such file/))
  assert.ok(host.commands.every(({ onAbort, stdin }) => onAbort === 'kill' && stdin === '1'))
})

describe('a fresh look at a disk', () => {
  const queue = (name: string) => `/sys/block/sda/queue/${name}`
  const [discard, readAhead, able] = [queue('discard_max_bytes'), queue('read_ahead_kb'), queue('discard_max_hw_bytes')]
  const writes = (path: string): Line => ({ run: `dd of=${path} conv=notrunc,nocreat status=none` })

  /** After the look the kernel has what a new disk has. */
  async function look(before: Record<string, string>, after: readonly Line[]): Promise<(string | undefined)[]> {
    const reset = () => {
      host.kernel.set(discard, '4294966784\n')
      host.kernel.set(readAhead, '128\n')
    }
    const script = [{ ...writes('/sys/block/sda/device/rescan'), effect: reset }, ...after]
    const host: FakeHost = fakeHost(script, before)
    await rescanDisk(host, 'sda', op)
    assert.equal(host.left(), 0)
    return host.commands.slice(1).map(({ stdin }) => String(stdin))
  }

  it('changes neither its read-ahead nor that it takes no discards', async () => {
    const tuned = { [discard]: '0\n', [able]: '4294966784\n', [readAhead]: '512\n' }
    assert.deepEqual(await look(tuned, [writes(discard), writes(readAhead)]), ['0', '512'])
    assert.deepEqual(await look({ ...tuned, [discard]: '4096\n', [readAhead]: '128\n' }, []), [])
  })

  it('lets one that could not discard begin to', async () => {
    assert.deepEqual(await look({ [discard]: '0\n', [able]: '0\n', [readAhead]: '128\n' }, []), [])
  })

  it('is worth no less when the queue cannot be set again', async () => {
    const refused = { ...writes(readAhead), code: 1, stderr: 'Read-only file system' }
    assert.deepEqual(await look({ [readAhead]: '512\n' }, [refused]), ['512'])
  })
})

it('a disk is claimed when the kernel does not let it be taken, and unknown when it does not answer', async () => {
  const device = deviceOf()
  const run = `blockdev --setbsz 4096 ${device.path}`
  assert.equal(await isClaimed(fakeHost([{ run }]), device, op), false)
  const busy = { run, code: 1, stderr: 'blockdev: ioctl error on BLKBSZSET: Device or resource busy\n' }
  assert.equal(await isClaimed(fakeHost([busy]), device, op), true)
  const gone = { run, code: 1, stderr: 'blockdev: cannot open /dev/loop7: No such device or address\n' }
  await assert.rejects(isClaimed(fakeHost([gone]), device, op), failure('unavailable', /No such device/))
})
