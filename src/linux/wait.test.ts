// Tests of waiting: until it is there, until time runs out, until another failure, until the caller goes.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failure, testOp } from '../../test/fixtures.ts'
import { VolumeInUse } from '../volume/errors.ts'
import { NotYet, waitFor } from './wait.ts'

const patience = { asked: 'wait for it', timeoutMs: 40 }
const never = async (): Promise<never> => {
  throw new NotYet('it is not there')
}

describe('waitFor', () => {
  it('looks again until the look answers, and answers what it answers', async () => {
    let looks = 0
    const answer = await waitFor(
      { ...patience, timeoutMs: 10_000 },
      async () => {
        looks += 1
        if (looks < 4) throw new NotYet('too early')
        return undefined
      },
      testOp(),
    )
    assert.deepEqual([answer, looks], [undefined, 4])
  })

  it('ends with Unavailable and the last reason when time runs out, after at least two looks', async () => {
    let looks = 0
    const waiting = waitFor(
      patience,
      async () => {
        looks += 1
        throw new NotYet(`look ${looks} saw nothing`)
      },
      testOp(),
    )
    await assert.rejects(waiting, failure('unavailable', /^wait for it: look \d+ saw nothing after 40 ms; /))
    assert.ok(looks >= 2, String(looks))
  })

  it('ends at once with any other failure, unchanged', async () => {
    for (const error of [
      new VolumeInUse({ asked: 'a', found: 'b', next: 'c' }),
      new TypeError('fetch failed'), // p-retry would take it for a network error and go on
      new TypeError('a bug'),
      Object.assign(new Error('EIO'), { code: 'EIO' }),
    ]) {
      let looks = 0
      const waiting = waitFor(
        { ...patience, timeoutMs: 10_000 },
        async () => {
          looks += 1
          throw error
        },
        testOp(),
      )
      await assert.rejects(waiting, thrown => thrown === error)
      assert.equal(looks, 1)
    }
  })

  it('ends with Cancelled when the caller goes: before, during a look, during a pause', async () => {
    await assert.rejects(waitFor(patience, never, testOp(AbortSignal.abort())), failure('cancelled'))
    const during = new AbortController()
    const looking = waitFor(
      { ...patience, timeoutMs: 10_000 },
      async () => {
        during.abort()
        throw new NotYet('too early')
      },
      testOp(during.signal),
    )
    await assert.rejects(looking, failure('cancelled'))
    const pausing = new AbortController()
    setTimeout(() => pausing.abort(), 30)
    await assert.rejects(
      waitFor({ ...patience, timeoutMs: 10_000 }, never, testOp(pausing.signal)),
      failure('cancelled'),
    )
  })
})
