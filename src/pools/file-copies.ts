// Copies that may outlive the call that began them: one for each target in this process, joined by repeats, ended by a delete.
import { Cancelled, OperationPending, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { SnapshotId, VolumeId } from '../volume/types.ts'
import { endsWithin } from '../volume/within.ts'

export interface Copies {
  /**
   * Joins the copy to this target, or begins it; true when it has ended, false when it goes on after the patience of the
   * caller. Throws OperationPending if another copy to the target is under way, Unavailable if the target was deleted, and
   * what made the copy fail.
   */
  run(wanted: Wanted, work: (op: Op) => Promise<void>, op: Op): Promise<boolean>
  /** Ends the copy to this target, if there is one, and waits for that. */
  stop(target: SnapshotId | VolumeId): Promise<void>
}

export interface Wanted {
  readonly asked: string
  readonly target: SnapshotId | VolumeId
  /** What is asked for: only the same joins. */
  readonly request: string
  readonly patienceMs: number
}

interface Running {
  readonly request: string
  readonly outcome: Promise<void>
  readonly stop: AbortController
}

export function createCopies(): Copies {
  const running = new Map<string, Running>()

  const begin = ({ target, request }: Wanted, work: (op: Op) => Promise<void>, { log }: Op): Running => {
    const stop = new AbortController()
    const outcome = work({ log, signal: stop.signal }).finally(() => running.delete(target))
    outcome.catch((error: unknown) => log.warn({ target, cause: String(error) }, 'a copy did not come to its end'))
    const copy = { request, outcome, stop }
    running.set(target, copy)
    return copy
  }

  return {
    async run(wanted, work, op) {
      const { asked, target, request, patienceMs } = wanted
      const present = running.get(target)
      if (present && (present.request !== request || present.stop.signal.aborted))
        throw new OperationPending({ asked, found: `another copy to ${target} is running`, next: 'call again' })
      const copy = present ?? begin(wanted, work, op)
      try {
        return await Promise.race([endsWithin(copy.outcome, patienceMs), departure(asked, op.signal)])
      } catch (error) {
        if (!copy.stop.signal.aborted) throw error
        throw new Unavailable({ asked, found: `${target} was deleted meanwhile`, next: 'call again to make it anew' })
      }
    },
    async stop(target) {
      const copy = running.get(target)
      copy?.stop.abort()
      await copy?.outcome.catch(() => undefined)
    },
  }
}

/** Ends with the caller; the copy does not. */
async function departure(asked: string, signal: AbortSignal): Promise<never> {
  await new Promise<void>(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
  throw new Cancelled({ asked, found: 'the caller went away, and the copy goes on', next: 'call again' })
}
