// The arguments of `wipe`: only the volume's id, repeated, is a confirmation.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseWipe, runWipe } from './wipe.ts'

const id = 'vol-p-0123'

describe('wipe', () => {
  it('looks only, without a confirmation', () => {
    assert.deepEqual(parseWipe([id, '--config', 'x']), { id, confirmed: false, rest: ['--config', 'x'] })
  })
  it('takes the id, repeated, wherever it stands', () => {
    const confirmed = { id, confirmed: true, rest: ['--config', 'x'] }
    assert.deepEqual(parseWipe([id, '--destroy', id, '--config', 'x']), confirmed)
    assert.deepEqual(parseWipe([id, '--config', 'x', '--destroy', id]), confirmed)
  })
  const wrong: [string, string[], RegExp][] = [
    ['nothing', [], /wipe VOLUME_ID/],
    ['a flag first', ['--destroy', id], /wipe VOLUME_ID/],
    ['another id', [id, '--destroy', 'vol-p-0124'], /does not repeat/],
    ['no id', [id, '--destroy'], /does not repeat/],
    ['a flag for the id', [id, '--destroy', '--config', 'x'], /does not repeat/],
  ]
  for (const [what, args, message] of wrong) {
    it(`refuses ${what}, before anything is opened`, async t => {
      assert.throws(() => parseWipe(args), { message })
      t.mock.method(process.stderr, 'write', () => true)
      assert.equal(await runWipe(args, () => assert.fail('opened')), 2)
    })
  }
})
