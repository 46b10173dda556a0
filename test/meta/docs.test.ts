// The documents say what the code does: tables of errors, parameters and settings, in both directions.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { codeNameOf } from '../../src/rpc/status.ts'
import { parseParameters } from '../../src/schema/parameters.ts'
import { configSchema } from '../../src/schema/shapes/config.ts'
import * as errors from '../../src/volume/errors.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

/** The rows of a Markdown table, cells trimmed, by the title of its first column. */
function rows(document: string, title: string): string[][] {
  const lines = document.split('\n')
  const head = lines.findIndex(line => line.startsWith(`| ${title} |`))
  assert.notEqual(head, -1, `no table with the column ${title}`)
  const end = lines.findIndex((line, n) => n > head && !line.startsWith('|'))
  return lines.slice(head + 2, end === -1 ? undefined : end).map(line =>
    line
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim()),
  )
}

test('docs/errors.md lists exactly the error classes, each with its gRPC code', () => {
  const documented = Object.fromEntries(rows(read('docs/errors.md'), 'Class').map(([name, code]) => [name, code]))
  const finding = { asked: 'a', found: 'b', next: 'c', code: 1 }
  const real = Object.fromEntries(
    Object.entries(errors)
      .filter(([name]) => name !== 'DriverError')
      .map(([name, Class]) => [name, codeNameOf(new (Class as typeof errors.InvalidRequest)(finding))]),
  )
  assert.deepEqual(documented, real)
})

test('docs/parameters.md lists exactly the StorageClass keys', () => {
  const documented = rows(read('docs/parameters.md'), 'Key').map(([key]) => key)
  let keys: string[] = []
  try {
    parseParameters('ask', { nothing: 'x' })
  } catch (error) {
    assert(error instanceof errors.InvalidRequest)
    keys = /the keys are (.*), and/.exec(error.message)?.[1]?.split(', ') ?? []
  }
  assert.deepEqual(documented, keys)
})

test('docs/configuration.md lists exactly the settings, with their defaults', () => {
  const properties = (configSchema as { properties: Record<string, { default?: unknown }> }).properties
  const documented = rows(read('docs/configuration.md'), 'Key')
  assert.deepEqual(documented.map(([key]) => key).sort(), Object.keys(properties).sort())
  for (const [key, value] of documented) {
    const real = properties[key ?? '']?.default
    if (typeof real === 'string' || typeof real === 'number' || typeof real === 'boolean')
      assert.equal(value, String(real), key)
  }
})

test('docs/operations.md lists exactly the metrics of the driver', () => {
  const code = globSync('src/**/*.ts', { cwd: ROOT, exclude: ['**/*.test.ts'] })
    .map(read)
    .join('')
  const real = new Set(code.match(/\bashlar_[a-z_]+/g))
  assert.ok(real.size > 10)
  assert.deepEqual(
    rows(read('docs/operations.md'), 'Metric')
      .map(([name]) => name)
      .sort(),
    [...real].sort(),
  )
})

test('the version is the same in package.json and at the top of CHANGELOG.md', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string }
  assert.match(read('CHANGELOG.md'), new RegExp(`^## ${version.replaceAll('.', '\\.')}$`, 'm'))
})
