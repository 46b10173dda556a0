// One lie of one command of one flow, and what the driver makes of it.
import type { Flow } from './crash.ts'
import { startDriver } from './driver.ts'
import { type Lie, lyingHost } from './liar.ts'
import { ask, boot, insist, liveToTheEnd, requireInnocent } from './run-life.ts'

/** Every command of the flow lies once; answers how many did, and what went wrong, in words. */
export async function tellLies(flow: Flow, lie: Lie): Promise<{ told: number; found: string[] }> {
  const found: string[] = []
  let told = 0
  for (;;) {
    try {
      if (!(await tell(flow, told, lie))) return { told, found }
    } catch (error) {
      found.push(String(error))
    }
    told += 1
  }
}

/** The lie of command n; false when the flow has no such command. */
async function tell({ step, rest, lived, machine: before, world: known }: Flow, n: number, lie: Lie): Promise<boolean> {
  const machine = before.copy()
  const world = structuredClone(known)
  const liar = lyingHost(machine)
  const deceived = { machine, driver: await startDriver(liar, world.place), world }
  liar.arm(n, lie)
  let answered = 'nothing'
  try {
    const answer = await ask(deceived, step)
    if (liar.said[n] === undefined) return false
    answered = typeof answer === 'object' ? 'OK' : answer
    requireInnocent(machine, 'after the lie')
    if (typeof answer === 'object') step.holds(deceived, answer)
    const scene = { machine, driver: await boot(machine, world.place), world }
    await insist(scene, step, 2)
    await liveToTheEnd(scene, rest, lived, { isKnown: false })
  } catch (error) {
    throw new Error(`${lie}: command ${n}: ${liar.said[n]}: the driver answered "${answered}": ${String(error)}`, {
      cause: error,
    })
  }
  return true
}
