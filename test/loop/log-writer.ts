// A workload like a database's: numbered records with a checksum, each durable before the next; run as a program it never ends.
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { record } from './log-records.ts'

if (import.meta.main) {
  const [path = ''] = process.argv.slice(2)
  const log = openSync(path, 'w')
  process.on('SIGTERM', () => {
    closeSync(log)
    process.exit(0)
  })
  for (let n = 0; ; n += 1) {
    writeSync(log, record(n))
    fdatasyncSync(log)
    // Told only when it is durable.
    writeSync(1, `${n + 1}\n`)
    if (n % 64 === 0) await new Promise(resolve => setImmediate(resolve))
  }
}
