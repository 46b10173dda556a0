// Compares proto/csi.proto with the official CSI 1.12.0 descriptor, one subtest per message, enum, service and option.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readOfficialSchema } from './official-schema.ts'
import { readOurSchema } from './our-schema.ts'
import { compareFacts } from './schema.ts'

test('proto/csi.proto is wire-compatible with the official CSI 1.12.0', async t => {
  const official = readOfficialSchema()
  const ours = readOurSchema()

  await t.test('the official descriptor is CSI 1.12.0 and was read whole', () => {
    const count = (kind: string) => [...official.keys()].filter(name => name.startsWith(`${kind} `)).length
    // Counted in the released csi.proto. A reader that loses elements on both sides would otherwise pass.
    assert.deepEqual(
      { services: count('service'), messages: count('message'), enums: count('enum'), extensions: count('extension') },
      { services: 5, messages: 94, enums: 8, extensions: 7 },
    )
  })

  for (const element of [...new Set([...official.keys(), ...ours.keys()])].sort()) {
    await t.test(element, () => {
      const differences = compareFacts(element, official.get(element), ours.get(element))
      assert.equal(differences.length, 0, differences.join('\n'))
    })
  }
})
