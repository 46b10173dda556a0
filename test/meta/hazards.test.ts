// Tests of docs/hazards.md: every hazard has a row, and every file and test that a row names is there; and what no source may say.
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'

const ROOT = join(import.meta.dirname, '..', '..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

interface Row {
  id: number
  prevention: string
  tests: { file: string; title: string }[]
  reason: string | undefined
}

const parseRow = (line: string): Row[] => {
  const [, id, hazard, prevention = '', last = ''] = /^\| H(\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/.exec(line) ?? []
  if (id === undefined || hazard === undefined) return []
  const reason = /^does not apply: (.+)$/.exec(last)?.[1]
  const tests = last.split('<br>').map(each => {
    const [, file = '', title = ''] = /^`([^`]+)`: (.+)$/.exec(each) ?? []
    return { file, title }
  })
  return [{ id: Number(id), prevention, tests: reason === undefined ? tests : [], reason }]
}

const lines = read('docs/hazards.md').split('\n')
const rows = lines.flatMap(parseRow)

/** What a template fills in is "…". */
/** `it('title', ...)`; in a contract `async 'title'(t) ...` and `'title': () => ...`. */
const TITLES = [
  /\b(?:test\(|it\(|async)\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1[,(]/g,
  /^ +(['"`])((?:\\.|(?!\1)[^\\])*)\1: \(/gm,
]
const titlesIn = (file: string): Set<string> =>
  new Set(
    TITLES.flatMap(pattern => [...read(file).matchAll(pattern)]).map(([, , title = '']) =>
      title.replaceAll(/\$\{[^}]*\}/g, '…').replaceAll(/\\(.)/g, '$1'),
    ),
  )

describe('the table of hazards', () => {
  it('has one row for each of the 120, and no line that is not understood', () => {
    assert.deepEqual(
      rows.map(({ id }) => id).sort((a, b) => a - b),
      Array.from({ length: 120 }, (_, n) => n + 1),
    )
    assert.equal(lines.filter(line => line.startsWith('| H')).length, rows.length)
  })

  it('names tests that exist, in files that exist', () => {
    const titles = new Map<string, Set<string>>()
    const missing: string[] = []
    for (const { id, tests } of rows) {
      for (const { file, title } of tests) {
        if (!existsSync(join(ROOT, file))) missing.push(`H${id}: no file "${file}"`)
        else {
          const present = titles.get(file) ?? titlesIn(file)
          titles.set(file, present)
          if (!present.has(title)) missing.push(`H${id}: ${file} has no test "${title}"`)
        }
      }
    }
    assert.deepEqual(missing, [])
  })

  it('has a test for each, or says why it does not apply; and that is for what is not offered only', () => {
    for (const { id, tests, reason } of rows) assert.ok(tests.length > 0 || reason !== undefined, `H${id}`)
    const absent = rows.filter(({ reason }) => reason !== undefined)
    for (const { id, reason } of absent) assert.match(reason ?? '', /not offered/, `H${id}`)
    assert.ok(absent.length <= 4, 'what applies has a test')
  })

  it('names sources that exist, and functions that are in them', () => {
    for (const { id, prevention, reason } of rows) {
      if (reason !== undefined) continue
      const names = [...prevention.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
      for (const name of names.filter(each => /^(src|test)\/|\.js$/.test(each)))
        assert.ok(existsSync(join(ROOT, name)), `H${id}: ${name}`)
      for (const [, name = '', path = ''] of prevention.matchAll(/`(\w+)` in `([^`]+)`/g))
        assert.match(read(path), new RegExp(`\\b${name}\\b`), `H${id}: ${name} in ${path}`)
    }
  })

  it('is led to by the table itself: each test file of hazards is named', () => {
    const named = new Set(rows.flatMap(({ tests }) => tests.map(({ file }) => file)))
    const files = globSync('test/loop/{hazards-*,condition,clone-uuid}.test.ts', { cwd: ROOT })
    assert.ok(files.length > 4)
    assert.deepEqual(
      files.filter(file => !named.has(file)),
      [],
    )
  })
})

describe('what no source says', () => {
  const sources = globSync('src/{host,linux,node,controller,pools,transports,volume,doctor}/**/*.ts', { cwd: ROOT })
    .filter(path => !path.endsWith('.test.ts'))
    .map(path => ({ path, text: read(path).replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '') }))

  it('no program is asked to force, to be lazy, to discard, or to kill', () => {
    assert.ok(sources.length > 50)
    const forbidden = /^(-f|-F|-ff|-y|-l|-D|--force|--lazy|--all|--detach-all|lsblk|blkdiscard|pkill|killall)$/
    const found = sources.flatMap(({ path, text }) => {
      const words = [...text.matchAll(/['"`]([^'"`\n]*)['"`]/g)].map(([, word = '']) => word)
      // `onAbort: 'kill'` ends a child of our own.
      const kills = text.match(/process\.kill\(|file: 'kill'/g) ?? []
      return [...words.filter(word => forbidden.test(word)), ...kills].map(word => `${path}: ${word}`)
    })
    assert.deepEqual(found, [])
    const wipefs = sources.filter(({ text }) => /file: 'wipefs'/.test(text))
    assert.equal(wipefs.length, 1)
    for (const { text } of wipefs) assert.match(text, /file: 'wipefs',\s+args: \['--no-act'/)
  })

  it('no predicate is a promise, and none may be forgotten', () => {
    for (const { path, text } of sources)
      assert.doesNotMatch(text, /\.(some|every|filter|find|findIndex|findLast)\(\s*async\b/, path)
    const rules = read('eslint.config.js')
    for (const rule of ['no-misused-promises', 'no-floating-promises', 'await-thenable'])
      assert.match(rules, new RegExp(`'ts/${rule}': (\\[\\s*)?'error'`))
  })
})
