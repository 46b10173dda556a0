// The thread in which lives are led, ended and lied to; it answers what the tests ask for.
import { isMainThread, parentPort } from 'node:worker_threads'
import { useVirtualTime } from './clock.ts'
import { type Aftermath, crash, crashAtStart, crashTwice, type Flow, surveyLife } from './crash.ts'
import type { Lie } from './liar.ts'
import { tellLies } from './lies.ts'
import { LIVES } from './lives.ts'
import { type Action, walkAll } from './walk.ts'

export interface FlowFacts {
  readonly life: number
  readonly flow: number
  readonly step: string
  readonly title: string
  readonly boundaries: number
  readonly deaths: number
}

const surveys = new Map<number, Flow[]>()

async function flowsOf(life: number): Promise<Flow[]> {
  const chosen = LIVES[life]
  if (!chosen) throw new Error(`there is no life ${life}`)
  const flows = surveys.get(life) ?? (await surveyLife(chosen))
  surveys.set(life, flows)
  return flows
}

async function flowOf(life: number, flow: number): Promise<Flow> {
  return (await flowsOf(life))[flow] ?? fail(`life ${life} has no flow ${flow}`)
}

/** Random enough to choose with, and the same for the same seed: Marsaglia, Xorshift RNGs, 2003. */
function rollFrom(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

function fail(what: string): never {
  throw new Error(what)
}

const TASKS = {
  async survey(life: number): Promise<FlowFacts[]> {
    const flows = await flowsOf(life)
    return flows.map(({ n, step, boundaries, deaths }, flow) => {
      return { life, flow, step: step.name, title: `${n}. ${step.name}`, boundaries, deaths: deaths.length }
    })
  },

  /** What went wrong, in words, for each death. */
  async crash(life: number, number: number, aftermath: Aftermath): Promise<string[]> {
    const flow = await flowOf(life, number)
    const found: string[] = []
    for (const death of flow.deaths) {
      try {
        await crash(flow, death, aftermath)
      } catch (error) {
        found.push(`died ${death.when} ${death.n}: ${flow.names[death.n] ?? '?'}: ${String(error)}`)
      }
    }
    return found
  },

  /** Pairs of deaths at random: which, is a function of the seed. */
  async twice(seed: number, runs: number): Promise<string[]> {
    const lives = await Promise.all(LIVES.map((_, n) => flowsOf(n)))
    const flows = lives.flat()
    const roll = rollFrom(seed)
    const found: string[] = []
    for (let n = 0; n < runs; n += 1) {
      const flow = flows[roll() % flows.length] ?? fail('no flows')
      const first = flow.deaths[roll() % flow.deaths.length] ?? fail('no deaths')
      const second = { n: roll() % 24, when: roll() }
      try {
        await crashTwice(flow, first, second)
      } catch (error) {
        const what = flow.names[first.n] ?? '?'
        found.push(`${flow.step.name}: died ${first.when} ${what}, then at ${JSON.stringify(second)}: ${String(error)}`)
      }
    }
    return found
  },

  async start(n: number): Promise<boolean> {
    const hasDied = await Promise.all([0, 1, 2, 3, 4].map(when => crashAtStart({ n, when })))
    return hasDied.includes(true)
  },

  async walk(actions: readonly Action[]): Promise<void> {
    await walkAll(actions)
  },

  async lie(life: number, flow: number, lie: Lie): Promise<{ told: number; found: string[] }> {
    return await tellLies(await flowOf(life, flow), lie)
  },
}
export type Tasks = typeof TASKS

interface Question {
  readonly id: number
  readonly task: keyof Tasks
  readonly args: unknown[]
}

async function answer({ id, task, args }: Question): Promise<void> {
  try {
    const call = TASKS[task] as (...args: unknown[]) => Promise<unknown>
    parentPort?.postMessage({ id, value: await call(...args) })
  } catch (error) {
    parentPort?.postMessage({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }
}

if (!isMainThread) {
  useVirtualTime()
  parentPort?.on('message', (question: Question) => void answer(question))
}
