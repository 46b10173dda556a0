// What an orchestrator knows of a volume, and what a step of the volume's life is.
import assert from 'node:assert/strict'
import { type Inode, lookUp } from './disk.ts'
import { type Driver, type Place, POOL_PATH, type Reply } from './driver.ts'
import type { Machine } from './machine.ts'
import type { Mount } from './state.ts'

/** How a volume is wanted. */
export interface Wish {
  readonly name: string
  readonly access: 'mount' | 'block'
  readonly fsType: '' | 'ext4' | 'xfs'
  readonly size: bigint
  readonly parameters: Readonly<Record<string, string>>
}

/** What the orchestrator knows; plain data, so that it can be copied together with the machine. */
export interface World {
  readonly wish: Wish
  place: Place
  mode: string
  id: string
  publishContext: Record<string, string>
  volumeContext: Record<string, string>
  snapshot: string
  /** Durable writes of the workload, by name. */
  written: Record<string, string>
  /** Other volumes that are still there when this one has ended. */
  others: string[]
}

export function newWorld(wanted: Wish, place: Place): World {
  return {
    wish: wanted,
    place,
    mode: 'SINGLE_NODE_WRITER',
    others: [],
    id: '',
    snapshot: '',
    publishContext: {},
    volumeContext: {},
    written: {},
  }
}

export interface Scene {
  readonly machine: Machine
  readonly driver: Driver
  readonly world: World
}

export interface Step {
  readonly name: string
  /** One RPC; it may be repeated. */
  readonly call: (scene: Scene) => Promise<Reply>
  /** The truth after OK. Throws when the machine shows something else. */
  readonly holds: (scene: Scene, reply: Reply) => void
  /** What else a driver says that nobody lies to. */
  readonly honestly?: (reply: Reply) => void
  /** What a workload does then. */
  readonly workload?: (scene: Scene) => void
  /** What must be made again after a reboot, for this step or the next ones. */
  readonly needs?: 'staged' | 'published'
  /** The target path. */
  readonly target?: number
  /** Commands that fail when this step is called the first time. */
  readonly spoils?: RegExp
  /** Nothing else can be done with the volume before this has come to its end. */
  readonly mustEnd?: boolean
  /** No node has a part in it. */
  readonly isBesideTheBytes?: boolean
  /** No other node takes over: its pod is of this one. */
  readonly isOfOneNode?: boolean
  /** What is called after a crash, if not the same. */
  readonly again?: Step
}

export const stagingOf = ({ wish: { name } }: World): string => `/kubelet/staging/${name}/globalmount`
export const targetOf = ({ wish: { name } }: World, n: number): string => `/kubelet/pods/${n}/${name}/mount`

export function dataFile({ machine, world }: Scene): Inode {
  return (
    lookUp(machine.state.disk, `${POOL_PATH}/volumes/${world.id}/data`) ?? assert.fail(`${world.id} has no data file`)
  )
}

export const mountsAt = ({ machine }: Scene, path: string): Mount[] =>
  machine.state.mounts.filter(each => each.path === path)
export const loopsOf = (scene: Scene) =>
  [...scene.machine.state.loops.values()].filter(each => each.file === dataFile(scene))
/** The documents of the nodes that may use the volume. */
export function claimsOf({ machine, world }: Scene): string[] {
  const folder = lookUp(machine.state.disk, `${POOL_PATH}/volumes/${world.id}/claims`)
  return [...(folder?.entries.keys() ?? [])].filter(name => name.endsWith('.json'))
}

export const exists = ({ machine }: Scene, path: string): boolean => lookUp(machine.state.disk, path) !== undefined

export function capabilityOf({ wish: { access, fsType }, mode }: World): object {
  const mount = access === 'mount' ? { fs_type: fsType, mount_flags: [], volume_mount_group: '' } : null
  return { access_type: access, access_mode: { mode }, mount, block: access === 'block' ? {} : null }
}

export const isReader = ({ mode }: World): boolean => mode.endsWith('READER_ONLY')

/** Only here may this volume be mounted. */
export function allow({ machine: { state }, world }: Scene, path: string): void {
  const file = lookUp(state.disk, `${POOL_PATH}/volumes/${world.id}/data`)
  if (file) state.places.set(path, file.ino)
}
