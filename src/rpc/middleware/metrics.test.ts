// Tests of counting calls: every end is counted once, under its code, and what still runs is not.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { testOp } from '../../../test/fixtures.ts'
import { VolumeNotFound } from '../../volume/errors.ts'
import { createCallMetrics } from './metrics.ts'

const call = (method: string) => ({ service: 's', method, request: {}, op: testOp() })
const missing = new VolumeNotFound({ asked: 'a', found: 'b', next: 'c' })

it('calls are counted by their code when they end, an unplanned error as INTERNAL', async () => {
  const { measure, metrics } = createCallMetrics()
  const samplesOf = (name: string) =>
    metrics().flatMap(each => (each.type !== 'histogram' && each.name === name ? each.samples : []))
  const busy = Promise.withResolvers<object>()
  const running = measure(call('CreateVolume'), () => busy.promise)
  assert.deepEqual(samplesOf('ashlar_calls_total'), [])
  assert.deepEqual(samplesOf('ashlar_calls_running'), [{ labels: { method: 'CreateVolume' }, value: 1 }])
  busy.resolve({ answer: 1 })
  assert.deepEqual(await running, { answer: 1 })
  await measure(call('CreateVolume'), async () => ({}))
  for (const error of [missing, new Error('a bug')])
    await assert.rejects(
      measure(call('DeleteVolume'), () => Promise.reject(error)),
      error,
    )
  assert.deepEqual(samplesOf('ashlar_calls_total'), [
    { labels: { method: 'CreateVolume', code: 'OK' }, value: 2 },
    { labels: { method: 'DeleteVolume', code: 'NOT_FOUND' }, value: 1 },
    { labels: { method: 'DeleteVolume', code: 'INTERNAL' }, value: 1 },
  ])
  assert.deepEqual(
    samplesOf('ashlar_calls_running').map(({ value }) => value),
    [0, 0],
  )
})

it('each call is in one bucket, the slow ones in the last', async t => {
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const { measure, metrics } = createCallMetrics()
  for (const ms of [0, 5, 6, 299_000, 301_000])
    await measure(call('NodeStageVolume'), async () => {
      now += ms
      return {}
    })
  const durations = metrics().find(each => each.type === 'histogram')
  assert.ok(durations)
  assert.deepEqual(durations.series, [
    { labels: { method: 'NodeStageVolume' }, counts: [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1], sum: 600.011 },
  ])
  assert.equal(durations.bounds.length, 11)
})
