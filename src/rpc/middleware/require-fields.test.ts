// Tests of the required fields: absent in any of proto3's ways is absent, and nothing else is.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failure, testOp } from '../../../test/fixtures.ts'
import { REQUIRED_FIELDS, requireFields } from './require-fields.ts'

const call = (method: string, request: Record<string, unknown>) => ({ service: 'csi', method, request, op: testOp() })
const pass = (method: string, request: Record<string, unknown>) =>
  requireFields(call(method, request), async () => ({ passed: true }))

describe('required fields', () => {
  it('that are missing are named all at once, and the handler does not run', async () => {
    let ran = false
    const answer = requireFields(call('NodeStageVolume', { staging_target_path: '/s' }), async () => {
      ran = true
      return {}
    })
    await assert.rejects(answer, failure('invalid-argument', /missing volume_id, volume_capability/))
    assert.equal(ran, false)
  })

  it('are absent when undefined, null, empty text, empty list or empty map', async () => {
    for (const absent of [undefined, null, '', [], {}])
      await assert.rejects(
        pass('DeleteVolume', { volume_id: absent }),
        failure('invalid-argument', /missing volume_id/),
      )
  })

  it('are present when they say anything at all', async () => {
    for (const present of ['v', ' ', [0], { a: null }, 0, false])
      assert.deepEqual(await pass('DeleteVolume', { volume_id: present }), { passed: true })
    assert.deepEqual(await pass('Probe', {}), { passed: true })
  })

  it('are refused one by one for every method of the table', async () => {
    for (const [method, fields] of Object.entries(REQUIRED_FIELDS)) {
      const whole = Object.fromEntries(fields.map(field => [field, 'x']))
      assert.deepEqual(await pass(method, whole), { passed: true })
      for (const field of fields)
        await assert.rejects(
          pass(method, { ...whole, [field]: '' }),
          failure('invalid-argument', new RegExp(`missing ${field};`)),
        )
    }
  })
})
