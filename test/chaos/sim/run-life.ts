// Leads volumes through their lives on simulated machines, and looks at the machine when they have ended.
import assert from 'node:assert/strict'
import { judge } from '../../../src/doctor/judge.ts'
import { survey } from '../../../src/doctor/survey.ts'
import type { Host } from '../../../src/host/host.ts'
import { recover } from '../../../src/node/recover.ts'
import { DriverError } from '../../../src/volume/errors.ts'
import { create, type Inode, lookUp, makeDirectories, pathOf } from './disk.ts'
import { type Driver, newOp, type Place, POOL_PATH, type Reply, startDriver } from './driver.ts'
import { fingerprint } from './fingerprint.ts'
import { createMachine, furnish, type Machine } from './machine.ts'
import type { Loop } from './state.ts'
import { attachFirstFree } from './storage-programs.ts'
import { mkfsSteps, newImage } from './superblock.ts'
import type { Scene, Step, World } from './world.ts'

export const HERE: Place = { nodeId: 'n1', stateDir: '/state/n1' }
export const ELSEWHERE: Place = { nodeId: 'n2', stateDir: '/state/n2' }

export function furnishedMachine(): Machine {
  const machine = createMachine()
  furnish(machine, '/pool', '/state', '/kubelet')
  invite(machine, 1)
  return machine
}

/** After a power cut the devices of strangers come back first: what was a volume's number is somebody else's now. */
export function reboot(machine: Machine): void {
  machine.cutPower()
  invite(machine, 3)
}

export function isStranger({ file }: Pick<Loop, 'file'>): boolean {
  return file !== undefined && pathOf(file).startsWith('/srv/')
}

/** Mounted filesystems on loop devices of somebody else: whoever writes to one of them is caught. */
function invite({ state }: Machine, guests: number): void {
  for (let n = 0; n < guests; n += 1) {
    const folder = makeDirectories(state.disk, `/srv/${n}`)
    const size = 16n << 20n
    const uuid = `0000000${n}-0000-4000-8000-000000000000`
    const file = folder.entries.get('disk.img') ?? create(state.disk, `/srv/${n}/disk.img`, 'file')
    const whole = mkfsSteps('ext4', uuid, size).slice(-1)
    file.size = size
    file.fs ??= { ...newImage('ext4', uuid, size, whole), everMounted: true, files: new Map([['letter', 'private']]) }
    for (const [number, page] of whole[0]?.pages ?? []) file.pages.set(number, page)
    const kname = attachFirstFree(state, file)
    const mount = { id: state.nextMount, kind: 'filesystem', kname, fs: file.fs, options: ['rw'] } as const
    state.mounts.push({ ...mount, options: ['rw'], path: `/srv/${n}`, superReadonly: false, busy: false })
    state.nextMount += 1
  }
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
      step.honestly?.(answer)
      step.workload?.(scene)
      return
    }
    answers.push(answer)
  }
  assert.fail(`${step.name} never ended with OK: ${answers.join(' | ')}`)
}

export async function liveOn(scene: Scene, steps: readonly Step[]): Promise<void> {
  for (const step of steps) await insist(scene, step.again ?? step, 1)
}

/** The rest of a life, unless the same was lived from the same machine before. */
export async function liveToTheEnd(
  scene: Scene,
  rest: readonly Step[],
  lived: Set<string>,
  { isKnown = true }: { isKnown?: boolean } = {},
): Promise<void> {
  const { machine, world } = scene
  requireInnocent(machine, 'when the call had ended')
  const from = whereLivesGoOn(machine, world, rest)
  if (lived.has(from)) return
  if (isKnown) await requireInOrder(scene.driver)
  const later = { machine, driver: await startDriver(machine, world.place), world }
  await liveOn(later, rest)
  await requireBare(machine, world)
  lived.add(from)
}

/** The same for two lives that must go on in the same way: a driver that starts now sees nothing else. */
export function whereLivesGoOn(
  { state }: Machine,
  { publishContext, place, written, mode }: World,
  rest: readonly Step[],
) {
  return JSON.stringify([fingerprint(state), publishContext, place, written, mode, rest.map(({ name }) => name)])
}

/** The doctor finds nothing; what he has not seen he cannot judge. */
async function requireInOrder({ controller, node }: Driver): Promise<void> {
  const facts = await survey({ controller, node }, newOp())
  const problems = judge(facts).filter(({ verdict }) => verdict !== 'ok')
  assert.deepEqual([problems, facts.unseen], [[], []])
}

/** Nobody may have done what nobody may ever do. */
export function requireInnocent(machine: Machine, when: string): void {
  assert.deepEqual(machine.violations, [], when)
}

/** After the last volume: nothing is attached, mounted, locked or noted, and the next start sweeps the rest of the pool. */
export async function requireBare(machine: Machine, { place, others }: Pick<World, 'place' | 'others'>): Promise<void> {
  const { state } = machine
  const loops = [...state.loops.values()].filter(loop => !isStranger(loop)).map(({ kname }) => kname)
  const mounts = state.mounts.filter(({ path }) => !path.startsWith('/srv/'))
  assert.deepEqual([loops, mounts, state.held, state.lingering], [[], [], [], []])
  for (const loop of state.loops.values())
    if (isStranger(loop)) assert.deepEqual([...(loop.file?.fs?.files ?? [])], [['letter', 'private']])
  const names = (path: string): string[] => [...(lookUp(state.disk, path)?.entries.keys() ?? [])]
  age(state.disk.root)
  await requireInOrder(await boot(machine, place))
  assert.deepEqual(
    ['volumes', 'snapshots', 'drafts', 'trash'].map(folder => names(`${POOL_PATH}/${folder}`)),
    [others, [], [], []],
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
