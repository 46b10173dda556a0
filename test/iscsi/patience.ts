// Waiting for a cluster: a look that is repeated until it holds.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

/** Fails after so many seconds, with what was waited for. */
export async function waitUntil(what: string, seconds: number, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + seconds * 1000
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `${what}: not within ${seconds} s`)
    await sleep(100)
  }
}
