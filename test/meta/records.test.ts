// The judge of the tests of power cuts, cables and fencing: it must miss no record that was lost.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SLOTS } from '../iscsi/agent.ts'
import { lostRecords } from '../iscsi/records.ts'

/** What a writer leaves that wrote these numbers in this order. */
const written = (from: number, to: number): { numbers: number[]; writers: string[]; torn: number[] } => {
  const numbers = Array.from({ length: SLOTS }, () => 0)
  for (let number = from; number <= to; number += 1) numbers[number % SLOTS] = number
  return { numbers, writers: [], torn: [] }
}

test('records that were acknowledged are there, or a later one in their place', () => {
  for (const last of [0, 1, SLOTS - 1, SLOTS, SLOTS + 1, 3 * SLOTS + 7])
    for (const more of [0, 1, SLOTS])
      assert.deepEqual(lostRecords(written(1, last + more), { acknowledged: last }), [], `${last} and ${more} more`)
  assert.deepEqual(lostRecords(written(1000, 1003), { acknowledged: 1003, from: 1000 }), [])
  assert.deepEqual(lostRecords(written(1, 10), { acknowledged: 0, from: 1000 }), [])
})

test('each single one that is missing, or older than it must be, is lost', () => {
  for (const last of [5, SLOTS, 3 * SLOTS + 7])
    for (let number = Math.max(1, last - SLOTS + 1); number <= last; number += 1) {
      const contents = written(1, last)
      contents.numbers[number % SLOTS] = Math.max(0, number - SLOTS)
      assert.equal(lostRecords(contents, { acknowledged: last }).length, 1, `${number} of ${last}`)
    }
})
