// Tests of redaction: no secret survives at any depth, and the message itself is not touched.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { redact } from './redact.ts'

const CANARY = 'canary-9d1e'
const secrets = fc.dictionary(fc.string(), fc.constant(CANARY), { minKeys: 1, maxKeys: 3 })
const { message } = fc.letrec<{ message: unknown; value: unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    fc.integer(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('message'),
  ),
  message: fc.oneof(
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 3 }),
    fc.record({ secrets, volume_id: fc.string(), nested: tie('value') }),
    fc.record({
      mount: fc.record({ mount_flags: fc.constant([`password=${CANARY}`]), fs_type: fc.string() }),
      more: tie('value'),
    }),
    fc.record({
      volume_context: fc.constant({ 'csi.storage.k8s.io/serviceAccount.tokens': CANARY }),
      more: tie('value'),
    }),
  ),
}))

describe('a redacted message', () => {
  it('holds no secret, wherever it was', () => {
    fc.assert(
      fc.property(message, original => {
        const before = JSON.stringify(original)
        assert.ok(!JSON.stringify(redact(original)).includes(CANARY))
        assert.equal(JSON.stringify(original), before)
      }),
      { numRuns: 300 },
    )
  })

  it('still shows all the rest, and that there was a secret', () => {
    const request = {
      volume_id: 'v',
      secrets: { user: 'u' },
      volume_capability: { mount: { fs_type: 'xfs', mount_flags: ['ro'] } },
      list: [1, { secrets: {} }],
    }
    assert.deepEqual(redact(request), {
      volume_id: 'v',
      secrets: '***',
      volume_capability: { mount: { fs_type: 'xfs', mount_flags: '***' } },
      list: [1, {}],
    })
    assert.equal(redact(null), null)
    assert.equal(redact('text'), 'text')
  })
})
