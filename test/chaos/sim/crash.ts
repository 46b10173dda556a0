// One death of the driver at one boundary of one flow, and what may follow it.
import assert from 'node:assert/strict'
import { lookUp } from './disk.ts'
import { startDriver } from './driver.ts'
import {
  controllerUnpublish,
  create,
  newWorld,
  publish,
  remove,
  type Scene,
  type Step,
  secondLife,
  stage,
  unpublish,
  type Wish,
  type World,
} from './life.ts'
import type { Machine } from './machine.ts'
import { type Death, distinctDeaths, mortalHost } from './mortal.ts'
import {
  boot,
  copyWorld,
  ELSEWHERE,
  furnishedMachine,
  HERE,
  insist,
  liveOn,
  liveToTheEnd,
  requireBare,
  requireInnocent,
  requirePlanned,
} from './run-life.ts'

/** A step of a life: the machine just before it, and every way to die in it. */
export interface Flow {
  readonly n: number
  readonly step: Step
  readonly rest: readonly Step[]
  readonly machine: Machine
  readonly world: World
  readonly boundaries: number
  /** What each boundary is, for messages. */
  readonly names: readonly string[]
  /** Deaths that leave different machines. */
  readonly deaths: readonly Death[]
  /** Lives that were led to their end, by where they began. */
  readonly lived: Set<string>
}

/** Leads one life without any death, and notes what can be interrupted. */
export async function surveyLife(
  wish: Wish,
  steps: readonly Step[],
  machine = furnishedMachine(),
  world = newWorld(wish, HERE),
): Promise<Flow[]> {
  const host = mortalHost(machine, { survey: true })
  const driver = await boot(host, HERE)
  const flows: Flow[] = []
  for (const [n, step] of steps.entries()) {
    const before = { machine: machine.copy(), world: copyWorld(world) }
    host.arm()
    const reply = await step.call({ machine, driver, world })
    const names = host.boundaries.map(({ what }) => what)
    const deaths = distinctDeaths(host.boundaries)
    flows.push({
      n: n + 1,
      step,
      rest: steps.slice(n + 1),
      ...before,
      boundaries: names.length,
      names,
      deaths,
      lived: new Set(),
    })
    step.holds({ machine, driver, world }, reply)
    step.workload?.({ machine, driver, world })
  }
  await requireBare(machine, HERE)
  return flows
}

export const AFTERMATHS = ['a restart', 'a power cut', 'a lost state directory', 'another node'] as const
export type Aftermath = (typeof AFTERMATHS)[number]

export async function crash(flow: Flow, death: Death, aftermath: Aftermath): Promise<void> {
  const machine = flow.machine.copy()
  const world = copyWorld(flow.world)
  await die(flow, death, { machine, world })
  requireInnocent(machine, 'when the driver died')
  await goOn(flow, aftermath, machine, world)
}

async function die(
  { step, names }: Flow,
  death: Death,
  { machine, world }: Pick<Scene, 'machine' | 'world'>,
): Promise<void> {
  const host = mortalHost(machine)
  const driver = await startDriver(host, world.place)
  host.arm(death)
  const ends = await Promise.race([host.died, step.call({ machine, driver, world }).then(() => 'OK', String)])
  assert.equal(ends, 'died', 'the flow ended without meeting the boundary')
  assert.equal(plain(host.boundaries[death.n]?.what), plain(names[death.n]), 'the flow took another way')
}

/** Names of drafts and of trash are random. */
const plain = (text = ''): string => text.replaceAll(/\.[0-9a-f]{12}\b/g, '')

async function goOn(flow: Flow, aftermath: Aftermath, machine: Machine, world: World): Promise<void> {
  const { step, rest } = flow
  if (aftermath === 'another node') return await moveAway(flow, machine, world)
  if (aftermath === 'a power cut') machine.cutPower()
  if (aftermath === 'a lost state directory') lookUp(machine.state.disk, world.place.stateDir)?.entries.clear()
  const driver = await boot(machine, world.place)
  const scene = { machine, driver, world }
  if (machine.state.lingering.length > 0) {
    await requireWaits(scene, step)
    machine.finishLingering()
  }
  if (aftermath !== 'a restart' && step.needs)
    await liveOn(scene, step.needs === 'staged' ? [stage] : [stage, publish(1)])
  if (aftermath === 'a lost state directory' && step.target !== undefined) await republish(scene, step, step.target)
  await insist(scene, step, 3)
  await liveToTheEnd(scene, rest, flow.lived)
}

/** Only the journal knows that a bind that was to become read-only is half-made: without it the driver must say so. */
async function republish(scene: Scene, step: Step, target: number): Promise<void> {
  const answer = await step.call(scene).then(
    () => 'OK',
    error => requirePlanned(error, step.name).kind,
  )
  assert.ok(['OK', 'already-exists'].includes(answer), answer)
  if (answer !== 'OK') await liveOn(scene, [unpublish(target)])
}

/** While a tool of the dead driver still runs, nobody may be told OK. */
async function requireWaits(scene: Scene, step: Step): Promise<void> {
  const answer = await step.call(scene).then(
    () => 'OK',
    error => requirePlanned(error, step.name).kind,
  )
  assert.ok(['unavailable', 'aborted'].includes(answer), `${answer} while mkfs of the dead driver runs`)
  requireInnocent(scene.machine, 'while mkfs of the dead driver runs')
}

/** The node died with its driver, and its state directory is out of reach: the volume is used on another one. */
async function moveAway({ step, lived }: Flow, machine: Machine, world: World): Promise<void> {
  machine.cutPower()
  const from = world.place
  const driver = await boot(machine, ELSEWHERE)
  const scene = { machine, driver, world }
  if (step === create) {
    world.place = ELSEWHERE
    await liveOn(scene, [create])
  } else if (step !== remove) {
    world.place = from
    await liveOn(scene, [controllerUnpublish])
  }
  world.place = ELSEWHERE
  await liveToTheEnd(scene, step === remove ? [remove] : secondLife(), lived)
}
