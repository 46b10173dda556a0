// Tests of the lock: one operation a volume, the same joins, another is aborted, and nobody’s leaving harms the rest.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { failure, testOp } from '../../../test/fixtures.ts'
import { encodeVolumeId } from '../../volume/ids.ts'
import type { Call, Reply } from '../call.ts'
import { createLock, lockKey } from './lock.ts'

const ID = encodeVolumeId('p', 'name')
const call = (method: string, request: Record<string, unknown> = { volume_id: ID }, signal?: AbortSignal): Call => ({
  service: method.startsWith('Node') ? 'node' : 'controller',
  method,
  request,
  op: testOp(signal),
})
/** Work that ends when it is told to, and notes how it went. */
function controlled() {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>()
  const state = { runs: 0, signal: undefined as AbortSignal | undefined }
  const next = (given: Call) => {
    state.runs += 1
    state.signal = given.op.signal
    return promise
  }
  return { next, resolve, reject, state }
}
const nothing = async () => ({})

describe('the lock', { timeout: 20_000 }, () => {
  it('lets the same request join the running one: one run, one answer', async () => {
    const lock = createLock()
    const work = controlled()
    const calls = [1, 2, 3].map(() => lock(call('NodeStageVolume'), work.next))
    work.resolve({ answer: 1 })
    const [first, ...others] = await Promise.all(calls)
    for (const other of others) assert.equal(other, first)
    assert.equal(work.state.runs, 1)
  })

  it('answers ABORTED with the holder’s name to any other, at once and without running it', async () => {
    const lock = createLock()
    const work = controlled()
    const holder = lock(call('NodeStageVolume', { volume_id: ID, staging_target_path: '/a' }), work.next)
    for (const other of [
      call('NodeUnstageVolume'),
      call('NodeStageVolume', { volume_id: ID, staging_target_path: '/b' }),
      call('NodeStageVolume', { volume_id: ID, staging_target_path: '/a', secrets: { key: 'other' } }),
    ])
      await assert.rejects(lock(other, nothing), failure('aborted', /NodeStageVolume is running/))
    work.resolve({})
    await holder
    assert.equal(work.state.runs, 1)
  })

  it('holds up neither other volumes, nor the other half, nor questions', async () => {
    const lock = createLock()
    const work = controlled()
    const holder = lock(call('NodeStageVolume'), work.next)
    await lock(call('NodeStageVolume', { volume_id: encodeVolumeId('p', 'other') }), nothing)
    await lock(call('ControllerExpandVolume'), nothing)
    for (const method of ['NodeGetVolumeStats', 'NodeGetInfo', 'Probe'])
      await lock(call(method, method === 'NodeGetVolumeStats' ? { volume_id: ID } : {}), nothing)
    work.resolve({})
    await holder
  })

  it('is free again after success, failure and a throw before the first await', async () => {
    const lock = createLock()
    await assert.rejects(
      lock(call('DeleteVolume'), () => Promise.reject(new Error('fails'))),
      /fails/,
    )
    await assert.rejects(
      lock(call('DeleteVolume'), () => {
        throw new Error('at once')
      }),
      /at once/,
    )
    await lock(call('ControllerPublishVolume'), nothing)
    await lock(call('DeleteVolume'), nothing)
  })

  it('shares a failure with everybody who joined', async () => {
    const lock = createLock()
    const work = controlled()
    const calls = [1, 2].map(() => lock(call('DeleteVolume'), work.next))
    work.reject(new Error('shared'))
    for (const each of calls) await assert.rejects(each, /shared/)
  })

  it('stops the work when the last caller has gone, and no earlier', async () => {
    const lock = createLock()
    const work = controlled()
    const [first, second] = [new AbortController(), new AbortController()]
    const calls = [first, second].map(({ signal }) => lock(call('NodeStageVolume', undefined, signal), work.next))
    first.abort()
    assert.equal(work.state.signal?.aborted, false)
    second.abort()
    assert.deepEqual(work.state.signal.aborted, true)
    work.resolve({})
    await Promise.all(calls)
  })

  it('counts a caller that had gone before it came', async () => {
    const lock = createLock()
    const work = controlled()
    const caller = lock(call('NodeStageVolume', undefined, AbortSignal.abort()), work.next)
    assert.equal(work.state.signal?.aborted, true)
    work.resolve({})
    await caller
  })

  it('lasts until told work has really stopped: who comes meanwhile is aborted, not given the dying work’s failure', async () => {
    const lock = createLock()
    const work = controlled()
    const caller = new AbortController()
    const stopped = lock(call('NodeStageVolume', undefined, caller.signal), work.next)
    caller.abort()
    await assert.rejects(lock(call('NodeUnstageVolume'), nothing), failure('aborted'))
    await assert.rejects(lock(call('NodeStageVolume'), nothing), failure('aborted', /NodeStageVolume is/))
    work.reject(new Error('stopped'))
    await assert.rejects(stopped, /stopped/)
    await lock(call('NodeStageVolume'), nothing)
  })

  it('never runs two different operations of one volume at once, in any interleaving', async () => {
    const step = fc.record({
      method: fc.constantFrom('NodeStageVolume', 'NodeUnstageVolume'),
      path: fc.constantFrom('/a', '/b'),
      leaves: fc.boolean(),
    })
    let aborted = 0
    let joined = 0
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(step, { minLength: 2, maxLength: 6 }), async (scheduler, steps) => {
        const lock = createLock()
        let running = 0
        let runs = 0
        const handler = async (given: Call) => {
          running += 1
          runs += 1
          assert.equal(running, 1)
          await scheduler.schedule(Promise.resolve(), `${given.method} works`)
          running -= 1
          return { done: given.request }
        }
        const outcomes = steps.map(async ({ method, path, leaves }, n) => {
          const caller = new AbortController()
          await scheduler.schedule(Promise.resolve(), `call ${n}`)
          if (leaves) void scheduler.schedule(Promise.resolve(), `caller ${n} leaves`).then(() => caller.abort())
          const request = { volume_id: ID, staging_target_path: path }
          const reply = await lock(call(method, request, caller.signal), handler)
          assert.deepEqual(reply, { done: request })
        })
        const [, results] = await Promise.all([scheduler.waitIdle(), Promise.allSettled(outcomes)])
        const failed = results.filter(each => each.status === 'rejected')
        for (const each of failed) assert.equal(each.reason.kind, 'aborted', String(each.reason))
        aborted += failed.length
        joined += results.length - failed.length - runs
        await lock(call('NodeExpandVolume'), nothing) // nothing stays held
      }),
      { numRuns: 150 },
    )
    assert.ok(aborted > 0 && joined > 0, `${aborted} aborted, ${joined} joined`)
  })
})

describe('the key of a lock', () => {
  it('tells names apart, and volumes, and the two sides of one volume', () => {
    const created = lockKey(call('CreateVolume', { name: 'name' }))
    assert.ok(created)
    assert.equal(created, lockKey(call('CreateVolume', { name: 'name' })))
    assert.notEqual(created, lockKey(call('CreateVolume', { name: 'Name' })))
    const deleted = lockKey({ service: 'controller', method: 'DeleteVolume', request: { volume_id: ID } })
    assert.equal(
      deleted,
      lockKey({ service: 'controller', method: 'ControllerPublishVolume', request: { volume_id: ID } }),
    )
    assert.notEqual(deleted, lockKey({ service: 'node', method: 'NodeStageVolume', request: { volume_id: ID } }))
  })

  it('tells snapshots from volumes, by name and by id', () => {
    const cut = { source_volume_id: ID, name: 'name' }
    assert.ok(lockKey(call('CreateSnapshot', cut)))
    assert.notEqual(lockKey(call('CreateSnapshot', cut)), lockKey(call('CreateVolume', { name: 'name' })))
    assert.equal(lockKey(call('DeleteSnapshot', { snapshot_id: 'snap-p-1' })), 'controller/snap-p-1')
    const group = { name: 'name', source_volume_ids: [ID] }
    assert.notEqual(lockKey(call('CreateVolumeGroupSnapshot', group)), lockKey(call('CreateSnapshot', group)))
    assert.equal(lockKey(call('DeleteVolumeGroupSnapshot', { group_snapshot_id: 'g' })), 'controller/g')
    assert.equal(lockKey(call('GetVolumeGroupSnapshot', { group_snapshot_id: 'g' })), undefined)
    assert.equal(lockKey(call('ListSnapshots', { snapshot_id: 'snap-p-1', source_volume_id: ID })), undefined)
  })

  it('exists for ids of others too, and not for calls without a volume', () => {
    assert.equal(lockKey(call('DeleteVolume', { volume_id: 'foreign' })), 'controller/foreign')
    assert.equal(lockKey(call('ListVolumes', {})), undefined)
  })
})

it('a lock keeps nothing of a call that is over', async () => {
  const lock = createLock()
  const caller = new AbortController()
  let stop: AbortSignal | undefined
  await lock(call('NodeStageVolume', undefined, caller.signal), async given => {
    stop = given.op.signal
    return {}
  })
  await setImmediate()
  caller.abort()
  assert.equal(stop?.aborted, false)
})
