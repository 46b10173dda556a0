// Leads volumes through their lives on simulated machines, and looks at the machine when they have ended.
import assert from 'node:assert/strict'
import type { Host } from '../../../src/host/host.ts'
import { recover } from '../../../src/node/recover.ts'
import { DriverError } from '../../../src/volume/errors.ts'
import { type Inode, lookUp } from './disk.ts'
import { type Driver, newOp, type Place, POOL_PATH, type Reply, startDriver } from './driver.ts'
import { fingerprint } from './fingerprint.ts'
import type { Scene, Step, World } from './life.ts'
import { createMachine, furnish, type Machine } from './machine.ts'

export const HERE: Place = { nodeId: 'n1', stateDir: '/state/n1' }
export const ELSEWHERE: Place = { nodeId: 'n2', stateDir: '/state/n2' }

export function furnishedMachine(): Machine {
  const machine = createMachine()
  furnish(machine, '/pool', '/state', '/kubelet')
  return machine
}

/** A new process of the driver: it opens the pool and settles what an earlier one left. */
export async function boot(host: Host, place: Place): Promise<Driver> {
  const driver = await startDriver(host, place)
  await recover(driver.node, newOp())
  return driver
}

/** A failure that the driver planned; anything else is a bug of it. */
export function requirePlanned(error: unknown, what: string): DriverError {
  if (error instanceof DriverError) return error
  throw new Error(`${what}: an error that nobody planned: ${String(error)}`, { cause: error })
}

/** The reply, or the words of a failure that the driver planned. */
export async function ask(scene: Scene, step: Step): Promise<Reply | string> {
  try {
    return await step.call(scene)
  } catch (error) {
    return requirePlanned(error, step.name).message
  }
}

/** Repeats the call until it is OK; every other answer must be a planned one. */
export async function insist(scene: Scene, step: Step, tries: number): Promise<void> {
  const answers: string[] = []
  for (let n = 0; n < tries; n += 1) {
    const answer = await ask(scene, step)
    if (typeof answer === 'object') {
      step.holds(scene, answer)
      step.workload?.(scene)
      return
    }
    answers.push(answer)
  }
  assert.fail(`${step.name} never ended with OK: ${answers.join(' | ')}`)
}

export async function liveOn(scene: Scene, steps: readonly Step[]): Promise<void> {
  for (const step of steps) await insist(scene, step, 1)
}

/** The rest of a life, unless the same was lived from the same machine before: a new driver knows nothing else. */
export async function liveToTheEnd(scene: Scene, rest: readonly Step[], lived: Set<string>): Promise<void> {
  const { machine, world } = scene
  requireInnocent(machine, 'when the call had ended')
  const { publishContext, place, written } = world
  const from = JSON.stringify([fingerprint(machine.state), publishContext, place, written, rest.length])
  if (lived.has(from)) return
  const later = { machine, driver: await startDriver(machine, world.place), world }
  await liveOn(later, rest)
  await requireBare(machine, world.place)
  lived.add(from)
}

/** Nobody may have done what nobody may ever do. */
export function requireInnocent(machine: Machine, when: string): void {
  assert.deepEqual(machine.violations, [], when)
}

/** After the last volume: nothing is attached, mounted, locked or noted, and the next start sweeps the rest of the pool. */
export async function requireBare(machine: Machine, place: Place): Promise<void> {
  const { state } = machine
  assert.deepEqual([[...state.loops.keys()], state.mounts, state.held, state.lingering], [[], [], [], []])
  const names = (path: string): string[] => [...(lookUp(state.disk, path)?.entries.keys() ?? [])]
  age(state.disk.root)
  await boot(machine, place)
  assert.deepEqual(
    ['volumes', 'drafts', 'trash'].map(folder => names(`${POOL_PATH}/${folder}`)),
    [[], [], []],
  )
  assert.deepEqual(
    names(place.stateDir).filter(name => name !== 'locks'),
    [],
  )
  requireInnocent(machine, 'at the end')
}

/** As if the machine had rested for an hour. */
function age(inode: Inode): void {
  inode.modified -= 3600_000
  for (const each of inode.entries.values()) age(each)
}

export function copyWorld(world: World): World {
  return structuredClone(world)
}
