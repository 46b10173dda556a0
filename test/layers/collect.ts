// Turns the event stream of node:test into one result per leaf test.
import { inspect } from 'node:util'
import type { TestResult } from './result.ts'

/** The part of a node:test event this file reads. */
export interface TestEvent {
  type: string
  data: {
    name?: string
    nesting?: number
    /** Where the test is defined. */
    file?: string
    /** The file that was run, when a process of its own runs it. */
    entryFile?: string
    line?: number
    message?: string
    skip?: string | boolean
    todo?: string | boolean
    details?: { type?: string | undefined; error?: unknown; duration_ms?: number }
  }
}

export interface Collector {
  feed: (event: TestEvent) => TestResult[]
  /** Results that only the end of the stream shows: started tests without an end, files without tests. */
  finish: () => TestResult[]
}

interface OpenTest {
  name: string
  children: number
  file: string | undefined
}

const reasonOf = (mark: string | boolean): string => (typeof mark === 'string' ? mark : 'no reason given')

// Frames of node itself and of this runner say nothing about the failure.
const trim = (text: string): string =>
  text
    .split('\n')
    .filter(line => !/^\s+at .*\(?node:internal/.test(line))
    .join('\n')

/** Readable text of what node:test reports as error: the cause with its diff, or the wrapper's own message. */
export const describeError = (error: unknown): string => {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  if (!(cause instanceof Error)) {
    const exit = error as { exitCode?: unknown; signal?: unknown } | undefined
    const code = exit?.exitCode ?? exit?.signal
    return code === undefined || code === null ? inspect(cause) : `${String(cause)} (exit ${String(code)})`
  }
  const stack = cause.stack ?? ''
  return trim(stack.includes(cause.message) ? stack : `${cause.name}: ${cause.message}\n${stack}`)
}

const failureType = (error: unknown): unknown => (error as { failureType?: unknown } | undefined)?.failureType

/**
 * Collects leaf tests. A suite, or a test with subtests, is no leaf: it counts only when it fails by itself (a hook, an
 * assertion after the subtests). A file that ran no test fails, because a test that never runs cannot fail.
 */
export const createCollector = (files: readonly string[], filtered = false): Collector => {
  const open: OpenTest[] = []
  const reported = new Set<string>()

  const path = (nesting: number): string =>
    open
      .slice(0, nesting + 1)
      .map(test => test.name)
      .join(' > ')

  const ended = (event: TestEvent): TestResult[] => {
    const { name = '', nesting = 0, file, entryFile = file, line, skip, todo, details } = event.data
    const children = open[nesting]?.children ?? 0
    const fullName = path(nesting)
    open.length = nesting
    if (event.type === 'test:pass' && name === file) return []
    const place = file === undefined ? {} : { file: line === undefined ? file : `${file}:${line}` }
    const result = (status: TestResult['status'], detail?: string): TestResult[] => {
      if (entryFile !== undefined) reported.add(entryFile)
      const parent = open[nesting - 1]
      if (parent) parent.children += 1
      const durationMs = details?.duration_ms
      return [
        {
          name: fullName,
          status,
          ...place,
          ...(detail === undefined ? {} : { detail }),
          ...(durationMs === undefined ? {} : { durationMs }),
        },
      ]
    }
    const parentOf = (): TestResult[] => {
      const parent = open[nesting - 1]
      if (parent) parent.children += 1
      return []
    }
    if (skip !== undefined && skip !== false) return result('skipped', reasonOf(skip))
    if (todo !== undefined && todo !== false) return result('skipped', `todo: ${reasonOf(todo)}`)
    if (event.type === 'test:fail') {
      const ownFault = failureType(details?.error) !== 'subtestsFailed' || children === 0
      return ownFault ? result('failed', describeError(details?.error)) : parentOf()
    }
    return children > 0 || details?.type === 'suite' ? parentOf() : result('passed')
  }

  return {
    feed: event => {
      const { name = '', nesting = 0, file, message = '' } = event.data
      if (event.type === 'test:start') {
        open.length = nesting
        open.push({ name, children: 0, file })
        return []
      }
      if (event.type === 'test:pass' || event.type === 'test:fail') return ended(event)
      // Without a process per file this is the only trace of an error that came after its test had ended.
      if (event.type === 'test:diagnostic' && message.includes('asynchronous activity after the test ended')) {
        return [{ name: 'error after the end of a test', status: 'failed', detail: message }]
      }
      return []
    },
    finish: () => [
      ...open.map(
        (test): TestResult => ({
          name: test.name,
          status: 'failed',
          detail: 'started but never reported a result',
          ...(test.file === undefined ? {} : { file: test.file }),
        }),
      ),
      ...files
        .filter(file => !filtered && !reported.has(file) && !open.some(test => test.file === file))
        .map((file): TestResult => ({ name: file, status: 'failed', file, detail: 'the file ran no test' })),
    ],
  }
}
