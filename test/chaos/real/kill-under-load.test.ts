// The real driver is killed again and again under as many volume lives; no acknowledged write is lost, nothing stays behind.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scaled } from '../../loop/machine.ts'
import { rounds } from '../../scale.ts'
import { seedOf } from './dice.ts'
import { killUnderLoad } from './kill-under-load.ts'

const COUNT = scaled(rounds(60, 200))
const LANES = 6

test(`${COUNT} kills of the driver under ${COUNT} life cycles lose no acknowledged write`, async t => {
  const seed = seedOf()
  t.diagnostic(`repeat with: node test/chaos/real/kill-under-load.ts --seed ${seed} --kills ${COUNT} --lives ${COUNT}`)
  const { line, problems, kills, lives } = await killUnderLoad({ seed, kills: COUNT, lives: COUNT, lanes: LANES })
  t.diagnostic(line)
  assert.deepEqual(problems.slice(0, 20), [])
  assert.ok(kills >= COUNT && lives >= COUNT, line)
})
