// What must be found of numbered records: every one that was acknowledged, unless a later one took its slot.
import assert from 'node:assert/strict'
import { type Contents, SLOTS } from './agent.ts'

export interface Acknowledged {
  /** Number of the last record that its writer was told is written; 0: none. */
  readonly acknowledged: number
  /** Of its first; 1 when not given. */
  readonly from?: number
}

/** Slots whose last acknowledged record is neither there nor overwritten by a later one, with its number. */
export function lostRecords({ numbers }: Contents, { acknowledged, from = 1 }: Acknowledged): string[] {
  const lost: string[] = []
  for (let number = Math.max(from, acknowledged - SLOTS + 1); number <= acknowledged; number += 1) {
    const found = numbers[number % SLOTS] ?? 0
    if (found < number) lost.push(`record ${number}: its slot holds ${found}`)
  }
  return lost
}

/** Fails unless all acknowledged records are there, and every page is whole. */
export function requireRecords(contents: Contents, written: Acknowledged, what: string): void {
  assert.deepEqual([lostRecords(contents, written), contents.torn], [[], []], what)
}
