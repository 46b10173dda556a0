// The layer of static checks: every npm script named check:* counts as one test.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import type { TestResult } from './result.ts'

const runScript = (root: string, name: string, command: string): Promise<TestResult> =>
  new Promise(resolve => {
    const path = [join(root, 'node_modules', '.bin'), dirname(process.execPath), process.env['PATH'] ?? '']
    const child = spawn('/bin/sh', ['-c', command], {
      cwd: root,
      env: { ...process.env, PATH: path.join(delimiter) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const take = (chunk: Buffer): void => {
      output += chunk.toString()
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.once('error', error => resolve({ name, status: 'failed', detail: String(error) }))
    child.once('close', (code, signal) => {
      const detail = `${command}: exit ${signal ?? String(code)}\n${output.trim()}`
      resolve(code === 0 ? { name, status: 'passed' } : { name, status: 'failed', detail })
    })
  })

/** Runs the check:* scripts of package.json side by side. */
export const runChecks = (root: string, only?: RegExp): Promise<TestResult[]> => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  const scripts = Object.entries(manifest.scripts).filter(([name]) => name.startsWith('check:'))
  return Promise.all(
    scripts.filter(([name]) => only?.test(name) ?? true).map(([name, command]) => runScript(root, name, command)),
  )
}
