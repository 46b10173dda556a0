// Runs the files of one layer with node:test in a process of its own and writes each result as a line to descriptor 3.
import { writeSync } from 'node:fs'
import { run } from 'node:test'
import { createCollector, type TestEvent } from './collect.ts'
import type { TestResult } from './result.ts'

/** Argument 1 of this process, as JSON. */
export interface ChildOptions {
  files: string[]
  /** 'none' runs all files in this process (fast); 'process' gives every file its own. */
  isolation: 'none' | 'process'
  /** How many files run at the same time, when each has a process. */
  concurrency: number
  /** Regular expression on test names. */
  only?: string
}

/** One line on descriptor 3. The last line of a complete run is { end: true }. */
export type ChildLine = { result: TestResult } | { end: true }

const REPORT_FD = 3

// Synchronous, so that nothing is lost when a test ends the process.
const send = (line: ChildLine): void => {
  writeSync(REPORT_FD, `${JSON.stringify(line)}\n`)
}

const options = JSON.parse(process.argv[2] ?? '{}') as ChildOptions
const collector = createCollector(options.files, options.only !== undefined)
const events = run({
  files: options.files,
  isolation: options.isolation,
  ...(options.isolation === 'process' ? { concurrency: options.concurrency } : {}),
  ...(options.only === undefined ? {} : { testNamePatterns: [options.only] }),
})
for await (const event of events as AsyncIterable<TestEvent>) {
  if (event.type === 'test:stdout' || event.type === 'test:stderr') process.stderr.write(event.data.message ?? '')
  // Seeds and figures; node's own counts name no file.
  if (event.type === 'test:diagnostic' && event.data.file !== undefined)
    process.stderr.write(`${event.data.message ?? ''}\n`)
  for (const result of collector.feed(event)) send({ result })
}
for (const result of collector.finish()) send({ result })
send({ end: true })
