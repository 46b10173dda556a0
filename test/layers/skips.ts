// The written list of permitted skips: a skip that is not on it is a failure.
import { readFileSync } from 'node:fs'
import type { TestResult } from './result.ts'

export interface ExpectedSkip {
  layer: string
  name: string
  reason: string
}

/** Parses lines of the form "layer | test name | reason"; empty lines and lines that begin with # are comments. */
export const parseExpectedSkips = (text: string, file = 'expected-skips.txt'): ExpectedSkip[] =>
  text.split('\n').flatMap((line, index) => {
    if (line.trim() === '' || line.startsWith('#')) return []
    const [layer, name, reason, ...rest] = line.split('|').map(part => part.trim())
    if (!layer || !name || !reason || rest.length > 0) {
      throw new Error(`${file}:${index + 1}: expected "layer | test name | reason", got "${line}"`)
    }
    return [{ layer, name, reason }]
  })

export const readExpectedSkips = (file: string): ExpectedSkip[] => parseExpectedSkips(readFileSync(file, 'utf8'), file)

/** Turns every skip that is not on the list into a failure. */
export const judgeSkips = (
  layer: string,
  results: readonly TestResult[],
  expected: readonly ExpectedSkip[],
): TestResult[] =>
  results.map(result => {
    if (result.status !== 'skipped') return result
    if (expected.some(skip => skip.layer === layer && skip.name === result.name)) return result
    const reason = result.detail ?? 'no reason given'
    return { ...result, status: 'failed', detail: `skipped but not on the list of expected skips: ${reason}` }
  })
