// Tests of turns: one after the other under a key, at once under different ones, and no failure stops the line.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createTurns } from './turns.ts'

it('work under one key waits for what began before, also when that fails; other keys do not', async () => {
  const alone = createTurns()
  const done: string[] = []
  const gate = Promise.withResolvers<void>()
  const first = alone('a', async () => {
    await gate.promise
    done.push('first')
    throw new Error('first fails')
  })
  const second = alone('a', async () => done.push('second'))
  await alone('b', async () => done.push('other'))
  gate.resolve()
  await assert.rejects(first, /first fails/)
  await second
  await alone('a', async () => done.push('third'))
  assert.deepEqual(done, ['other', 'first', 'second', 'third'])
})
