// Chaos (e): each command of each flow lies once; the driver answers the truth or a planned error, and recovers.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { useVirtualTime } from './clock.ts'
import { type Flow, surveyLife } from './crash.ts'
import { startDriver } from './driver.ts'
import { LIES, type Lie, lyingHost } from './liar.ts'
import { lifeOf, WISHES } from './life.ts'
import { ask, boot, copyWorld, insist, liveToTheEnd, requireInnocent } from './run-life.ts'

let told = 0

/** The lie of command n; false when the flow has no such command. */
async function tell(
  { step, rest, lived, machine: before, world: knowledge }: Flow,
  n: number,
  lie: Lie,
): Promise<boolean> {
  const machine = before.copy()
  const world = copyWorld(knowledge)
  const liar = lyingHost(machine)
  const deceived = { machine, driver: await startDriver(liar, world.place), world }
  liar.arm(n, lie)
  const answer = await ask(deceived, step)
  const command = liar.said[n]
  if (command === undefined) return false
  told += 1
  try {
    requireInnocent(machine, 'after the lie')
    if (typeof answer === 'object') step.holds(deceived, answer)
    const scene = { machine, driver: await boot(machine, world.place), world }
    await insist(scene, step, 2)
    await liveToTheEnd(scene, rest, lived)
  } catch (error) {
    throw new Error(
      `${lie}: command ${n}: ${command}: the driver answered "${typeof answer === 'object' ? 'OK' : answer}": ${String(error)}`,
      {
        cause: error,
      },
    )
  }
  return true
}

let restore: () => void
before(() => {
  restore = useVirtualTime()
})
after(() => {
  restore()
  console.log(`${told} lies`)
})

for (const wish of Object.values(WISHES)) {
  const flows = await surveyLife(wish, lifeOf(wish))
  describe(`${wish.name}:`, () => {
    for (const flow of flows) {
      for (const lie of Object.keys(LIES) as Lie[]) {
        it(`${flow.n}. ${flow.step.name}, each command once: ${lie}`, async () => {
          const found: string[] = []
          let goesOn = true
          for (let n = 0; goesOn; n += 1)
            goesOn = await tell(flow, n, lie).catch((error: unknown) => found.push(String(error)) > 0)
          assert.deepEqual(found, [])
        })
      }
    }
  })
}
