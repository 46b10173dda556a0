// What the driver measures of itself, before anybody writes it down.

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** As Prometheus takes them: what is counted only grows, and begins at 0 with the process. */
export interface Metric {
  /** Of counters it ends with `_total`; units are seconds and bytes, and part of the name. */
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly samples: readonly Sample[]
}

/** How long things took, by ascending upper bounds in seconds. */
export interface Histogram {
  readonly name: string
  readonly help: string
  readonly type: 'histogram'
  readonly bounds: readonly number[]
  readonly series: readonly Series[]
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>
  /** How many took no longer than each bound, and longer than the one before it; the last of them, longer than all. */
  readonly counts: readonly number[]
  /** Of all of them, in seconds. */
  readonly sum: number
}

export type Measured = Metric | Histogram

export function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, help, type: 'gauge', samples }
}

export function counter(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, help, type: 'counter', samples }
}
