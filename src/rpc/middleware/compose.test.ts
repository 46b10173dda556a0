// Tests of compose: the first is the outermost, and each may change the call, the reply or the error.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { testOp } from '../../../test/fixtures.ts'
import type { Middleware } from '../call.ts'
import { compose } from './compose.ts'

it('middleware wraps in order, in on the way there and out on the way back', async () => {
  const trace: string[] = []
  const named =
    (name: string): Middleware =>
    async (call, next) => {
      trace.push(`${name} in`)
      const reply = await next({ ...call, request: { ...call.request, [name]: true } })
      trace.push(`${name} out`)
      return { ...reply, last: name }
    }
  const run = compose([named('a'), named('b')], async call => {
    trace.push('handler')
    return { request: call.request }
  })
  const reply = await run({ service: 's', method: 'm', request: {}, op: testOp() })
  assert.deepEqual(trace, ['a in', 'b in', 'handler', 'b out', 'a out'])
  assert.deepEqual(reply, { request: { a: true, b: true }, last: 'a' })
})

it('middleware may answer itself, and without any the handler is all', async () => {
  const call = { service: 's', method: 'm', request: {}, op: testOp() }
  const handler = async () => ({ from: 'handler' })
  assert.deepEqual(await compose([async () => ({ from: 'middleware' })], handler)(call), { from: 'middleware' })
  assert.deepEqual(await compose([], handler)(call), { from: 'handler' })
})
