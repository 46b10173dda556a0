// Tests of thawing: it says whether it was frozen, and is never stopped half-way.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { failure, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { thaw } from './freeze.ts'

const run = 'fsfreeze --unfreeze /m'

it('a filesystem is thawed whether it was frozen or not, and told apart', async () => {
  const frozen = fakeHost([{ run }])
  assert.equal(await thaw(frozen, '/m', testOp()), true)
  assert.equal(frozen.commands[0]?.onAbort, 'finish')
  const warm = fakeHost([{ run, code: 1, stderr: 'fsfreeze: /m: unfreeze failed: Invalid argument' }])
  assert.equal(await thaw(warm, '/m', testOp()), false)
})

it('an exit code that nobody gave a meaning is an error', async () => {
  await assert.rejects(thaw(fakeHost([{ run, code: 127 }]), '/m', testOp()), failure('internal'))
})
