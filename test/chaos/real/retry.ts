// Calls a driver that dies all the time, as a kubelet or a sidecar does: again, until it answers OK.
import { setTimeout as sleep } from 'node:timers/promises'
import { answerOf } from '../../../src/rpc/client.ts'

/** How often each call had to be repeated, by what it was answered. */
export type Retries = Map<string, number>

/** Answers that say "call again": of a driver that is away, busy, or slow. Everything else is a verdict on the volume. */
const WORTH_A_RETRY = new Set(['UNAVAILABLE', 'ABORTED', 'DEADLINE_EXCEEDED', 'NOT_RUNNING'])
const PAUSE_MS = 50
/** No call of a healthy run takes this long, however often the driver dies under it. */
const LIMIT_MS = 600_000

/** The name of the status that a call ended with; NOT_RUNNING while there is no driver to call. */
export const nameOf = (error: unknown): string =>
  answerOf(error)?.name ?? (/does not run/.test(String(error)) ? 'NOT_RUNNING' : 'UNKNOWN')

export const wordsOf = (error: unknown): string => answerOf(error)?.details ?? String(error)

/** An answer that the caller of a healthy volume must never get. */
export class Surprise extends Error {}

/** Calls until OK. Throws a Surprise for an answer that no repeat explains, and when there is no end. */
export const persist = async <T>(what: string, retries: Retries, call: () => Promise<T>): Promise<T> => {
  const began = Date.now()
  for (;;) {
    try {
      return await call()
    } catch (error) {
      const name = nameOf(error)
      retries.set(name, (retries.get(name) ?? 0) + 1)
      if (!WORTH_A_RETRY.has(name)) throw new Surprise(`${what}: ${name} ${wordsOf(error)}`)
      if (Date.now() - began > LIMIT_MS) {
        throw new Surprise(`${what}: not OK after ${LIMIT_MS / 1000} s of repeats: ${name} ${wordsOf(error)}`)
      }
      await sleep(PAUSE_MS)
    }
  }
}
