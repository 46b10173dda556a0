// Tests of quoting: whatever the words are, a real shell passes them on as they are.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { it } from 'node:test'
import fc from 'fast-check'
import { commandLine, quote } from './quote.ts'

const NASTY = [
  "'",
  '"',
  '\\',
  '\n',
  '\t',
  ' ',
  '$(id)',
  '`id`',
  '$HOME',
  '!',
  '*',
  '?',
  '~',
  '#',
  ';',
  '&',
  '|',
  '-n',
  '%s',
]

/** Any code point but NUL and halves of pairs; fast-check's own unit for this takes seconds to set up. */
const character = fc
  .integer({ min: 1, max: 0x10ffff })
  .filter(code => code < 0xd800 || code > 0xdfff)
  .map(code => String.fromCodePoint(code))

/** Words of anything that UTF-8 can carry, except NUL. */
const word = fc.oneof(
  fc.string({ unit: character }),
  fc.array(fc.constantFrom(...NASTY)).map(parts => parts.join('')),
)

it('any words arrive exactly, through a real shell', () => {
  fc.assert(
    fc.property(fc.array(fc.array(word, { maxLength: 5 }), { minLength: 20, maxLength: 20 }), lists => {
      // Many at once: starting a shell for each takes longer than all the rest.
      const script = lists.map(words => commandLine(['printf', '%s\\0', ...words, 'end'])).join('\n')
      const printed = execFileSync('sh', ['-c', script], { encoding: 'utf8' })
      assert.deepEqual(
        printed.split('\0').slice(0, -1),
        lists.flatMap(words => [...words, 'end']),
      )
    }),
    { numRuns: 25 },
  )
})

it('a NUL is refused', () => {
  assert.throws(() => quote('a\0b'), RangeError)
})
