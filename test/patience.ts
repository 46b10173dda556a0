// Waiting for what comes by itself: a look that is repeated until it holds.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

/** Far longer than anything takes that will come at all, also where processors are emulated and shared. */
export const PATIENCE_MS = 300_000
const LOOK_MS = 50

/** Fails with what was waited for, when it will not come any more. `times`: what is so much more than others wait for. */
export async function waitUntil(what: string, holds: () => boolean | Promise<boolean>, times = 1): Promise<void> {
  const patienceMs = PATIENCE_MS * times
  const deadline = Date.now() + patienceMs
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `${what}: not within ${patienceMs / 1000} s`)
    await sleep(LOOK_MS)
  }
}
