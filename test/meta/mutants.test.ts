// The list of safety checks that hack/mutants takes out must fit the sources that there are.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { MUTANTS } from '../../hack/mutants/mutants.ts'

const root = join(import.meta.dirname, '../..')

describe('the mutants', () => {
  it('are at least twenty, each named once', () => {
    const names = MUTANTS.map(({ without }) => without)
    assert.ok(names.length >= 20)
    assert.deepEqual(
      names.filter((name, n) => names.indexOf(name) !== n),
      [],
    )
  })

  for (const { without, file, replace, files } of MUTANTS) {
    it(`without ${without}: the check is there once, and so is its test`, () => {
      assert.equal(readFileSync(join(root, file), 'utf8').split(replace[0]).length, 2, `${file}: ${replace[0]}`)
      assert.notEqual(replace[0], replace[1])
      const tests = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'], { cwd: root })
      assert.ok(tests.some(path => new RegExp(files).test(path)))
    })
  }
})
