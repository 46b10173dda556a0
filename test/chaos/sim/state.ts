// The whole state of a simulated machine as plain data: what a power cut spares, and what it takes.
import type { FsType } from '../../../src/volume/capability.ts'
import { type Disk, emptyDisk, type Inode } from './disk.ts'
import type { FsImage } from './superblock.ts'

export interface Loop {
  readonly kname: string
  readonly minor: number
  readonly sequence: number
  /** The file, or the device that a read-only view stands on. */
  readonly file: Inode | undefined
  readonly below: string | undefined
  readonly readonly: boolean
  readonly sectorSize: number
  size: bigint
  /** Detached as soon as nobody has it open. */
  autoclear: boolean
}

export interface Mount {
  readonly id: number
  readonly path: string
  /** A filesystem, the bound node of a device, or a folder of the machine's own filesystem. */
  readonly kind: 'filesystem' | 'node' | 'folder'
  /** The device; of a folder, ''. */
  readonly kname: string
  readonly fs: FsImage | undefined
  readonly options: string[]
  /** Of the filesystem, shared by all its mounts. */
  readonly superReadonly: boolean
  /** A process has a file open there. */
  busy: boolean
}

/** A mkfs that outlived its driver, half-way, and still holds the lock of its device. */
export interface Lingering {
  readonly lock: string
  readonly finish: { readonly kname: string; readonly type: FsType; readonly uuid: string }
}

export interface State {
  disk: Disk
  loops: Map<string, Loop>
  mounts: Mount[]
  nextMount: number
  nextSequence: number
  lingering: Lingering[]
  /** Locks that live processes hold with `hold`. */
  held: string[]
  /** Can its filesystem clone files? */
  clones: boolean
  /** Where a volume may be mounted or bound, and nothing else: path to inode of its data file. */
  places: Map<string, number | string>
}

export function newState(): State {
  return {
    disk: emptyDisk(),
    loops: new Map(),
    mounts: [],
    nextMount: 30,
    nextSequence: 1,
    lingering: [],
    held: [],
    clones: false,
    places: new Map(),
  }
}

/** The data file at the bottom of a device. */
export function fileOf(state: State, kname: string): Inode | undefined {
  const loop = state.loops.get(kname)
  return loop?.below === undefined ? loop?.file : fileOf(state, loop.below)
}

export function numberOf(loop: Loop): string {
  return `7:${loop.minor}`
}

/** A filesystem is alive on the device as long as one mount of it exists. */
export function isLive(state: State, kname: string): boolean {
  return state.mounts.some(mount => mount.kind === 'filesystem' && mount.kname === kname)
}

export function violate(state: State, what: string): void {
  state.disk.violations.push(what)
}
