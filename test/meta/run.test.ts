// Tests of the test runner itself: what it counts, and that nothing which did not run is counted as passed.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { describeError } from '../layers/collect.ts'
import { type NodeTestLayer, runNodeTests } from '../layers/node-test.ts'
import { firstMissing } from '../layers/requirements.ts'
import { countResults, countsLine, readReports, type TestResult, writeReport } from '../layers/result.ts'
import { judgeSkips, parseExpectedSkips } from '../layers/skips.ts'

const LEAVES = `
import { describe, it, test } from 'node:test'
import assert from 'node:assert/strict'
describe('suite', () => {
  it('good', () => {})
  it('bad', () => { assert.deepEqual({ size: 1 }, { size: 2 }) })
  it('skipped', { skip: 'no kernel for it' }, () => {})
  it('later', { todo: 'not yet' }, () => { throw new Error('todo') })
})
describe('empty suite', () => {})
test('parent', async t => { await t.test('child', () => {}) })
test('parent with its own fault', async t => { await t.test('child', () => {}); throw new Error('own fault') })
test('parent of a failure', async t => { await t.test('child', () => { throw new Error('boom') }) })
`

const summary = (results: TestResult[]): string[] => results.map(({ name, status }) => `${status} ${name}`).sort()

for (const isolation of ['none', 'process'] as const) {
  describe(`a layer with isolation ${isolation}`, () => {
    let root = ''
    before(() => {
      root = mkdtempSync(join(tmpdir(), 'ashlar-meta-'))
    })
    after(() => rmSync(root, { recursive: true }))

    const runFile = (name: string, text: string, rest: Partial<NodeTestLayer> = {}): Promise<TestResult[]> => {
      mkdirSync(join(root, name))
      writeFileSync(join(root, name, 'a.test.ts'), text)
      return runNodeTests({ root, patterns: [`${name}/*.test.ts`], isolation, timeoutMs: 20_000, quiet: true, ...rest })
    }

    it('counts leaves, and parents only for faults of their own', async () => {
      const results = await runFile('leaves', LEAVES)
      assert.deepEqual(summary(results), [
        'failed parent of a failure > child',
        'failed parent with its own fault',
        'failed suite > bad',
        'passed parent > child',
        'passed parent with its own fault > child',
        'passed suite > good',
        'skipped suite > later',
        'skipped suite > skipped',
      ])
      const bad = results.find(result => result.name === 'suite > bad')
      assert.match(bad?.detail ?? '', /size: 1/)
      assert.match(bad?.file ?? '', /a\.test\.ts:6$/)
      assert.equal(results.find(result => result.name === 'suite > skipped')?.detail, 'no kernel for it')
    })

    it('runs the tests of a pattern alone', async () => {
      const results = await runFile('only', LEAVES, { only: 'good' })
      assert.deepEqual(summary(results), ['passed suite > good'])
    })

    it('fails for a file without tests', async () => {
      const results = await runFile('zero', 'export const a = 1\n')
      assert.deepEqual(
        results.map(result => [result.status, result.detail]),
        [['failed', 'the file ran no test']],
      )
    })

    it('fails for a file that cannot be loaded', async () => {
      assert.equal(countResults(await runFile('broken', "import './absent.ts'\n")).failed, 1)
    })

    it('fails when a test ends the process with exit 0', async () => {
      const text = "import { test } from 'node:test'\ntest('leaves', () => { process.exit(0) })\n"
      const counts = countResults(await runFile('exits', text))
      assert.equal(counts.passed, 0)
      assert.ok(counts.failed > 0)
    })

    it('fails for an error after the end of its test', async () => {
      const text = `import { test } from 'node:test'
        test('late', () => { setTimeout(() => { throw new Error('late') }, 5) })
        test('waits', async () => { await new Promise(resolve => setTimeout(resolve, 100)) })\n`
      const failed = (await runFile('late', text)).filter(result => result.status === 'failed')
      assert.ok(failed.some(result => result.detail?.includes('Error: late')))
    })

    it('fails for a failing hook after passed tests', async () => {
      const text = `import { after, describe, it } from 'node:test'
        describe('hooked', () => { after(() => { throw new Error('hook') }); it('good', () => {}) })\n`
      assert.deepEqual(summary(await runFile('hook', text)), ['failed hooked', 'passed hooked > good'])
    })

    it('ends a hanging layer and fails', async () => {
      const text = "import { test } from 'node:test'\ntest('hangs', () => { setInterval(() => {}, 1000) })\n"
      const results = await runFile('hangs', text, { timeoutMs: 500 })
      assert.equal(results.at(-1)?.status, 'failed')
      assert.match(results.at(-1)?.detail ?? '', /not done after 0.5 s/)
    })
  })
}

describe('a file whose tests another file defines', () => {
  it('has run them', async t => {
    const root = mkdtempSync(join(tmpdir(), 'ashlar-meta-'))
    t.after(() => rmSync(root, { recursive: true }))
    const shared = "import { test } from 'node:test'\nexport const define = () => test('shared', () => {})\n"
    writeFileSync(join(root, 'shared.ts'), shared)
    writeFileSync(join(root, 'a.test.ts'), "import { define } from './shared.ts'\ndefine()\n")
    const layer = { root, patterns: ['*.test.ts'], isolation: 'process', timeoutMs: 20_000, quiet: true } as const
    assert.deepEqual(summary(await runNodeTests(layer)), ['passed shared'])
  })
})

describe('the list of expected skips', () => {
  const list = parseExpectedSkips('# comment\n\nloop | grows ext4 | needs CAP_SYS_RESOURCE\n')

  it('is parsed', () => {
    assert.deepEqual(list, [{ layer: 'loop', name: 'grows ext4', reason: 'needs CAP_SYS_RESOURCE' }])
    assert.throws(() => parseExpectedSkips('loop | no reason\n', 'f'), /f:1: expected/)
  })

  it('makes a failure of any other skip', () => {
    const skip = (name: string): TestResult => ({ name, status: 'skipped', detail: 'why' })
    const statuses = (layer: string, name: string) => judgeSkips(layer, [skip(name)], list).map(result => result.status)
    assert.deepEqual(statuses('loop', 'grows ext4'), ['skipped'])
    assert.deepEqual(statuses('loop', 'grows xfs'), ['failed'])
    assert.deepEqual(statuses('unit', 'grows ext4'), ['failed'])
  })
})

describe('reports of runs elsewhere', () => {
  it('are summed up, and one without results fails', () => {
    const directory = mkdtempSync(join(tmpdir(), 'ashlar-meta-'))
    try {
      const results: TestResult[] = [
        { name: 'a', status: 'passed' },
        { name: 'b', status: 'skipped', detail: 'why' },
      ]
      writeReport(join(directory, 'guest.json'), [{ layer: 'loop', results, durationMs: 1 }])
      writeReport(join(directory, 'none.json'), [])
      writeFileSync(join(directory, 'torn.json'), '{"layers": [')
      assert.deepEqual(summary(readReports(directory)), [
        'failed none',
        'failed torn.json',
        'passed guest/loop: a',
        'skipped guest/loop: b',
      ])
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('end in the counts line', () => {
    assert.equal(countsLine(countResults([{ name: 'a', status: 'failed' }])), '0 passed, 1 failed, 0 skipped')
  })
})

describe('the text of an error', () => {
  it('is the cause, without frames of node itself', () => {
    const text = describeError(new Error('wrapper', { cause: new TypeError('no such thing') }))
    assert.match(text, /^TypeError: no such thing/)
    assert.doesNotMatch(text, /node:internal/)
  })
})

describe('a requirement', () => {
  it('that is not met is named', () => {
    const path = process.env['PATH']
    process.env['PATH'] = '/nonexistent'
    try {
      assert.match(firstMissing(['go']) ?? '', /scripts\/setup go/)
    } finally {
      process.env['PATH'] = path
    }
  })
})
