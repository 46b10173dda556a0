// A workload over several files: each record is durable in one before it is written to the next; run as a program it never ends.
import { fdatasyncSync, openSync, writeSync } from 'node:fs'
import { record } from './log-records.ts'

/**
 * What is wrong with so many records in the files, in the order in which they are written: at any instant each file has as
 * many as the one before it, or one less, and the last lacks one at most. undefined: nothing.
 */
export const outOfOrder = (counts: readonly number[]): string | undefined => {
  const [first = 0] = counts
  const overtaken = counts.findIndex((count, n) => count > (counts[n - 1] ?? count))
  if (overtaken > 0) return `file ${overtaken} has more records than the one before it: ${counts.join(', ')}`
  return counts.some(count => count < first - 1) ? `records are missing: ${counts.join(', ')}` : undefined
}

if (import.meta.main) {
  const files = process.argv.slice(2).map(path => openSync(path, 'w'))
  for (let n = 0; ; n += 1) {
    for (const file of files) {
      writeSync(file, record(n))
      fdatasyncSync(file)
    }
    writeSync(1, `${n + 1}\n`)
  }
}
