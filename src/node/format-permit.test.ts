// Tests of the permit to format: the whole table, and that no combination formats what may be data.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Content } from '../linux/format.ts'
import { decide, type Knowledge } from './format-permit.ts'

const UUID = '0b5e1f5e-0000-8000-8000-000000000001'
const SOURCE = '0b5e1f5e-0000-8000-8000-000000000002'
const OTHER = '0b5e1f5e-0000-8000-8000-000000000003'
const wanted = { fsType: 'ext4', uuid: UUID } as const

const CONTENTS: Record<string, Content> = {
  blank: { kind: 'blank' },
  own: { kind: 'filesystem', type: 'ext4', uuid: UUID },
  'of the source': { kind: 'filesystem', type: 'ext4', uuid: SOURCE },
  'of another': { kind: 'filesystem', type: 'ext4', uuid: OTHER },
  'other type': { kind: 'filesystem', type: 'xfs', uuid: UUID },
  luks: { kind: 'filesystem', type: 'crypto_LUKS', uuid: UUID },
  unfinished: { kind: 'unfinished-xfs', uuid: UUID },
  foreign: { kind: 'foreign', what: 'a partition table' },
  unknown: { kind: 'unknown', what: 'data' },
}
const BOOLEANS = [true, false]
const DATA_BELOW: Record<string, boolean | undefined> = { yes: true, no: false, '?': undefined }

describe('the permit to format', () => {
  /** content | attested | marked | data below | copy | read-only -> verdict; `*` is any. The first row that fits counts. */
  const TABLE = [
    'own           | yes | yes | *   | *   | no  | finish',
    'own           | *   | *   | *   | *   | *   | mount',
    'of the source | *   | *   | *   | yes | no  | rename',
    'of the source | *   | *   | *   | yes | yes | mount',
    'of the source | *   | *   | *   | no  | *   | refuse',
    'of another    | *   | *   | *   | *   | *   | refuse',
    'other type    | *   | *   | *   | *   | *   | refuse',
    'luks          | *   | *   | *   | *   | *   | refuse',
    'foreign       | *   | *   | *   | *   | *   | refuse',
    '*             | *   | *   | *   | *   | yes | refuse',
    '*             | no  | *   | *   | *   | no  | refuse',
    'unfinished    | yes | yes | *   | *   | no  | clear and format',
    '*             | yes | yes | *   | *   | no  | format',
    'blank         | yes | no  | yes | *   | no  | refuse',
    'blank         | yes | no  | *   | *   | no  | format',
    '*             | yes | no  | *   | *   | no  | refuse',
  ].map(row => row.split('|').map(cell => cell.trim()))
  const verdictOf = (facts: readonly string[]) =>
    TABLE.find(row => facts.every((fact, n) => row[n] === '*' || row[n] === fact))?.at(-1)
  const word = (value: boolean) => (value ? 'yes' : 'no')

  for (const [what, content] of Object.entries(CONTENTS)) {
    it(`for ${what} is as the table says`, () => {
      for (const attested of BOOLEANS)
        for (const marked of BOOLEANS)
          for (const [below, dataBelow] of Object.entries(DATA_BELOW))
            for (const copy of BOOLEANS)
              for (const readonly of BOOLEANS) {
                const sourceUuid = copy ? SOURCE : undefined
                const verdict = decide({ attested, content, marked, dataBelow, wanted, sourceUuid, readonly })
                const words = verdict.do === 'format' && verdict.clearFirst ? 'clear and format' : verdict.do
                const facts = [what, word(attested), word(marked), below, word(copy), word(readonly)]
                assert.equal(words, verdictOf(facts), facts.join(', '))
              }
    })
  }

  const fsType = fc.constantFrom('ext4' as const, 'xfs' as const)
  const uuid = fc.constantFrom(UUID, SOURCE, OTHER)
  const content: fc.Arbitrary<Content> = fc.oneof(
    fc.constant({ kind: 'blank' as const }),
    fc.record({
      kind: fc.constant('filesystem' as const),
      type: fc.oneof({ weight: 4, arbitrary: fsType }, { weight: 1, arbitrary: fc.string() }),
      uuid: fc.oneof({ weight: 4, arbitrary: uuid }, { weight: 1, arbitrary: fc.string() }),
    }),
    fc.record({ kind: fc.constant('unfinished-xfs' as const), uuid }),
    fc.record({ kind: fc.constantFrom('foreign' as const, 'unknown' as const), what: fc.string() }),
  )
  const knowledge: fc.Arbitrary<Knowledge> = fc.record({
    attested: fc.boolean(),
    content,
    marked: fc.boolean(),
    dataBelow: fc.option(fc.boolean(), { nil: undefined }),
    wanted: fc.record({ fsType, uuid }),
    sourceUuid: fc.option(uuid, { nil: undefined }),
    readonly: fc.boolean(),
  })

  it('never covers a filesystem or foreign content, never comes without attestation, and needs nothingness or the mark', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(knowledge, known => {
        const verdict = decide(known)
        seen.add(verdict.do)
        if (verdict.do === 'format') {
          assert.ok(known.attested && !known.readonly)
          assert.ok(!['filesystem', 'foreign'].includes(known.content.kind))
          assert.ok(known.marked || (known.content.kind === 'blank' && known.dataBelow !== true))
        }
        if (['mount', 'finish', 'rename'].includes(verdict.do)) {
          assert.ok(known.content.kind === 'filesystem' && known.content.type === known.wanted.fsType)
          assert.ok([known.wanted.uuid, known.sourceUuid].includes(known.content.uuid))
        }
        // Nothing is written to what is asked for read-only.
        if (known.readonly) assert.ok(['mount', 'refuse'].includes(verdict.do))
      }),
      { numRuns: 5000 },
    )
    assert.deepEqual([...seen].sort(), ['finish', 'format', 'mount', 'refuse', 'rename'])
  })

  it('is never widened by knowing less: without attestation or mark, or read-only, it formats no more than with them', () => {
    fc.assert(
      fc.property(knowledge, known => {
        for (const less of [{ attested: false }, { readonly: true }, { dataBelow: true }]) {
          if (decide({ ...known, ...less }).do === 'format') assert.equal(decide(known).do, 'format')
        }
      }),
      { numRuns: 1000 },
    )
  })
})
