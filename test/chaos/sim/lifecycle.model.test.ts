// Chaos (d): random, repeated, reordered calls on three volumes, with writes, reboots and deaths in between, against a model.
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, it } from 'node:test'
import fc from 'fast-check'
import { openLaboratory, PATIENCE } from './laboratory.ts'
import type { Call } from './model.ts'
import { type Action, VOLUMES } from './walk.ts'

const { ASHLAR_SEED, ASHLAR_PATH, ASHLAR_RUNS } = process.env
const seed = Number(ASHLAR_SEED ?? randomInt(2 ** 31))
const numRuns = Number(ASHLAR_RUNS ?? 60)
const laboratory = openLaboratory()
after(() => laboratory.end())

const target = fc.integer({ min: 1, max: 2 })
const size = fc.integer({ min: 0, max: 3 })
const call: fc.Arbitrary<Call> = fc.oneof(
  fc.constantFrom<Call>(
    ...(['create', 'claim', 'stage', 'unstage', 'release', 'delete', 'get'] as const).map(rpc => ({ rpc })),
  ),
  fc.record({ rpc: fc.constant('publish' as const), target, readonly: fc.boolean() }),
  fc.record({ rpc: fc.constantFrom('unpublish' as const, 'stats' as const), target }),
  fc.record({ rpc: fc.constantFrom('expand' as const, 'expand on the node' as const), size }),
)
const volume = fc.integer({ min: 0, max: VOLUMES - 1 })
const death = { n: fc.integer({ min: 0, max: 30 }), when: fc.nat(9) }
const name = fc.constantFrom('a', 'b', 'c')
/** Chance alone would seldom get beyond the first calls: half of the actions go on with an ordinary life. */
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('advance' as const), volume }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('call' as const), volume, call }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('write' as const), volume, target, name, synced: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('call and die' as const), volume, call, ...death }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('restart' as const, 'reboot' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('die while starting' as const), ...death }) },
)

it(`answers are foreseen and synced data stays: ${numRuns} walks of seed ${seed}`, PATIENCE, async () => {
  let calls = 0
  const property = fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 60, size: 'max' }), async actions => {
    calls += actions.length
    await laboratory.ask('walk', actions)
  })
  const result = await fc.check(property, { seed, numRuns, ...(ASHLAR_PATH !== undefined && { path: ASHLAR_PATH }) })
  console.log(`${result.numRuns} walks, ${calls} actions`)
  if (!result.failed) return
  const again = `ASHLAR_SEED=${seed} ASHLAR_PATH='${result.counterexamplePath}' node --test test/chaos/sim/lifecycle.model.test.ts`
  const cause = result.errorInstance instanceof Error ? result.errorInstance.message : String(result.errorInstance)
  assert.fail(`again: ${again}\n${cause}\n${fc.defaultReportMessage(result)}`)
})
