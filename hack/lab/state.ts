// What a lab's run directory remembers, and how to tell a lab in use from what a killed one left.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from './error.ts'
import {
  bootId,
  endProcessesBelow,
  isAlive,
  type ProcessId,
  processesBelow,
  readIfThere,
  thisProcess,
} from './processes.ts'
import type { Topology } from './topology.ts'

export interface LabState {
  /** Keeps labs apart: part of VM names and of the seeds of identities. */
  id: string
  bootId: string
  /** While it lives the lab is in use. Absent: the lab is up until someone takes it down. */
  owner?: ProcessId
  topology: Topology
  /** Multicast group of each network. */
  groups: Record<string, string>
  images: { kernel: string; initramfs: string; root: string }
}

export const PREFIX = 'ashlar-lab-'

const stateFile = (run: string): string => join(run, 'lab.json')

export const readState = (run: string): LabState | undefined => {
  const text = readIfThere(stateFile(run))
  return text === undefined ? undefined : (JSON.parse(text) as LabState)
}

/** Each network is a multicast group on the loopback device; a random group and port keep labs apart. */
const randomGroup = (): string => {
  const r = randomBytes(5)
  return `239.${192 + (r.readUInt8(0) & 31)}.${r.readUInt8(1)}.${r.readUInt8(2)}:${20000 + (r.readUInt16BE(3) % 10000)}`
}

/**
 * Makes the run directory, complete from the first moment it is seen. Throws LabError when another process was faster.
 * `prepare` puts further files into it before.
 */
export const createRun = (
  run: string,
  topology: Topology,
  prepare: (directory: string) => LabState['images'],
): LabState => {
  const fresh = mkdtempSync(`${run}-new-${process.pid}-`)
  try {
    mkdirSync(join(fresh, 'share'), { mode: 0o700 })
    const groups = Object.fromEntries(topology.nets.map(net => [net, randomGroup()]))
    const images = prepare(fresh)
    const id = randomBytes(4).toString('hex')
    const state: LabState = { id, bootId: bootId(), owner: thisProcess(), topology, groups, images }
    writeFileSync(stateFile(fresh), JSON.stringify(state, null, 2))
    renameSync(fresh, run) // fails when the target is there and holds files
    return state
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true })
    if (existsSync(run)) throw new LabError(`another process brings up a lab in ${run}`)
    throw error
  }
}

/** From now on the lab is up without any process that owns it. */
export const disown = (run: string, state: LabState): LabState => {
  const { owner: _, ...rest } = state
  const file = `${stateFile(run)}.new`
  writeFileSync(file, JSON.stringify(rest, null, 2))
  renameSync(file, stateFile(run))
  return rest
}

const isMine = (owner: ProcessId): boolean => owner.pid === process.pid && isAlive(owner)

/** What a run directory is: `none`, `usable` by this process, `busy` with its owner alive, or `leftover`. */
export const judgeRun = (run: string): 'none' | 'usable' | 'busy' | 'leftover' => {
  const live = processesBelow(run)
  if (!existsSync(run)) return live.length === 0 ? 'none' : 'leftover'
  const state = readState(run)
  if (state === undefined || state.bootId !== bootId()) return 'leftover'
  if (state.owner !== undefined) {
    if (!isAlive(state.owner)) return 'leftover'
    return isMine(state.owner) ? 'usable' : 'busy'
  }
  // `crash` and `stop` remove the pid file, and so does QEMU when it ends by itself; only a kill from outside leaves it.
  const killed = Object.keys(state.topology.vms).some(name => existsSync(join(run, name, 'pid')))
  return live.length === 0 && killed ? 'leftover' : 'usable'
}

/** Ends every process of a run directory and removes it, whatever state it is in. */
export const removeRun = async (run: string): Promise<void> => {
  await endProcessesBelow(run)
  if (!existsSync(run)) return
  const gone = mkdtempSync(`${run}-gone-`)
  renameSync(run, gone) // a removal that is killed half-way leaves nothing that looks like a lab
  rmSync(gone, { recursive: true, force: true })
}

/** Removes the temporary labs below a directory whose owner is dead. Labs without an owner stay. */
export const removeAbandoned = async (parent: string): Promise<string[]> => {
  const removed: string[] = []
  for (const name of readdirSync(parent).filter(entry => entry.startsWith(PREFIX))) {
    const directory = join(parent, name)
    const state = readState(join(directory, 'run'))
    const abandoned = state !== undefined && judgeRun(join(directory, 'run')) === 'leftover'
    if (!abandoned) continue
    await removeRun(join(directory, 'run'))
    rmSync(directory, { recursive: true, force: true })
    removed.push(directory)
  }
  return removed
}
