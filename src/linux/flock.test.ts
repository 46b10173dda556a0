// Tests of locks: a held lock is worth a retry, and a tool's own exit code passes through.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { failure, locked, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { runLocked } from './flock.ts'

const op = testOp()
const tool = { file: 'tool', args: ['-x'], okCodes: [0, 3], timeoutMs: 1000, onAbort: 'finish' } as const
const run = async (code: number) =>
  await runLocked(fakeHost([{ run: locked('tool -x'), code }]), '/dev/loop7', tool, op)

it('a lock that another process keeps is worth a retry', async () => {
  await assert.rejects(run(75), failure('unavailable', /run tool on \/dev\/loop7: another tool holds its lock/))
})

it('the exit code of the tool passes through the lock', async () => {
  assert.equal((await run(3)).code, 3)
  await assert.rejects(run(4), failure('internal'))
})
