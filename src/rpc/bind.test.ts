// Tests of the bridge to gRPC, over a real socket: whatever a handler does, the caller gets a status and nothing hangs.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { credentials, type ServiceError, status } from '@grpc/grpc-js'
import { recordingLogger, temporaryFolder } from '../../test/fixtures.ts'
import { Cancelled, VolumeNotFound } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import { bindService, type Pipe } from './bind.ts'
import type { Reply } from './call.ts'
import { type CsiClient, connect } from './client.ts'
import { log } from './middleware/log.ts'
import { csi } from './proto.ts'
import { serve } from './serve.ts'

type Handler = (request: { volume_id: string }, op: Op) => Promise<Reply>

/** A controller with this handler for two RPCs on a real socket. */
async function start(t: TestContext, handler: Handler, rest: Partial<Pipe> = {}) {
  const address = join(await temporaryFolder(t), 'csi.sock')
  const lines: string[] = []
  const tracked: Promise<unknown>[] = []
  const pipe: Pipe = {
    log: recordingLogger(lines),
    middleware: [log],
    stop: new AbortController().signal,
    draining: () => false,
    track: work => tracked.push(work),
    ...rest,
  }
  const implementation = bindService('controller', { DeleteVolume: handler, ControllerGetVolume: handler }, pipe)
  const server = await serve({
    endpoint: { kind: 'unix', address },
    socketMode: 0o600,
    services: [{ definition: csi.Controller.service, implementation }],
  })
  const client = connect(address)
  t.after(() => {
    client.close()
    server.forceShutdown()
  })
  return { client, address, lines, tracked }
}
const codeOf = async (client: CsiClient, timeoutMs = 10_000): Promise<string> => {
  try {
    await client.call('Controller', 'DeleteVolume', { volume_id: 'v1', secrets: { k: 'canary-31' } }, timeoutMs)
    return 'OK'
  } catch (error) {
    const { code, details } = error as ServiceError
    return `${status[code]}: ${details}`
  }
}

describe('a handler', () => {
  it('that answers is answered, with the volume in its log lines and no secret', async t => {
    const { client, lines } = await start(t, async () => ({}))
    assert.equal(await codeOf(client), 'OK')
    assert.ok(lines.length >= 2)
    for (const line of lines) assert.match(line, /"method":"DeleteVolume".*"volume":"v1"/)
    assert.doesNotMatch(lines.join(), /canary-31/)
  })

  it('that fails as planned gives code and message', async t => {
    const { client } = await start(t, async () => {
      throw new VolumeNotFound({ asked: 'a', found: 'b', next: 'c' })
    })
    assert.equal(await codeOf(client), 'NOT_FOUND: a: b; c')
  })

  const INTERNAL = /^INTERNAL: the driver met an error it did not plan for/
  const misdeeds: Record<string, Handler> = {
    'throws before its first await': () => {
      throw new TypeError('canary-32')
    },
    'rejects with an Error': () => Promise.reject(new Error('canary-32')),
    // biome-ignore-start lint/suspicious/useAwait: what bad code does
    'throws a string': async () => {
      throw 'canary-32' // eslint-disable-line ts/only-throw-error
    },
    'throws undefined': async () => {
      throw undefined // eslint-disable-line ts/only-throw-error
    },
    // biome-ignore-end lint/suspicious/useAwait: what bad code does
  }
  for (const [what, handler] of Object.entries(misdeeds)) {
    it(`that ${what} gives INTERNAL without a detail, and the details to the log`, async t => {
      const { client, lines } = await start(t, handler)
      const answer = await codeOf(client)
      assert.match(answer, INTERNAL)
      assert.doesNotMatch(answer, /canary/)
      assert.ok(lines.some(line => line.includes('"error"') && line.includes('INTERNAL')))
      assert.match(await codeOf(client), INTERNAL) // and the server lives on
    })
  }

  it('that answers what cannot be encoded gives a status too', async t => {
    const { client } = await start(t, async () => ({ volume: 7 }))
    await assert.rejects(client.call('Controller', 'ControllerGetVolume', { volume_id: 'v' }), {
      code: status.INTERNAL,
    })
  })

  it('that is not offered gives UNIMPLEMENTED', async t => {
    const { client } = await start(t, async () => ({}))
    await assert.rejects(client.call('Controller', 'ListSnapshots'), { code: status.UNIMPLEMENTED })
  })
})

describe('a call', { timeout: 20_000 }, () => {
  it('while draining is UNAVAILABLE and runs nothing', async t => {
    let ran = false
    const handler = async () => {
      ran = true
      return {}
    }
    const { client } = await start(t, handler, { draining: () => true })
    assert.match(await codeOf(client), /^UNAVAILABLE: .*shutting down/)
    assert.equal(ran, false)
  })

  /** Works until it is told to stop. */
  const untilAborted: Handler = (_, op) =>
    new Promise((_, reject) => {
      const stop = () => reject(new Cancelled({ asked: 'work', found: 'the caller went away', next: 'call again' }))
      if (op.signal.aborted) stop()
      else op.signal.addEventListener('abort', stop)
    })

  it('whose deadline passes tells the handler to stop, and its work is tracked to the end', async t => {
    const { client, tracked } = await start(t, untilAborted)
    // A deadline counts from before there is a connection, and a call that never arrives is not tracked.
    await assert.rejects(client.call('Controller', 'ListSnapshots'), { code: status.UNIMPLEMENTED })
    assert.match(await codeOf(client, 300), /^DEADLINE_EXCEEDED/)
    const [outcome] = await Promise.allSettled(tracked)
    assert.equal(outcome?.status, 'rejected')
  })

  it('that the client cancels tells the handler to stop', async t => {
    const begun = Promise.withResolvers<void>()
    const { address, tracked } = await start(t, async (request, op) => {
      begun.resolve()
      return await untilAborted(request, op)
    })
    const client = new csi.Controller(`unix:${address}`, credentials.createInsecure())
    const ended = Promise.withResolvers<ServiceError | null>()
    const call = client.DeleteVolume({ volume_id: 'v' }, error => ended.resolve(error))
    await begun.promise
    call.cancel()
    assert.equal((await ended.promise)?.code, status.CANCELLED)
    await Promise.allSettled(tracked)
    client.close()
  })

  it('that runs when the driver gives up is told to stop', async t => {
    const stop = new AbortController()
    const { client } = await start(t, untilAborted, { stop: stop.signal })
    setTimeout(() => stop.abort(), 20)
    assert.match(await codeOf(client), /^CANCELLED/)
  })

  it('names a passed deadline as such, and an abort as a cancellation', async () => {
    const answer = async (thrown: Error, deadline: number | Date) => {
      const pipe: Pipe = {
        log: recordingLogger([]),
        middleware: [],
        stop: new AbortController().signal,
        draining: () => false,
        track: () => undefined,
      }
      const { DeleteVolume } = bindService('controller', { DeleteVolume: () => Promise.reject(thrown) }, pipe)
      const { promise, resolve } = Promise.withResolvers<{ code: status }>()
      const call = { on: () => undefined, request: {}, getDeadline: () => deadline }
      ;(DeleteVolume as unknown as (call: object, callback: (error: { code: status }) => void) => void)(call, resolve)
      return status[(await promise).code]
    }
    const cancelled = new Cancelled({ asked: 'a', found: 'b', next: 'c' })
    assert.equal(await answer(cancelled, Date.now() - 1), 'DEADLINE_EXCEEDED')
    assert.equal(await answer(cancelled, new Date(Date.now() - 1)), 'DEADLINE_EXCEEDED')
    assert.equal(await answer(cancelled, Number.POSITIVE_INFINITY), 'CANCELLED')
    assert.equal(await answer(new DOMException('aborted', 'AbortError'), Number.POSITIVE_INFINITY), 'CANCELLED')
    assert.equal(await answer(new VolumeNotFound({ asked: 'a', found: 'b', next: 'c' }), 0), 'NOT_FOUND')
  })
})
