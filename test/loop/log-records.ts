// Numbered records with a checksum, as a log of a database has them: made, and counted again in a copy.
import { readFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'

const RECORD = 512

/** `n` from 0. */
export const record = (n: number): string => {
  const body = `${n} `.padEnd(RECORD - 10, `${n % 10}`)
  return `${body} ${crc32(body).toString(16).padStart(8, '0')}\n`
}

/** How many records there are; throws at one that is not what was written, but for the end. */
export const recordsIn = (path: string): number => {
  const text = readFileSync(path, 'latin1')
  const whole = Math.floor(text.length / RECORD)
  for (let n = 0; n < whole; n += 1) {
    if (text.slice(n * RECORD, (n + 1) * RECORD) === record(n)) continue
    // What was never acknowledged may be zeros, but nothing may follow it.
    if (/^\0*$/.test(text.slice(n * RECORD))) return n
    throw new Error(`record ${n} of ${whole} is damaged`)
  }
  return whole
}
