// What the demo says about missing programs, and that its list is the one scripts/setup installs from.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { describeMissing } from './demo-requirements.ts'

const programs = JSON.parse(readFileSync(new URL('programs.json', import.meta.url), 'utf8')) as Record<string, string>

describe('describeMissing', () => {
  it('names each program with its package, and each package once', () => {
    const fs = { a: 'tools', b: 'tools', c: 'other' }
    assert.deepEqual(describeMissing(['a', 'b'], fs), [
      'the program a (Debian package tools)',
      'the program b (Debian package tools)',
      'install with: apt-get install tools',
    ])
  })
  it('is silent when all are there', () => assert.deepEqual(describeMissing([], {}), []))
})

describe('programs.json', () => {
  const setup = readFileSync(new URL('../../scripts/setup', import.meta.url), 'utf8')
  const tools = /^setup_tools\(\) \{\n([\s\S]*?)^\}/m.exec(setup)?.[1] ?? ''
  const installed = [...tools.matchAll(/ ([a-z0-9_.]+):([a-z0-9-]+)(?=[ ;\n])/g)].map(([, name, owner]) => [
    name,
    owner,
  ])
  it('finds the list of scripts/setup', () => assert.ok(installed.length > 10))
  for (const [name = '', owner] of installed)
    it(`has ${name} of scripts/setup, in the same package`, () => assert.equal(programs[name], owner))
})
