// Steps of the demo: each one is timed, told on one line, and kept for the table at the end.
import { formatDuration, layoutTable, type Terminal, wrap } from './terminal.ts'

export type StepVerdict = 'ok' | 'not here' | 'failed'

export interface StepResult {
  readonly name: string
  readonly ms: number
  readonly verdict: StepVerdict
}

/** What a step found, for its line; `refused` is an outcome that this machine makes and the demo expected. */
export type Outcome = string | { readonly refused: string }

export interface Steps {
  readonly results: readonly StepResult[]
  /** Throws without beginning when the demo was stopped. */
  run(name: string, work: () => Promise<Outcome>): Promise<void>
}

const NAME_WIDTH = 33
const TIME_WIDTH = 8
const TEXT_WIDTH = 90

export function createSteps(terminal: Terminal, signal: AbortSignal): Steps {
  const results: StepResult[] = []
  const tell = (mark: string, { name, ms }: StepResult, text: string) =>
    terminal.line(`  ${mark} ${name.padEnd(NAME_WIDTH)}${formatDuration(ms).padStart(TIME_WIDTH)}  ${text}`)
  return {
    results,
    async run(name, work) {
      signal.throwIfAborted()
      terminal.pending(`  .. ${name}`)
      const started = performance.now()
      const finish = (verdict: StepVerdict) => {
        const result = { name, ms: performance.now() - started, verdict }
        results.push(result)
        return result
      }
      try {
        const outcome = await work()
        if (typeof outcome === 'string') return tell(terminal.paint('green', 'ok'), finish('ok'), outcome)
        tell(terminal.paint('yellow', '--'), finish('not here'), 'not on this machine:')
        for (const line of wrap(outcome.refused, TEXT_WIDTH)) terminal.line(`       ${terminal.paint('yellow', line)}`)
      } catch (error) {
        tell(terminal.paint('red', '!!'), finish('failed'), terminal.paint('red', 'failed'))
        throw error
      }
    },
  }
}

const MARKS: Readonly<Record<StepVerdict, string>> = { ok: 'ok', 'not here': '--', failed: '!!' }

/** One row a step, one column a volume kind. */
export function layoutResults(columns: readonly { name: string; results: readonly StepResult[] }[]): string[] {
  const names = [...new Set(columns.flatMap(({ results }) => results.map(({ name }) => name)))]
  const cell = (result: StepResult | undefined) =>
    result ? `${formatDuration(result.ms)} ${MARKS[result.verdict]}` : '   '
  const rows = names.map(name => [
    name,
    ...columns.map(({ results }) => cell(results.find(result => result.name === name))),
  ])
  const sum = (results: readonly StepResult[]) => results.reduce((total, { ms }) => total + ms, 0)
  return layoutTable([
    ['step', ...columns.map(({ name }) => `${name}   `)],
    ...rows,
    ['all steps', ...columns.map(({ results }) => `${formatDuration(sum(results))}   `)],
    ['verdict', ...columns.map(({ results }) => `${verdictOf(results)}   `)],
  ])
}

export function verdictOf(results: readonly StepResult[]): string {
  if (results.length === 0) return 'not run'
  if (results.some(({ verdict }) => verdict === 'failed')) return 'FAILED'
  return results.some(({ verdict }) => verdict === 'not here') ? 'passed (--)' : 'passed'
}
