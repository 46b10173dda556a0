// Tests of the permit to format: the whole table, and that no combination formats what may be data.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Content } from '../linux/format.ts'
import { decide, type Knowledge } from './format-permit.ts'

const UUID = '0b5e1f5e-0000-8000-8000-000000000001'
const OTHER = '0b5e1f5e-0000-8000-8000-000000000002'
const wanted = { fsType: 'ext4', uuid: UUID } as const

const CONTENTS: Record<string, Content> = {
  blank: { kind: 'blank' },
  own: { kind: 'filesystem', type: 'ext4', uuid: UUID },
  foreign: { kind: 'filesystem', type: 'ext4', uuid: OTHER },
  'other type': { kind: 'filesystem', type: 'xfs', uuid: UUID },
  luks: { kind: 'filesystem', type: 'crypto_LUKS', uuid: UUID },
  unfinished: { kind: 'unfinished-xfs', uuid: UUID },
  unknown: { kind: 'unknown', what: 'data' },
}
const INTENTS: Record<string, Knowledge['intent']> = {
  none: undefined,
  own: wanted,
  'other uuid': { ...wanted, uuid: OTHER },
  'other type': { ...wanted, fsType: 'xfs' },
}

describe('the permit to format', () => {
  /** content | intent | attested | readonly -> verdict; `*` is any. The first row that fits counts. */
  const TABLE = [
    'own          | *          | *   | *   | mount',
    'foreign      | *          | *   | *   | refuse',
    'other type   | *          | *   | *   | refuse',
    'luks         | *          | *   | *   | refuse',
    'blank        | *          | *   | yes | refuse',
    'unfinished   | *          | *   | yes | refuse',
    'unknown      | *          | *   | yes | refuse',
    'blank        | own        | *   | no  | format',
    'unfinished   | own        | *   | no  | clear and format',
    'unknown      | own        | *   | no  | format',
    'blank        | *          | yes | no  | format',
    'blank        | *          | no  | no  | refuse',
    'unfinished   | *          | *   | no  | refuse',
    'unknown      | *          | *   | no  | refuse',
  ].map(row => row.split('|').map(cell => cell.trim()))
  const verdictOf = (facts: readonly string[]) =>
    TABLE.find(row => facts.every((fact, n) => row[n] === '*' || row[n] === fact))?.at(-1)

  for (const [what, content] of Object.entries(CONTENTS)) {
    it(`for ${what} is as the table says`, () => {
      for (const [intended, intent] of Object.entries(INTENTS)) {
        for (const attested of [true, false]) {
          for (const readonly of [true, false]) {
            const verdict = decide({ blankAttested: attested, content, wanted, intent, readonly })
            const words = verdict.do === 'format' && verdict.clearFirst ? 'clear and format' : verdict.do
            const facts = [what, intended, attested ? 'yes' : 'no', readonly ? 'yes' : 'no']
            assert.equal(words, verdictOf(facts), facts.join(', '))
          }
        }
      }
    })
  }

  it('never covers a filesystem, and never comes without attestation or own intent', () => {
    const fsType = fc.constantFrom('ext4' as const, 'xfs' as const)
    const uuid = fc.constantFrom(UUID, OTHER)
    const plan = fc.record({ fsType, uuid })
    const content: fc.Arbitrary<Content> = fc.oneof(
      fc.constant({ kind: 'blank' as const }),
      fc.record({
        kind: fc.constant('filesystem' as const),
        type: fc.oneof(fsType, fc.string()),
        uuid: fc.oneof(uuid, fc.string()),
      }),
      fc.record({ kind: fc.constant('unfinished-xfs' as const), uuid }),
      fc.record({ kind: fc.constant('unknown' as const), what: fc.string() }),
    )
    const knowledge = fc.record({
      blankAttested: fc.boolean(),
      content,
      wanted: plan,
      intent: fc.option(plan, { nil: undefined }),
      readonly: fc.boolean(),
    })
    const seen = new Set<string>()
    fc.assert(
      fc.property(knowledge, known => {
        const verdict = decide(known)
        seen.add(verdict.do)
        const own = known.intent?.uuid === known.wanted.uuid && known.intent.fsType === known.wanted.fsType
        if (verdict.do === 'format') {
          assert.notEqual(known.content.kind, 'filesystem')
          assert.equal(known.readonly, false)
          assert.ok(own || (known.blankAttested && known.content.kind === 'blank'))
        }
        if (verdict.do === 'mount') {
          const { fsType: type, uuid: id } = known.wanted
          assert.deepEqual({ ...known.content }, { kind: 'filesystem', type, uuid: id })
        }
      }),
      { numRuns: 1000 },
    )
    assert.deepEqual([...seen].sort(), ['format', 'mount', 'refuse'])
  })
})
