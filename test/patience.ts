// Waiting for what comes by itself: a look that is repeated until it holds.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

/** Far longer than anything takes that will come at all, also where processors are emulated and shared. */
export const PATIENCE_MS = 300_000
const LOOK_MS = 50

/** Fails with what was waited for, when it will not come any more. */
export async function waitUntil(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `${what}: not within ${PATIENCE_MS / 1000} s`)
    await sleep(LOOK_MS)
  }
}
