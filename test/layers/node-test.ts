// Runs one layer of node:test files in a child process and gathers its results.
import { type ChildProcess, spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { ChildLine, ChildOptions } from './node-test-child.ts'
import { failure, type TestResult } from './result.ts'

export interface NodeTestLayer {
  /** Repository root; the patterns are relative to it. */
  root: string
  patterns: readonly string[]
  isolation: 'none' | 'process'
  /** How many files run at the same time, when each has a process; 1 when not given. */
  concurrency?: number
  /** Milliseconds after which the layer is ended and counted as failed. */
  timeoutMs: number
  only?: string
  /** Regular expression: of the files that the patterns find, those whose path it matches. */
  files?: string
  /** Drops what the tests print. */
  quiet?: boolean
  env?: Record<string, string>
}

const CHILD = join(import.meta.dirname, 'node-test-child.ts')

const findFiles = (layer: NodeTestLayer): string[] =>
  globSync([...layer.patterns], { cwd: layer.root })
    .filter(file => new RegExp(layer.files ?? '').test(file))
    .sort()
    .map(file => join(layer.root, file))

// The child leads its own process group: whatever its tests started ends with it.
const killGroup = (child: ChildProcess): void => {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

const start = (layer: NodeTestLayer, files: string[]): ChildProcess => {
  const options: ChildOptions = {
    files,
    isolation: layer.isolation,
    concurrency: layer.concurrency ?? 1,
    ...(layer.only === undefined ? {} : { only: layer.only }),
  }
  const env = { ...process.env, ...layer.env }
  const output = layer.quiet === true ? 'ignore' : 'inherit'
  // node:test refuses to run inside itself; the tests of this very file do run it there.
  delete env['NODE_TEST_CONTEXT']
  return spawn(process.execPath, [CHILD, JSON.stringify(options)], {
    cwd: layer.root,
    detached: true,
    env,
    stdio: ['ignore', output, output, 'pipe'],
  })
}

/** Runs the layer; resolves with one result per leaf test and never rejects for a failing test. */
export const runNodeTests = async (layer: NodeTestLayer): Promise<TestResult[]> => {
  const files = findFiles(layer)
  if (files.length === 0) return []
  const child = start(layer, files)
  const closed = new Promise<string>(resolve => {
    child.once('error', error => resolve(String(error)))
    child.once('close', (code, signal) => resolve(code === 0 ? '' : `exit ${signal ?? String(code)}`))
  })
  const deadline = new AbortController()
  const timer = setTimeout(() => {
    deadline.abort()
    killGroup(child)
  }, layer.timeoutMs)
  const onSignal = (signal: NodeJS.Signals): void => {
    killGroup(child)
    // Layers that run beside this one have children of their own to end.
    setImmediate(() => process.exit(signal === 'SIGINT' ? 130 : 143))
  }
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)

  const results: TestResult[] = []
  let complete = false
  for await (const text of createInterface({ input: child.stdio[3] as Readable })) {
    const line = JSON.parse(text) as ChildLine
    if ('end' in line) complete = true
    else results.push(line.result)
  }
  const ending = await closed
  clearTimeout(timer)
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal)

  if (deadline.signal.aborted) {
    const seconds = layer.timeoutMs / 1000
    results.push(failure('layer ends in time', `not done after ${seconds} s: a hanging test or a handle left open`))
  } else if (!complete) {
    results.push(failure('layer reports its end', `the test process ended early (${ending || 'exit 0'})`))
  } else if (ending !== '' && !results.some(result => result.status === 'failed')) {
    results.push(failure('layer exits 0', `the test process ended with ${ending}`))
  }
  return results
}
