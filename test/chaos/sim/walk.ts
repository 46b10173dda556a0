// Random walks through the lives of a few volumes: every answer is compared with the model, and every datum kept is read back.
import assert from 'node:assert/strict'
import { controllerPublish, controllerUnpublish, create, remove } from './controller-steps.ts'
import { lookUp } from './disk.ts'
import { type Driver, POOL_PATH } from './driver.ts'
import { WISHES } from './lives.ts'
import { blockPage, type Machine, workloadOn } from './machine.ts'
import { afterDeath, afterReboot, type Call, distinct, foresee, type Outcome, type State, UNBORN } from './model.ts'
import { mortalHost } from './mortal.ts'
import { publish, stage, stats, unpublish, unstage } from './node-steps.ts'
import { boot, furnishedMachine, HERE, reboot, requireInnocent, requirePlanned } from './run-life.ts'
import { capabilityOf, dataFile, newWorld, type Scene, stagingOf, targetOf, type World } from './world.ts'

const STEP = 8n << 20n

export type Action =
  | { readonly do: 'call'; readonly volume: number; readonly call: Call }
  /** What an ordinary life goes on with. */
  | { readonly do: 'advance'; readonly volume: number }
  | {
      readonly do: 'call and die'
      readonly volume: number
      readonly call: Call
      readonly n: number
      readonly when: number
    }
  | {
      readonly do: 'write'
      readonly volume: number
      readonly target: number
      readonly name: string
      readonly synced: boolean
    }
  | { readonly do: 'restart' | 'reboot' }
  | { readonly do: 'die while starting'; readonly n: number; readonly when: number }

interface Walker {
  readonly world: World
  /** One of these is the truth. */
  possible: State[]
  /** What a workload wrote and synced; of what it did not sync, nothing is promised until the volume was unstaged. */
  kept: Map<string, string>
  unsynced: Map<string, string>
}

export interface Walk {
  readonly machine: Machine
  driver: Driver
  readonly volumes: Walker[]
  writes: number
}

const KINDS = [WISHES.ext4, WISHES.block, { ...WISHES.ext4, name: 'second', parameters: { uid: '7' } }]
export const VOLUMES = KINDS.length

export async function beginWalk(): Promise<Walk> {
  const machine = furnishedMachine()
  const volumes = KINDS.map(wish => {
    return {
      world: newWorld(wish, HERE),
      possible: [UNBORN],
      kept: new Map<string, string>(),
      unsynced: new Map<string, string>(),
    }
  })
  const walk: Walk = { machine, driver: await boot(machine, HERE), volumes, writes: 0 }
  // Ids derive from names: all calls can be made, also before the volume exists.
  for (const volume of volumes) {
    await create.call(sceneOf(walk, volume))
    await remove.call(sceneOf(walk, volume))
  }
  return walk
}

const sceneOf = ({ machine, driver }: Walk, { world }: Walker): Scene => ({ machine, driver, world })

export async function act(walk: Walk, action: Action): Promise<void> {
  const { machine } = walk
  switch (action.do) {
    case 'call':
      await call(walk, action.volume, action.call)
      break
    case 'advance':
      await call(walk, action.volume, nextOf(walk.volumes[action.volume]))
      break
    case 'call and die':
      await callAndDie(walk, action)
      break
    case 'write':
      write(walk, action)
      break
    case 'restart':
      walk.driver = await boot(machine, HERE)
      break
    case 'reboot':
      reboot(machine)
      for (const volume of walk.volumes) {
        volume.possible = distinct(volume.possible.map(afterReboot))
        volume.unsynced.clear()
      }
      walk.driver = await boot(machine, HERE)
      break
    case 'die while starting': {
      const host = mortalHost(machine)
      host.arm(action)
      await Promise.race([host.died, boot(host, HERE)])
      walk.driver = await boot(machine, HERE)
      break
    }
  }
  requireInnocent(machine, JSON.stringify(action))
}

function nextOf(volume: Walker | undefined): Call {
  const state = volume?.possible[0] ?? UNBORN
  if (!state.exists) return { rpc: 'create' }
  if (!state.isClaimed) return { rpc: 'claim' }
  const isStaged = volume?.world.wish.access === 'mount' ? state.isMounted : state.isNoted && state.isAttached
  if (!isStaged) return { rpc: 'stage' }
  return 1 in state.targets ? { rpc: 'stats', target: 1 } : { rpc: 'publish', target: 1, readonly: false }
}

interface Answer {
  readonly kind: string
  readonly text: string
}

async function answerTo(scene: Scene, what: Call): Promise<Answer> {
  try {
    await perform(scene, what)
    return { kind: 'OK', text: '' }
  } catch (error) {
    return { kind: requirePlanned(error, what.rpc).kind, text: String(error) }
  }
}

async function call(walk: Walk, n: number, what: Call): Promise<void> {
  const volume = walk.volumes[n]
  if (volume) conclude(sceneOf(walk, volume), volume, what, await answerTo(sceneOf(walk, volume), what))
}

function conclude(scene: Scene, volume: Walker, what: Call, { kind, text }: Answer): void {
  const fitting = requireForeseen(volume, what, kind, text)
  volume.possible = distinct(fitting.map(each => each.next))
  keepIfUnmounted(scene, volume)
  if (what.rpc === 'delete') forgetIfGone(scene, volume)
  if (kind === 'OK' && what.rpc === 'publish') requireReadable(scene, volume, targetOf(volume.world, what.target))
}

async function callAndDie(
  walk: Walk,
  { volume: n, call: what, ...death }: Extract<Action, { do: 'call and die' }>,
): Promise<void> {
  const volume = walk.volumes[n]
  if (!volume) return
  const host = mortalHost(walk.machine)
  walk.driver = await boot(host, HERE)
  host.arm(death)
  const scene = sceneOf(walk, volume)
  const answer = await Promise.race([host.died, answerTo(scene, what)])
  host.arm()
  if (typeof answer === 'object') return conclude(scene, volume, what, answer)
  const { access } = volume.world.wish
  volume.possible = distinct(
    volume.possible.flatMap(state =>
      // A call that nobody answered gives the orchestrator no context.
      afterDeath(state, what, access).map(each => ({ ...each, context: state.context })),
    ),
  )
  walk.driver = await boot(walk.machine, HERE)
  walk.machine.finishLingering()
  if (what.rpc === 'delete') forgetIfGone(scene, volume)
  keepIfUnmounted(scene, volume)
}

function requireForeseen({ possible, world: { wish } }: Walker, what: Call, answer: string, text: string): Outcome[] {
  const allowed = possible.map(state => foresee(state, what, wish.access))
  const fitting = allowed.filter(each => each.answer === answer)
  const expected = [...new Set(allowed.map(each => each.answer))].join(' or ')
  assert.ok(fitting.length > 0, `${what.rpc} of ${wish.name}: ${answer} (${text}), not ${expected}`)
  return fitting
}

function requireReadable({ machine }: Scene, { kept, unsynced }: Walker, path: string): void {
  const workload = workloadOn(machine)
  for (const [name, text] of new Map([...kept, ...unsynced]))
    assert.equal(workload.read(path, name), text, `${name} at ${path}`)
}

/** At the end: what is not mounted must be on the disk. */
export function requireKept(walk: Walk): void {
  for (const volume of walk.volumes) {
    if (volume.kept.size === 0) continue
    const file = dataFile(sceneOf(walk, volume))
    for (const [name, text] of volume.kept) {
      const found =
        volume.world.wish.access === 'mount' ? file.fs?.files.get(name) : file.blockData.get(blockPage(name))
      assert.equal(found, text, `${name} of ${volume.world.wish.name}`)
    }
  }
}

function write(walk: Walk, { volume: n, target, name, synced }: Extract<Action, { do: 'write' }>): void {
  const volume = walk.volumes[n]
  const path = volume ? targetOf(volume.world, target) : ''
  const mount = walk.machine.state.mounts.find(each => each.path === path)
  const loop = walk.machine.state.loops.get(mount?.kname ?? '')
  if (!volume || !mount || loop?.readonly !== false || mount.options.includes('ro')) return
  walk.writes += 1
  const text = `${name} ${walk.writes}`
  workloadOn(walk.machine).write(path, name, text, synced)
  volume.unsynced.set(name, text)
  if (synced || volume.world.wish.access === 'block') keep(volume)
}

function keep({ kept, unsynced }: Walker): void {
  for (const [name, text] of unsynced) kept.set(name, text)
  unsynced.clear()
}

/** The last unmount of a filesystem writes everything back. */
function keepIfUnmounted({ machine, world }: Scene, volume: Walker): void {
  if (!machine.state.mounts.some(({ path }) => path === stagingOf(world))) keep(volume)
}

function forgetIfGone({ machine: { state }, world }: Scene, { kept, unsynced }: Walker): void {
  const file = lookUp(state.disk, `${POOL_PATH}/volumes/${world.id}/data`)
  if (file) state.disk.doomed.delete(file.ino)
  else {
    kept.clear()
    unsynced.clear()
  }
}

async function perform(scene: Scene, what: Call): Promise<unknown> {
  const { driver, world } = scene
  const { id, wish } = world
  const range = (size: number) => ({ required_bytes: String(wish.size + BigInt(size) * STEP), limit_bytes: '0' })
  switch (what.rpc) {
    case 'create':
      return await create.call(scene)
    case 'delete':
      return await remove.call(scene)
    case 'claim':
      return await controllerPublish.call(scene)
    case 'release':
      return await controllerUnpublish.call(scene)
    case 'stage':
      return await stage.call(scene)
    case 'unstage':
      return await unstage.call(scene)
    case 'publish':
      return await publish(what.target, what.readonly).call(scene)
    case 'unpublish':
      return await unpublish(what.target).call(scene)
    case 'stats':
      return await stats(what.target).call(scene)
    case 'get':
      return await driver.call('ControllerGetVolume', { volume_id: id })
    case 'expand':
      return await driver.call('ControllerExpandVolume', {
        volume_id: id,
        capacity_range: range(what.size),
        volume_capability: null,
      })
    case 'expand on the node':
      return await driver.call('NodeExpandVolume', {
        volume_id: id,
        volume_path: stagingOf(world),
        capacity_range: range(what.size),
        volume_capability: capabilityOf(world),
      })
  }
}

/** Throws where the driver does what the model does not foresee, or data is lost. */
export async function walkAll(actions: readonly Action[]): Promise<void> {
  const walk = await beginWalk()
  for (const [n, action] of actions.entries()) {
    try {
      await act(walk, action)
    } catch (error) {
      throw new Error(`action ${n}, ${JSON.stringify(action)}: ${String(error)}`, { cause: error })
    }
  }
  requireKept(walk)
}
