// One death of the driver at one boundary of one flow, and what may follow it.
import assert from 'node:assert/strict'
import { controllerUnpublish, create, remove } from './controller-steps.ts'
import { lookUp } from './disk.ts'
import { startDriver } from './driver.ts'
import { LIVES, type Life, secondLife, WISHES } from './lives.ts'
import type { Machine } from './machine.ts'
import { type Death, distinctDeaths, mortalHost } from './mortal.ts'
import { publish, stage, unpublish } from './node-steps.ts'
import {
  ask,
  boot,
  ELSEWHERE,
  furnishedMachine,
  HERE,
  insist,
  liveOn,
  liveToTheEnd,
  reboot,
  requireBare,
  requireInnocent,
  requirePlanned,
  whereLivesGoOn,
} from './run-life.ts'
import { newWorld, type Scene, type Step, type World } from './world.ts'

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
export async function surveyLife({ steps, isDisturbed, begin }: Life): Promise<Flow[]> {
  const { machine, world } = await begin()
  await boot(machine, world.place)
  const flows: Flow[] = []
  const lived = new Set<string>()
  for (const [n, step] of steps.entries()) {
    const before = { machine: machine.copy(), world: structuredClone(world) }
    lived.add(whereLivesGoOn(machine, world, steps.slice(n)))
    const host = mortalHost(machine, { survey: isDisturbed(step, n), spoils: step.spoils })
    const scene = { machine, world, driver: await startDriver(host, world.place) }
    host.arm()
    const reply = await step.call(scene)
    const names = host.boundaries.map(({ what }) => what)
    const deaths = distinctDeaths(host.boundaries)
    const rest = steps.slice(n + 1)
    const counts = { boundaries: names.length, names, deaths, lived }
    if (isDisturbed(step, n)) flows.push({ n: n + 1, step, rest, ...before, ...counts })
    step.holds(scene, reply)
    step.honestly?.(reply)
    step.workload?.(scene)
  }
  await requireBare(machine, world)
  return flows
}

export const AFTERMATHS = [
  'a restart',
  'a restart that settles nothing',
  'a power cut',
  'a lost state directory',
  'another node',
] as const
export type Aftermath = (typeof AFTERMATHS)[number]

export async function crash(flow: Flow, death: Death, aftermath: Aftermath): Promise<void> {
  const machine = flow.machine.copy()
  const world = structuredClone(flow.world)
  await die(flow, death, { machine, world })
  requireInnocent(machine, 'when the driver died')
  await goOn(flow, aftermath, machine, world)
}

async function die(
  { step, names }: Flow,
  death: Death,
  { machine, world }: Pick<Scene, 'machine' | 'world'>,
): Promise<void> {
  const host = mortalHost(machine, { spoils: step.spoils })
  const driver = await startDriver(host, world.place)
  host.arm(death)
  const ends = await Promise.race([host.died, step.call({ machine, driver, world }).then(() => 'OK', String)])
  assert.equal(ends, 'died', 'the flow ended without meeting the boundary')
  assert.equal(plain(host.boundaries[death.n]?.what), plain(names[death.n]), 'the flow took another way')
}

/** Names of drafts and of trash are random. */
const plain = (text = ''): string => text.replaceAll(/\.[0-9a-f]{12}\b/g, '')

async function goOn(flow: Flow, wanted: Aftermath, machine: Machine, world: World): Promise<void> {
  const aftermath = wanted === 'another node' && flow.step.isOfOneNode === true ? 'a power cut' : wanted
  const { rest } = flow
  const step = flow.step.again ?? flow.step
  if (aftermath === 'another node') return await moveAway(step, flow, machine, world)
  if (aftermath === 'a power cut') reboot(machine)
  if (aftermath === 'a lost state directory') lookUp(machine.state.disk, world.place.stateDir)?.entries.clear()
  // A volume that cannot be settled at the start is left to the next call, which must cope by itself.
  const settles = aftermath !== 'a restart that settles nothing'
  const driver = await (settles ? boot : startDriver)(machine, world.place)
  const scene = { machine, driver, world }
  if (machine.state.lingering.length > 0) {
    await requireWaits(scene, step)
    machine.finishLingering()
  }
  if ((aftermath === 'a power cut' || aftermath === 'a lost state directory') && step.needs)
    await liveOn(scene, step.needs === 'staged' ? [stage] : [stage, publish(1)])
  if (aftermath === 'a lost state directory' && step.target !== undefined) await republish(scene, step, step.target)
  await insist(scene, step, 3)
  await liveToTheEnd(scene, rest, flow.lived, { isKnown: aftermath === 'a restart' })
}

/** The driver dies, and the one that follows dies too, while it settles what it found or when it is asked again. */
export async function crashTwice(flow: Flow, first: Death, second: Death): Promise<void> {
  const machine = flow.machine.copy()
  const world = structuredClone(flow.world)
  const step = flow.step.again ?? flow.step
  await die(flow, first, { machine, world })
  machine.finishLingering()
  const host = mortalHost(machine)
  host.arm(second)
  const life = async () => await ask({ machine, world, driver: await boot(host, world.place) }, step)
  await Promise.race([host.died, life()])
  machine.finishLingering()
  const scene = { machine, world, driver: await boot(machine, world.place) }
  await insist(scene, step, 3)
  await liveToTheEnd(scene, flow.rest, flow.lived)
}

/** The very first start of a driver on a machine, interrupted; answers false when it came to its end. */
export async function crashAtStart(death: Death): Promise<boolean> {
  const machine = furnishedMachine()
  const host = mortalHost(machine)
  host.arm(death)
  const ends = await Promise.race([host.died, boot(host, HERE).then(() => 'started')])
  const world = newWorld(WISHES.block, HERE)
  const scene = { machine, world, driver: await boot(machine, HERE) }
  await liveOn(scene, LIVES.find(({ name }) => name === world.wish.name)?.steps ?? [])
  await requireBare(machine, world)
  return ends === 'died'
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
async function moveAway(step: Step, { lived, rest }: Flow, machine: Machine, world: World): Promise<void> {
  reboot(machine)
  const from = world.place
  const driver = await boot(machine, ELSEWHERE)
  const scene = { machine, driver, world }
  if (step.isBesideTheBytes === true) {
    world.place = ELSEWHERE
    await liveOn(scene, [step])
    await liveToTheEnd(scene, rest, lived)
    return
  }
  if (step === create) {
    world.place = ELSEWHERE
    await liveOn(scene, [create])
  } else if (step !== remove) {
    if (step.mustEnd === true) await liveOn(scene, [step])
    world.place = from
    await liveOn(scene, [controllerUnpublish])
  }
  world.place = ELSEWHERE
  await liveToTheEnd(scene, step === remove ? [remove] : secondLife, lived)
}
