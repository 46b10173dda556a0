// Tests of locks: a held lock is worth a retry, and a tool's own exit code passes through.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { failure, locked, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { runLocked, underLock } from './flock.ts'

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

it('a lock on a file that was removed meanwhile is nobody’s, and is taken anew', async t => {
  const path = join(await temporaryFolder(t), 'locks', 'one')
  const contents: string[] = []
  const hold = async () => {
    contents.push(readFileSync(path, 'utf8'))
    if (contents.length === 1) {
      // Whoever had it has removed it, and somebody else has made another in its place.
      unlinkSync(path)
      writeFileSync(path, 'another')
    }
    return async () => undefined
  }
  const isKept = async () => false
  assert.equal(await underLock({ ...fakeHost([]), hold }, { path, isKept }, testOp(), async () => 'done'), 'done')
  assert.deepEqual(contents.slice(1), ['another'])
  assert.equal(existsSync(path), false)

  const always = async () => {
    writeFileSync(path, String(Math.random()))
    return async () => undefined
  }
  const never = () => assert.fail('it worked without the lock')
  await assert.rejects(
    underLock({ ...fakeHost([]), hold: always }, { path, isKept }, testOp(), never),
    failure('unavailable', /again and again/),
  )
})
