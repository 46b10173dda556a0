// Chaos (e): each command of each flow lies once; the driver answers the truth or a planned error, and recovers.
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { openLaboratory, PATIENCE } from './laboratory.ts'
import { LIES, type Lie } from './liar.ts'
import { LIVES } from './lives.ts'

const laboratory = openLaboratory()
let told = 0
// All of them before the first test is named: node:test ends when it knows of no test that is left.
const surveys = await Promise.all(LIVES.map((_, n) => laboratory.ask('survey', n)))

after(async () => {
  await laboratory.end()
  console.log(`${told} lies were told to the driver`)
})

for (const [n, life] of LIVES.entries()) {
  // There something fails already, and one trouble at a time is what is promised here.
  if (life.name.includes('failures')) continue
  const all = surveys[n] ?? []
  // The second stage meets another volume than the first; of the other steps once is enough.
  const flows = all.filter(
    ({ step }, at) => step === 'NodeStageVolume' || all.findIndex(each => each.step === step) === at,
  )
  describe(`${life.name}:`, () => {
    for (const { title, flow } of flows) {
      for (const lie of Object.keys(LIES) as Lie[]) {
        it(`${title}, each command once: ${lie}`, PATIENCE, async () => {
          const result = await laboratory.ask('lie', n, flow, lie)
          told += result.told
          assert.deepEqual(result.found, [])
        })
      }
    }
  })
}

it('the lies were told', () => assert.ok(told > 1000, String(told)))
