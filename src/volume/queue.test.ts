// Tests of the queue: in order, one at a time, and a failure holds up nobody.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { createQueue } from './queue.ts'

it('a queue runs one work at a time, in order, whatever fails', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ turns: fc.nat(3), fails: fc.boolean() }), { maxLength: 8 }), async works => {
      const queue = createQueue()
      const order: number[] = []
      let running = 0
      const outcomes = await Promise.allSettled(
        works.map(({ turns, fails }, n) =>
          queue(async () => {
            running += 1
            assert.equal(running, 1)
            for (let turn = 0; turn < turns; turn += 1) await setImmediate()
            order.push(n)
            running -= 1
            if (fails) throw new Error(`work ${n}`)
            return n
          }),
        ),
      )
      assert.deepEqual(order, [...works.keys()])
      for (const [n, outcome] of outcomes.entries()) {
        if (outcome.status === 'fulfilled') assert.deepEqual([outcome.value, works[n]?.fails], [n, false])
        else assert.deepEqual([outcome.reason.message, works[n]?.fails], [`work ${n}`, true])
      }
    }),
    { numRuns: 50 },
  )
})
