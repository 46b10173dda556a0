// Tests of docs/checks.md: the table of the forty checks tells the truth about the tests of the loop layer, and names others that exist.
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, it } from 'node:test'

const ROOT = join(import.meta.dirname, '..', '..')

interface Row {
  check: number
  /** "file.test.ts: name of the test without its number" */
  tests: string[]
  /** In other layers, where tests bear no numbers. */
  elsewhere: { path: string; name: string }[]
  later: string | undefined
}

const parseRow = (line: string): Row[] => {
  const [, check, , last = ''] = /^\| (\d+) \| ([^|]+) \| ([^|]+) \|$/.exec(line) ?? []
  if (check === undefined) return []
  const later = /^later: (.+)$/.exec(last)?.[1]
  const others = /^elsewhere: (.+)$/.exec(last)?.[1]
  const isHere = later === undefined && others === undefined
  const tests = isHere ? last.split('<br>').map(each => each.replace(/^`([^`]+)`/, '$1')) : []
  const elsewhere = (others?.split('<br>') ?? []).map(each => {
    const [, path = '', name = ''] = /^`([^`]+)`: (.+)$/.exec(each) ?? []
    return { path, name }
  })
  return [{ check: Number(check), tests, elsewhere, later }]
}

/** By number of the check, in the form of the table; what a template fills in is "…". */
const testsIn = (file: string): [check: number, test: string][] =>
  [...readFileSync(file, 'utf8').matchAll(/\btest\(\s*(['`])check (\d+): (.*?)\1,/g)].map(([, , check, name = '']) => [
    Number(check),
    `${basename(file)}: ${name.replaceAll(/\$\{[^}]*\}/g, '…')}`,
  ])

const rows = readFileSync(join(ROOT, 'docs', 'checks.md'), 'utf8')
  .split('\n')
  .flatMap(parseRow)
const present = globSync('test/loop/*.ts', { cwd: ROOT }).flatMap(file => testsIn(join(ROOT, file)))

describe('the table of the forty checks', () => {
  it('has one row for each, in order', () => {
    assert.deepEqual(
      rows.map(({ check }) => check),
      Array.from({ length: 40 }, (_, n) => n + 1),
    )
  })

  it('names exactly the tests that exist', () => {
    assert.ok(present.length > 0)
    for (const { check, tests } of rows) {
      const expected = present.filter(([number]) => number === check).map(([, test]) => test)
      assert.deepEqual(tests.toSorted(), expected.toSorted(), `check ${check}`)
    }
  })

  it('names tests elsewhere that exist, in files that exist', () => {
    for (const { check, elsewhere } of rows) {
      for (const { path, name } of elsewhere) {
        assert.ok(existsSync(join(ROOT, path)), `check ${check}: no file "${path}"`)
        assert.ok(readFileSync(join(ROOT, path), 'utf8').includes(`'${name}', `), `check ${check}: no test "${name}"`)
      }
    }
  })

  it('has a test for at least thirty, and says of the others what they wait for', () => {
    assert.ok(rows.filter(({ tests }) => tests.length > 0).length >= 30)
    for (const { check, tests, elsewhere, later } of rows)
      assert.ok(tests.length + elsewhere.length > 0 || later !== undefined, `check ${check}`)
  })
})
