// Waiting for the kernel: repeats a look with growing pauses until it succeeds, the deadline passes or the caller goes.
import pRetry, { AbortError } from 'p-retry'
import { Cancelled, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'

/** What a look answers while it is too early: a few words for the message when time runs out. */
export class NotYet extends Error {}

export interface Patience {
  /** For messages: "wait for /dev/loop0". */
  readonly asked: string
  readonly timeoutMs: number
}

/** Answers what `look` returns; throws Unavailable after the timeout. A look that throws anything but NotYet ends the wait. */
export async function waitFor<T>({ asked, timeoutMs }: Patience, look: () => Promise<T>, op: Op): Promise<T> {
  try {
    return await pRetry(
      async () => {
        try {
          return await look()
        } catch (error) {
          if (error instanceof NotYet) throw error
          throw new AbortError(error instanceof Error ? error : String(error))
        }
      },
      { retries: 1000, minTimeout: 10, maxTimeout: 250, factor: 2, maxRetryTime: timeoutMs, signal: op.signal },
    )
  } catch (error) {
    if (error instanceof NotYet) {
      throw new Unavailable({
        asked,
        found: `${error.message} after ${timeoutMs} ms`,
        next: 'check the device and call again',
      })
    }
    if (op.signal.aborted) throw new Cancelled({ asked, found: 'the caller went away', next: 'call again' })
    throw error
  }
}
