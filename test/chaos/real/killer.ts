// Ends a driver with SIGKILL at instants that a seed decides: serving, starting, or beside a mkfs that ends with it.
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Driver } from '../../loop/driver.ts'
import { diceOf } from './dice.ts'

export interface KillPlan {
  /** What the time is counted from. */
  readonly since: 'start' | 'serving' | 'mkfs'
  /** In parts of the time that the lanes need for one life each when nobody kills: machines differ, and so does their load. */
  readonly after: number
  /** Which children of the driver end with it, as when a whole container is killed. */
  readonly takes: 'none' | 'mkfs' | 'all'
}

/** Half of the drivers die early; some live long enough to bring what the others began to its end. */
const LATEST = 0.6
const SKEW = 3

export const planKill = (seed: number, n: number): KillPlan => {
  const dice = diceOf(seed, 'kill', n)
  const kind = dice.fraction()
  const takes = dice.pick(['none', 'none', 'mkfs', 'all'])
  if (kind < 0.1) return { since: 'start', after: dice.fraction() * 0.03, takes: 'none' }
  if (kind < 0.3) return { since: 'mkfs', after: dice.fraction() * 0.02, takes }
  return { since: 'serving', after: dice.fraction() ** SKEW * LATEST, takes }
}

/** Starts the driver and kills it; answers how many children ended with it. The unit of the plan is in milliseconds. */
export const startAndKill = async (
  driver: Driver,
  { since, after, takes }: KillPlan,
  unit: number,
): Promise<number> => {
  if (since === 'start') {
    const starting = driver.start().catch(() => undefined) // it is killed before it serves
    await sleep(after * unit)
    await driver.kill()
    await starting
    return 0
  }
  await driver.start()
  if (since === 'mkfs') await waitForMkfs(driver.pid(), unit / 3)
  await sleep(after * unit)
  return await killWith(driver, takes)
}

/** None may come while all volumes are busy otherwise. */
const waitForMkfs = async (pid: number, ms: number): Promise<void> => {
  const limit = Date.now() + ms
  while (Date.now() < limit && !childrenOf(pid).some(isMkfs)) await sleep(2)
}

const killWith = async (driver: Driver, takes: KillPlan['takes']): Promise<number> => {
  const pid = driver.pid()
  // A stopped driver neither answers for its dead children, nor reaps them, so that their numbers stay theirs.
  process.kill(pid, 'SIGSTOP')
  const taken = takes === 'none' ? [] : childrenOf(pid).filter(child => takes === 'all' || isMkfs(child))
  const killed = taken.filter(isKilled)
  await driver.kill()
  return killed.length
}

/** False when it has ended by itself, and was reaped before the driver had stopped. */
const isKilled = (pid: number): boolean => {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

/** proc(5): the children of each thread. */
const childrenOf = (pid: number): number[] => {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap(thread =>
      (readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').match(/\d+/g) ?? []).map(Number),
    )
  } catch {
    return [] // it has ended
  }
}

const isMkfs = (pid: number): boolean => {
  try {
    return /^mkfs\./.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
  } catch {
    return false // it has ended
  }
}
