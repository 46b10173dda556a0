// Tests of the filesystem check: what each exit code of e2fsck means for the mount that follows.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deviceOf, failure, locked, recordingLogger, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { checkFilesystem } from './check.ts'

const device = deviceOf()
const check = (code: number, stderr = '', log: string[] = []) =>
  checkFilesystem(fakeHost([{ run: locked('e2fsck -p /dev/loop7'), code, stderr }]), device, 'ext4', {
    ...testOp(),
    log: recordingLogger(log),
  })

describe('e2fsck', () => {
  it('0, 1 and 2 let the mount go on; a repair is logged', async () => {
    for (const code of [0, 1, 2]) {
      const log: string[] = []
      await check(code, '', log)
      assert.equal(log.length, code === 0 ? 0 : 1)
    }
  })

  it('4 needs a person', async () => {
    await assert.rejects(
      check(
        4,
        'Root inode is not a directory.\n\n\n/dev/loop7: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.\n\t(i.e., without -a or -p options)\n',
      ),
      failure('failed-precondition', /losing data: Root inode is not a directory\.; take a snapshot/),
    )
  })

  it('8 is worth a retry, also together with 4', async () => {
    await assert.rejects(check(8, 'e2fsck: Device or resource busy'), failure('unavailable', /busy/))
  })

  it('anything else is unplanned: usage 16, cancelled 32, library 128, unknown program 127', async () => {
    for (const code of [16, 32, 127, 128]) await assert.rejects(check(code), failure('internal'), String(code))
  })

  it('is never stopped half-way, repairs nothing by force, and does not run for xfs', async () => {
    const host = fakeHost([{ run: locked('e2fsck -p /dev/loop7') }])
    await checkFilesystem(host, device, 'ext4', testOp())
    assert.equal(host.commands[0]?.onAbort, 'finish')
    await checkFilesystem(fakeHost([]), device, 'xfs', testOp())
  })
})
