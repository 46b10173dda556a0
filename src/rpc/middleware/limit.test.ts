// Tests of the limit: never more at work than allowed, questions always get through, a failure frees its place.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { testOp } from '../../../test/fixtures.ts'
import { createLimit } from './limit.ts'

const call = (method: string) => ({ service: 's', method, request: {}, op: testOp() })

describe('the limit', { timeout: 20_000 }, () => {
  it('lets so many work and no more, also after failures', async () => {
    const limit = createLimit(3)
    let running = 0
    let most = 0
    const works = Array.from({ length: 12 }, (_, n) =>
      limit(call('NodeStageVolume'), async () => {
        running += 1
        most = Math.max(most, running)
        for (let turn = 0; turn < 3; turn += 1) await setImmediate()
        running -= 1
        if (n % 3 === 0) throw new Error('fails')
        return {}
      }),
    )
    const outcomes = await Promise.allSettled(works)
    assert.equal(most, 3)
    assert.equal(outcomes.filter(each => each.status === 'rejected').length, 4)
  })

  it('holds up no question, and holds up every work', async () => {
    const limit = createLimit(1)
    const busy = Promise.withResolvers<object>()
    const work = limit(call('CreateVolume'), () => busy.promise)
    await setImmediate()
    for (const method of [
      'Probe',
      'GetPluginInfo',
      'NodeGetInfo',
      'NodeGetVolumeStats',
      'ListVolumes',
      'ControllerGetVolume',
      'ValidateVolumeCapabilities',
      'GetCapacity',
    ])
      await limit(call(method), async () => ({}))
    const started: string[] = []
    const held = ['DeleteVolume', 'ControllerPublishVolume', 'NodeUnstageVolume', 'NodeExpandVolume'].map(method =>
      limit(call(method), async () => ({ started: started.push(method) })),
    )
    await setImmediate()
    assert.deepEqual(started, [])
    busy.resolve({})
    await Promise.all([work, ...held])
    assert.equal(started.length, 4)
  })
})
