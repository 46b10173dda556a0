// Tests of Secret: no ordinary way of printing shows the value.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { format, inspect } from 'node:util'
import { Secret } from './secret.ts'

it('a secret prints as *** however it is printed, and is there when revealed', () => {
  const canary = 'canary-5f2c'
  const secret = new Secret(canary)
  const printed = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret, list: [secret] }),
    inspect(secret, { showHidden: true, depth: 9 }),
    inspect({ deep: { secret } }, { depth: 9, customInspect: false, showHidden: true }),
    format('%s %o %O %j', secret, secret, secret, secret),
    [secret, 'a'].join(' '),
    JSON.stringify(Object.entries(secret)),
    JSON.stringify({ ...secret }),
  ]
  for (const text of printed) assert.ok(!text.includes(canary), text)
  assert.equal(String(secret), '***')
  assert.equal(JSON.stringify([secret]), '["***"]')
  assert.equal(secret.reveal(), canary)
})
