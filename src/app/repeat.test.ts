// Tests of what is repeated: the pause after short and long work, and the end.
import assert from 'node:assert/strict'
import { it, type TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { repeat } from './repeat.ts'

const lifetime = (isDraining = () => false) => ({ draining: isDraining, track: () => undefined })

/** Advances the mocked clocks by so much, once for each millisecond. */
function clocks(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let now = 0
  t.mock.method(performance, 'now', () => now)
  return async (ms: number) => {
    await setImmediate() // for what begins its pause just now
    for (let n = 0; n < ms; n += 1) {
      now += 1
      t.mock.timers.tick(1)
      await setImmediate()
    }
  }
}

it('short work is repeated after the pause, and not while it runs', async t => {
  const pass = clocks(t)
  let begun = 0
  repeat(async () => (begun += 1), 50, lifetime())
  assert.equal(begun, 1)
  await pass(49)
  assert.equal(begun, 1)
  await pass(1)
  assert.equal(begun, 2)
})

/** Begins work that takes so long, and answers how many milliseconds after its end the next begins. */
async function pauseAfter(t: TestContext, tookMs: number): Promise<number> {
  const pass = clocks(t)
  const ends: (() => void)[] = []
  const begun = () => ends.length
  repeat(() => new Promise<void>(resolve => ends.push(resolve)), 50, lifetime())
  await pass(tookMs)
  assert.equal(begun(), 1)
  ends[0]?.()
  let ms = 0
  for (; begun() === 1; ms += 1) await pass(1)
  return ms
}

it('work that takes long is followed by three times as long a pause', async t => {
  assert.equal(await pauseAfter(t, 100), 300)
})

it('no pause is longer than twenty seconds', async t => {
  assert.equal(await pauseAfter(t, 10_000), 20_000)
})

it('nothing is begun when the driver ends', async t => {
  const pass = clocks(t)
  let [begun, isDraining] = [0, false]
  repeat(
    async () => (begun += 1),
    50,
    lifetime(() => isDraining),
  )
  isDraining = true
  await pass(60)
  assert.equal(begun, 1)
})
