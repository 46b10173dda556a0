// Tests of usage: bytes and inodes add up beyond 2^53, and a dead filesystem is an error, not zero.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { failure, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { readUsage } from './stats.ts'

const run = 'stat --file-system --format %S %b %f %a %c %d -- /stage'

it('usage is computed in fragments, root’s reserve counted as used by nobody', async () => {
  const host = fakeHost([{ run, stdout: '4096 4503599627370496 1000 900 65536 65525\n' }])
  assert.deepEqual(await readUsage(host, '/stage', testOp()), {
    bytes: { total: 2n ** 64n, used: 2n ** 64n - 4_096_000n, available: 3_686_400n },
    inodes: { total: 65536n, used: 11n, available: 65525n },
  })
  assert.equal(host.commands[0]?.onAbort, 'kill')
  assert.ok(host.commands[0].timeoutMs <= 10_000)
})

it('usage of a filesystem that answers with an error is unavailable', async () => {
  const host = fakeHost([{ run, code: 1, stderr: 'stat: cannot read file system information: Input/output error' }])
  await assert.rejects(readUsage(host, '/stage', testOp()), failure('unavailable', /Input\/output error/))
})
