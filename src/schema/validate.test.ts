// The driver's own schemas are schemas: at run time nobody checks that.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Ajv } from 'ajv'
import { configSchema } from './config.ts'
import { parametersSchema } from './parameters.ts'
import { tuningSchema } from './tuning.ts'
import { AJV_OPTIONS, compile } from './validate.ts'

it('every schema is one, and can be compiled', () => {
  const strict = new Ajv(AJV_OPTIONS)
  for (const schema of [configSchema, parametersSchema, tuningSchema]) strict.compile(schema)
  assert.throws(() => strict.compile({ type: 'object', properties: { size: { type: 'bytes' } } }))
})

it('what a schema cannot take is named, and the input stays as it was', () => {
  const check = compile<{ size: number }>({
    type: 'object',
    properties: { size: { type: 'integer', default: 7 } },
    required: ['size'],
    additionalProperties: false,
  })
  const input = {}
  assert.deepEqual(check(input), { value: { size: 7 }, problems: [] })
  assert.deepEqual(input, {})
  assert.deepEqual(check({ sizze: 1 }).problems, ['unknown key sizze'])
})
