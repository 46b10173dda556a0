// Counts calls by their outcome, and how long they take.
import { counter, gauge, type Measured, type Series } from '../../volume/metric.ts'
import type { Middleware } from '../call.ts'
import { codeNameOf } from '../status.ts'

export interface CallMetrics {
  readonly measure: Middleware
  /** Since the process began. */
  metrics(): Measured[]
}

/** In seconds, from what answers from memory to what copies or formats. */
const BOUNDS = [0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

interface OfMethod {
  readonly codes: Map<string, number>
  readonly counts: number[]
  sum: number
  running: number
}

export function createCallMetrics(): CallMetrics {
  const methods = new Map<string, OfMethod>()
  const of = (method: string): OfMethod => {
    const known = methods.get(method)
    if (known) return known
    const fresh = { codes: new Map<string, number>(), counts: [...BOUNDS, Infinity].map(() => 0), sum: 0, running: 0 }
    methods.set(method, fresh)
    return fresh
  }
  return {
    async measure(call, next) {
      const own = of(call.method)
      const started = performance.now()
      let code = 'OK'
      own.running += 1
      try {
        return await next(call)
      } catch (error) {
        code = codeNameOf(error)
        throw error
      } finally {
        own.running -= 1
        note(own, code, (performance.now() - started) / 1000)
      }
    },
    metrics: () => describe(methods),
  }
}

function note(own: OfMethod, code: string, seconds: number): void {
  own.codes.set(code, (own.codes.get(code) ?? 0) + 1)
  const at = [...BOUNDS, Infinity].findIndex(bound => seconds <= bound)
  own.counts[at] = (own.counts[at] ?? 0) + 1
  own.sum += seconds
}

function describe(methods: ReadonlyMap<string, OfMethod>): Measured[] {
  const all = [...methods]
  const outcomes = all.flatMap(([method, { codes }]) =>
    [...codes].map(([code, value]) => ({ labels: { method, code }, value })),
  )
  const running = all.map(([method, own]) => ({ labels: { method }, value: own.running }))
  const series: Series[] = all.map(([method, { counts, sum }]) => ({ labels: { method }, counts: [...counts], sum }))
  return [
    counter('ashlar_calls_total', 'Calls that ended, by their gRPC status code.', outcomes),
    gauge('ashlar_calls_running', 'Calls that wait or work now.', running),
    {
      name: 'ashlar_call_duration_seconds',
      help: 'From the arrival of a call to its answer.',
      type: 'histogram',
      bounds: BOUNDS,
      series,
    },
  ]
}
