// From the first line of main to the exit: signals, draining, and errors that nobody caught.
import { drain, type Server } from '../rpc/serve.ts'
import type { Logger } from '../volume/op.ts'
import { endsWithin } from '../volume/within.ts'

export interface Lifetime {
  /** Fires when running calls have had their time. */
  readonly stop: AbortSignal
  readonly draining: () => boolean
  /** Keeps the process until this work has ended, even when its caller has gone. */
  readonly track: (work: Promise<unknown>) => void
  /** From now on SIGTERM and SIGINT drain the server and end the process; a second one ends it at once. */
  guard(server: Server, drainMs: number): void
}

/** Between giving up on running calls and leaving: time for their children to be reaped. */
const LAST_MS = 3000

export function createLifetime(log: Logger): Lifetime {
  const stop = new AbortController()
  const running = new Set<Promise<unknown>>()
  let draining = false
  // A bug in one call must not take down the others: the call itself was answered by the pipe.
  process.on('unhandledRejection', reason => log.error({ err: reason }, 'unhandled rejection'))
  process.on('uncaughtException', error => log.error({ err: error }, 'uncaught exception'))

  const end = async (server: Server, drainMs: number, signal: string) => {
    if (draining) {
      log.warn({ signal }, 'second signal, leaving at once')
      process.exit(1)
    }
    draining = true
    log.info({ signal, drainMs }, 'draining')
    const inTime = (await Promise.all([drain(server, drainMs), endsWithin(Promise.all(running), drainMs)])).every(
      Boolean,
    )
    if (!inTime) {
      stop.abort()
      await new Promise(resolve => setTimeout(resolve, LAST_MS))
    }
    log.info({ inTime }, 'stopped')
    process.exit(inTime ? 0 : 1)
  }

  return {
    stop: stop.signal,
    draining: () => draining,
    track(work) {
      const ended: Promise<unknown> = work.catch(() => undefined).then(() => running.delete(ended))
      running.add(ended)
    },
    guard(server, drainMs) {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        process.on(signal, () => {
          end(server, drainMs, signal).catch((error: unknown) => {
            log.error({ err: error }, 'could not drain')
            process.exit(1)
          })
        })
      }
    },
  }
}
