// Chaos (a): the driver dies at every boundary of every flow; a new one goes on, and the volume lives to its end.
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, describe, it } from 'node:test'
import { AFTERMATHS } from './crash.ts'
import { openLaboratory, PATIENCE } from './laboratory.ts'
import { LIVES } from './lives.ts'

const laboratory = openLaboratory()
const FILE = 'test/chaos/sim/crash.test.ts'
const total = { flows: 0, boundaries: 0, deaths: 0 }

// All of them before the first test is named: node:test ends when it knows of no test that is left.
const surveys = await Promise.all(LIVES.map((_, n) => laboratory.ask('survey', n)))

after(async () => {
  await laboratory.end()
  const { flows, boundaries, deaths } = total
  console.log(`${boundaries} boundaries of ${flows} flows, ${deaths} deaths of the simulated driver`)
})

for (const [n, life] of LIVES.entries()) {
  const flows = surveys[n] ?? []
  total.flows += flows.length
  describe(`${life.name}:`, () => {
    for (const { title, flow, boundaries, deaths } of flows) {
      total.boundaries += boundaries
      for (const aftermath of AFTERMATHS) {
        it(`${title}, then ${aftermath}: ${boundaries} boundaries, ${deaths} different deaths`, PATIENCE, async () => {
          total.deaths += deaths
          assert.deepEqual(await laboratory.ask('crash', n, flow, aftermath), [])
        })
      }
    }
  })
}

it('the first start of all, at each boundary', PATIENCE, async () => {
  let n = 0
  while (await laboratory.ask('start', n)) n += 1
  assert.ok(n > 3, `only ${n} boundaries`)
})

const { ASHLAR_SEED, ASHLAR_RUNS } = process.env
const seed = Number(ASHLAR_SEED ?? randomInt(2 ** 31))
const runs = Number(ASHLAR_RUNS ?? 150)

it(`the driver dies, and so does the next one: ${runs} pairs of seed ${seed}`, PATIENCE, async () => {
  const found = await laboratory.ask('twice', seed, runs)
  const again = `ASHLAR_SEED=${seed} ASHLAR_RUNS=${runs} node --test --test-name-pattern "the next one" ${FILE}`
  assert.deepEqual(found, [], `again: ${again}\n${found.join('\n')}`)
})

it('the survey meets the boundaries that matter', () => assert.ok(total.boundaries > 500, String(total.boundaries)))
