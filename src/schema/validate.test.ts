// What a check answers. That the driver's own are those of its schemas, `npm run check:drift` sees to.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Ajv } from 'ajv'
import { validate } from './validate.ts'

it('what a schema cannot take is named, and the input stays as it was', () => {
  const matches = new Ajv({ allErrors: true, useDefaults: true }).compile<{ size: number }>({
    type: 'object',
    properties: { size: { type: 'integer', default: 7 } },
    required: ['size'],
    additionalProperties: false,
  })
  const input = {}
  assert.deepEqual(validate(matches, input), { value: { size: 7 }, problems: [] })
  assert.deepEqual(input, {})
  assert.deepEqual(validate(matches, { sizze: 1 }).problems, ['unknown key sizze'])
})
