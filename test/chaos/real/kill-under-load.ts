#!/usr/bin/env node
// Kills the real driver hundreds of times under a load of whole volume lives, and says what that cost: nothing.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Driver } from '../../loop/driver.ts'
import { clear } from '../../loop/machine.ts'
import { ageDrafts, askDoctor, leftovers } from './aftermath.ts'
import { seedOf } from './dice.ts'
import { planKill, startAndKill } from './killer.ts'
import { live, planLife, type Tally } from './life.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly kills: number
  readonly lives: number
  readonly lanes: number
  /** Leaves the work folder of a failed run, with the driver's log. */
  readonly keep?: boolean
}

export interface ChaosReport {
  /** One line of counts. */
  readonly line: string
  /** Everything that must not be; empty after a good run. */
  readonly problems: string[]
  readonly kills: number
  readonly lives: number
}

interface Run extends ChaosOptions {
  readonly driver: Driver
  readonly tally: Tally
  /** Kills so far, and how many children of the driver ended with it. */
  readonly done: { kills: number; children: number }
  /** Lanes that hold a published volume and wait, or gave up. */
  readonly waiting: Set<number>
  readonly released: Promise<void>
}

const failed = ({ tally }: Run): boolean => tally.surprises.length + tally.lost.length > 0
const enough = (run: Run): boolean =>
  failed(run) || (run.done.kills >= run.kills && run.tally.lives + run.lanes >= run.lives)

/** Lives one life after the other; the last one pauses while its volume is in use and doctor looks at it. */
const runLane = async (run: Run, lane: number): Promise<void> => {
  const { driver, seed, tally } = run
  for (let n = 0; !run.waiting.has(lane); n += 1) {
    const atHome = async () => {
      if (!enough(run)) return
      run.waiting.add(lane)
      await run.released
    }
    try {
      await live({ driver, name: `${lane}-${n}`, plan: planLife(seed, lane, n), tally, atHome })
    } catch (error) {
      tally.surprises.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
      run.waiting.add(lane)
    }
  }
}

/** Kills and lives come to their end together: drivers live longer when lives fall behind, whatever slows them down. */
const paceOf = ({ done, kills, tally, lives, lanes }: Run): number => {
  const ahead = (done.kills / kills) * (lives / (tally.lives + lanes))
  return Math.min(Math.max(ahead, 0.5), 8)
}

const runKiller = async (run: Run, unit: number): Promise<void> => {
  while (run.waiting.size < run.lanes) {
    if (enough(run)) {
      await run.driver.start()
      await sleep(20)
      continue
    }
    run.done.children += await startAndKill(run.driver, planKill(run.seed, run.done.kills), unit * paceOf(run))
    run.done.kills += 1
  }
}

export const killUnderLoad = async (options: ChaosOptions): Promise<ChaosReport> => {
  const driver = new Driver({ spares: true })
  const began = Date.now()
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>()
  const run: Run = {
    ...options,
    driver,
    tally: newTally(),
    done: { kills: 0, children: 0 },
    waiting: new Set(),
    released: released,
  }
  const problems: string[] = []
  const interrupted = () => {
    void driver.kill()
    clear(driver.folder)
    rmSync(driver.folder, { recursive: true })
    process.exit(130)
  }
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  try {
    await warmUp(driver)
    const unit = await rehearse(run)
    const lanes = Promise.all(Array.from({ length: options.lanes }, (_, lane) => runLane(run, lane)))
    await runKiller(run, unit)
    await driver.start()
    const inUse = await askDoctor(driver)
    release(undefined)
    await lanes
    const { surprises, lost } = run.tally
    if (inUse.ok < options.lanes)
      problems.push(`doctor saw ${inUse.ok} objects while ${options.lanes} volumes were in use`)
    problems.push(...surprises, ...lost, ...inUse.problems, ...(await finish(driver)))
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
    await driver.kill()
    await driver.dismissSpares()
    problems.push(...clear(driver.folder).map(found => `had to clear: ${found}`))
    if (options.keep !== true || problems.length === 0) rmSync(driver.folder, { recursive: true })
  }
  return { line: lineOf(run, Date.now() - began), problems, kills: run.done.kills, lives: run.tally.lives }
}

/** Node.js writes its compile cache only when a process ends by itself: a killed driver never does. */
const warmUp = async (driver: Driver): Promise<void> => {
  process.env['NODE_COMPILE_CACHE'] ??= join(driver.folder, 'cache')
  await driver.start()
  await driver.end('SIGTERM')
}

/** How long the lanes need for one life each, when nobody kills, in milliseconds. */
const rehearse = async (run: Run): Promise<number> => {
  const { driver, seed, lanes } = run
  await driver.start()
  const began = performance.now()
  const rehearsed = await Promise.allSettled(
    Array.from({ length: lanes }, async (_, lane) => {
      await live({ driver, name: `r-${lane}`, plan: planLife(seed, lane, 0), tally: newTally() })
    }),
  )
  const failures = rehearsed.filter(({ status }) => status === 'rejected')
  if (failures.length > 0) throw new AggregateError(failures.map(each => (each as PromiseRejectedResult).reason))
  await driver.kill()
  return performance.now() - began
}

const newTally = (): Tally => ({
  lives: 0,
  acknowledged: 0,
  verified: 0,
  lost: [],
  surprises: [],
  retries: new Map(),
})

/** The last driver sweeps what is old and ends well; then nothing may be left. */
const finish = async (driver: Driver): Promise<string[]> => {
  ageDrafts(driver)
  await driver.restart()
  const ends = await driver.end('SIGTERM')
  return [
    ...ends.filter(end => end !== 'exit 0').map(end => `the driver ended with ${end}`),
    ...leftovers(driver).map(found => `left behind: ${found}`),
    ...(await askDoctor(driver)).problems,
  ]
}

const lineOf = ({ seed, done, tally }: Run, ms: number): string => {
  const retries = [...tally.retries].sort().map(([name, count]) => `${name} ${count}`)
  return [
    `seed ${seed}`,
    `${done.kills} kills (${done.children} children with them)`,
    `${tally.lives} life cycles`,
    `${tally.acknowledged} acknowledged records, ${tally.verified} reads of them, ${tally.lost.length} lost`,
    `retries: ${retries.join(', ') || 'none'}`,
    `${Math.round(ms / 1000)} s`,
  ].join('; ')
}

/** One lost volume alone is a thousand lost records. */
const MOST_PRINTED = 20

const main = async (): Promise<void> => {
  const number = { type: 'string' } as const
  const { values } = parseArgs({
    options: { seed: number, kills: number, lives: number, lanes: number, keep: { type: 'boolean' } },
  })
  const options = {
    seed: seedOf(values.seed),
    kills: Number(values.kills ?? 200),
    lives: Number(values.lives ?? 200),
    lanes: Number(values.lanes ?? 6),
    keep: values.keep === true,
  }
  console.log(`seed ${options.seed}: repeat with --seed ${options.seed} --kills ${options.kills}`)
  const { line, problems } = await killUnderLoad(options)
  for (const problem of problems.slice(0, MOST_PRINTED)) console.log(`PROBLEM ${problem}`)
  if (problems.length > MOST_PRINTED) console.log(`and ${problems.length - MOST_PRINTED} problems more`)
  console.log(line)
  process.exitCode = problems.length === 0 ? 0 : 1
}

if (import.meta.main) await main()
