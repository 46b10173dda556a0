// Tests of streams over a real socket: every message in order, at the reader's pace, and never a quiet end.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as pause, setImmediate } from 'node:timers/promises'
import { type ServiceError, status } from '@grpc/grpc-js'
import { recordingLogger, temporaryFolder } from '../../test/fixtures.ts'
import { Cancelled, VolumeNotFound } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import { bindStreams, type Pipe } from './bind.ts'
import type { Reply } from './call.ts'
import { connect } from './client.ts'
import { log } from './middleware/log.ts'
import { requireFields } from './middleware/require-fields.ts'
import { csi } from './proto.ts'
import { serve } from './serve.ts'

describe('a stream', { timeout: 20_000 }, () => {
  type Source = (op: Op) => AsyncIterable<Reply>
  const message = (offset: number) => ({
    block_metadata_type: 'VARIABLE_LENGTH',
    volume_capacity_bytes: '4096',
    block_metadata: [{ byte_offset: String(offset), size_bytes: '1' }],
  })

  async function startStream(t: TestContext, source: Source, rest: Partial<Pipe> = {}) {
    const address = join(await temporaryFolder(t), 'csi.sock')
    const lines: string[] = []
    const tracked: Promise<unknown>[] = []
    const pipe: Pipe = {
      log: recordingLogger(lines),
      middleware: [log, requireFields],
      stop: new AbortController().signal,
      draining: () => false,
      track: work => tracked.push(work),
      ...rest,
    }
    const streams = { GetMetadataAllocated: (_: object, op: Op) => source(op) }
    const implementation = bindStreams('snapshot-metadata', streams, pipe)
    const server = await serve({
      endpoint: { kind: 'unix', address },
      socketMode: 0o600,
      services: [{ definition: csi.SnapshotMetadata.service, implementation }],
    })
    const client = connect(address)
    t.after(() => {
      client.close()
      server.forceShutdown()
    })
    const request = { snapshot_id: 's1', secrets: { k: 'canary-33' } }
    const ask = (over: object = {}, timeoutMs = 10_000) =>
      client.stream<ReturnType<typeof message>>('GetMetadataAllocated', { ...request, ...over }, timeoutMs)
    return { ask, lines, tracked }
  }

  /** Offsets that came, and the code of the end. */
  async function read(messages: AsyncIterable<ReturnType<typeof message>>): Promise<[string[], string]> {
    const offsets: string[] = []
    try {
      for await (const each of messages) offsets.push(each.block_metadata[0]?.byte_offset ?? '')
      return [offsets, 'OK']
    } catch (error) {
      return [offsets, status[(error as ServiceError).code]]
    }
  }

  it('brings every message in order, one line of the log with its snapshot, and no secret', async t => {
    const { ask, lines } = await startStream(t, async function* () {
      for (let n = 0; n < 100; n += 1) yield message(n)
    })
    assert.deepEqual(await read(ask()), [Array.from({ length: 100 }, (_, n) => String(n)), 'OK'])
    assert.match(lines.join('\n'), /"method":"GetMetadataAllocated".*"snapshot":"s1"/)
    assert.doesNotMatch(lines.join(), /canary-33/)
  })

  it('that fails half-way brings what came before, and the failure’s code: never a quiet end', async t => {
    const ends: Record<string, unknown> = {
      NOT_FOUND: new VolumeNotFound({ asked: 'a', found: 'b', next: 'c' }),
      INTERNAL: new TypeError('canary-33'),
    }
    for (const [code, thrown] of Object.entries(ends)) {
      const { ask } = await startStream(t, async function* () {
        yield message(0)
        throw thrown
      })
      assert.deepEqual(await read(ask()), [['0'], code])
    }
    const { ask } = await startStream(t, async function* () {
      yield { block_metadata: 7 }
    })
    assert.deepEqual(await read(ask()), [[], 'INTERNAL'])
  })

  it('goes through the pipe: required fields, and no new work while draining', async t => {
    let began = 0
    const source: Source = async function* () {
      began += 1
      yield message(0)
    }
    const { ask } = await startStream(t, source)
    assert.deepEqual(await read(ask({ snapshot_id: '' })), [[], 'INVALID_ARGUMENT'])
    const draining = await startStream(t, source, { draining: () => true })
    assert.deepEqual(await read(draining.ask()), [[], 'UNAVAILABLE'])
    assert.equal(began, 0)
  })

  /** Endless, in large messages; counts those that were asked for and whether it was left properly. */
  function endless() {
    const state = { made: 0, left: Promise.withResolvers<void>() }
    const longest = String(2n ** 62n)
    const piece = { byte_offset: longest, size_bytes: longest }
    const large = { ...message(0), block_metadata: Array.from({ length: 5_000 }, () => piece) }
    const source: Source = async function* () {
      try {
        for (;;) {
          state.made += 1
          yield large
          await setImmediate()
        }
      } finally {
        state.left.resolve()
      }
    }
    return { state, source }
  }

  it('waits for a slow reader, and is left when the reader goes', async t => {
    const { state, source } = endless()
    const { ask, tracked } = await startStream(t, source)
    const messages = ask()
    await messages.next()
    let before = -1
    while (before !== state.made) {
      before = state.made
      await pause(200)
    }
    assert.ok(state.made < 200, `${state.made} messages were made for one that was read`)
    await messages.return(undefined)
    await state.left.promise
    const [outcome] = await Promise.allSettled(tracked)
    assert.ok(outcome?.status === 'rejected' && outcome.reason instanceof Cancelled)
  })

  it('is left when its deadline passes, or the driver gives up', async t => {
    const stop = new AbortController()
    for (const [end, timeoutMs] of [
      ['DEADLINE_EXCEEDED', 1000],
      ['CANCELLED', 10_000],
    ] as const) {
      const { state, source } = endless()
      const { ask } = await startStream(t, source, { stop: stop.signal })
      const messages = ask({}, timeoutMs)
      await messages.next()
      if (end === 'CANCELLED') setTimeout(() => stop.abort(), 20)
      await state.left.promise
      assert.equal((await read(messages))[1], end)
    }
  })
})
