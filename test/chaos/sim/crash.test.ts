// Chaos (a): the driver dies at every boundary of every flow; a new one goes on, and the volume lives to its end.
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { AFTERMATHS, type Aftermath, crash, type Flow, surveyLife } from './crash.ts'
import { lifeOf, type Step, WISHES, type Wish } from './life.ts'

interface Tally {
  boundaries: number
  deaths: number
}

const total: Tally = { boundaries: 0, deaths: 0 }

/** Every flow of a life, with every way to die in it. */
async function define(wish: Wish, steps: readonly Step[]): Promise<void> {
  const flows = await surveyLife(wish, steps)
  describe(`${wish.name}:`, () => {
    for (const flow of flows) {
      total.boundaries += flow.boundaries
      for (const aftermath of AFTERMATHS) test(flow, aftermath)
    }
  })
}

function test(flow: Flow, aftermath: Aftermath): void {
  total.deaths += flow.deaths.length
  const count = `${flow.boundaries} boundaries, ${flow.deaths.length} different deaths`
  it(`${flow.n}. ${flow.step.name}, then ${aftermath}: ${count}`, async () => {
    for (const death of flow.deaths) {
      try {
        await crash(flow, death, aftermath)
      } catch (error) {
        const what = flow.names[death.n] ?? '?'
        throw new Error(`died ${death.when} ${death.n}: ${what}: ${String(error)}`, { cause: error })
      }
    }
  })
}

for (const wish of Object.values(WISHES)) await define(wish, lifeOf(wish))

after(() => console.log(`${total.boundaries} boundaries of all flows, ${total.deaths} crashes of the simulated driver`))

it('the survey meets the boundaries that matter', () => assert.ok(total.boundaries > 300, String(total.boundaries)))
