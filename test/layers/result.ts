// What every test layer hands back, and how results become counts.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

export type Status = 'passed' | 'failed' | 'skipped'

export interface TestResult {
  /** Full name: the suites and the test, joined by " > ". */
  name: string
  status: Status
  /** Where the test stands, as path or path:line. */
  file?: string
  /** Error text of a failure, or the reason of a skip. */
  detail?: string
  /** Wall time in milliseconds, if known. */
  durationMs?: number
}

export interface LayerReport {
  layer: string
  results: TestResult[]
  /** Wall time in milliseconds. */
  durationMs: number
}

export interface Counts {
  passed: number
  failed: number
  skipped: number
}

export const failure = (name: string, detail: string): TestResult => ({ name, status: 'failed', detail })

export const countResults = (results: readonly TestResult[]): Counts => {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
  for (const result of results) counts[result.status] += 1
  return counts
}

/** The line a run ends with; machines read it, so its shape is fixed. */
export const countsLine = (counts: Counts): string =>
  `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`

/** Writes the machine-readable report: the total counts and every result of every layer. */
export const writeReport = (file: string, layers: readonly LayerReport[]): void => {
  const total = countResults(layers.flatMap(layer => layer.results))
  writeFileSync(file, `${JSON.stringify({ ...total, layers }, null, 2)}\n`)
}

const isStatus = (value: unknown): value is Status => value === 'passed' || value === 'failed' || value === 'skipped'

const readReport = (file: string): TestResult[] => {
  const source = basename(file, '.json')
  const report = JSON.parse(readFileSync(file, 'utf8')) as Partial<Counts> & { layers?: LayerReport[] }
  const results = (report.layers ?? []).flatMap(({ layer, results: found }) =>
    found.map(result => ({ ...result, name: `${source}/${layer}: ${result.name}` })),
  )
  if (results.length === 0 || results.some(result => !isStatus(result.status))) {
    return [failure(source, `${file} holds no test results`)]
  }
  return results
}

/** Sums up the reports (as written by writeReport) that other runs, for example inside a VM, left in a directory. */
export const readReports = (directory: string): TestResult[] =>
  readdirSync(directory)
    .filter(name => name.endsWith('.json'))
    .sort()
    .flatMap(name => {
      try {
        return readReport(join(directory, name))
      } catch (error) {
        return [failure(name, `unreadable report: ${String(error)}`)]
      }
    })
