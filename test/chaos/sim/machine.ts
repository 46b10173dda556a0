// A simulated Linux machine: runs the programs that the driver runs, and notes whatever no driver may ever do.
import type { Command, Host, Output } from '../../../src/host/host.ts'
import { CommandFailed } from '../../../src/volume/errors.ts'
import { COPIES, copy } from './copy-programs.ts'
import { create, lookUp, makeDirectories } from './disk.ts'
import { FILESYSTEMS, finishMkfs, runMkfs, writeBack } from './filesystem-programs.ts'
import { memoryFiles } from './memory-files.ts'
import { PATHS } from './path-programs.ts'
import { type Answer, failed, type Program, UnknownCommand } from './program.ts'
import { fileOf, newState, type State, violate } from './state.ts'
import { STORAGE } from './storage-programs.ts'
import { mkfsSteps } from './superblock.ts'

const PROGRAMS: Readonly<Record<string, Program>> = { ...STORAGE, ...FILESYSTEMS, ...PATHS, ...COPIES }
const LOCK = ['--exclusive', '--wait', '5', '--conflict-exit-code', '75', '--no-fork']

export interface Machine extends Host {
  readonly state: State
  readonly violations: readonly string[]
  /** A copy that goes its own way. */
  copy(): Machine
  /** Loop devices, mounts, locks and running tools are gone, and writes that nobody synced. */
  cutPower(): void
  /** Runs a command as far as this half; the halves of a command by `halvesOf`. */
  runHalf(command: Command, half: string): void
  /** The tools that outlived their driver come to their end. */
  finishLingering(): void
}

export function createMachine(state: State = newState()): Machine {
  return {
    name: 'simulated',
    state,
    violations: state.disk.violations,
    files: memoryFiles(() => state),
    run: async command => run(state, command),
    async hold(command) {
      const [path = '', ...program] = command.args.slice(LOCK.length).map(String)
      const lock = command.args.slice(0, LOCK.length).join(' ').replace('--wait 0', '--wait 5')
      const [shell, , , of] = program
      // That the file is the one at the path need not be asked here: a lock of this machine is its path.
      if (command.file !== 'flock' || lock !== LOCK.join(' ') || shell !== 'sh' || of !== path)
        unknown(state, `${command.file} ${command.args.join(' ')}`)
      const answer = takeLock(state, path)
      if (answer) throw meaning({ ...command, timeoutMs: 0, onAbort: 'finish' }, answer)
      state.held.push(path)
      return async () => {
        state.held.splice(state.held.indexOf(path), 1)
      }
    },
    copy: () => createMachine(structuredClone(state)),
    cutPower: () => cutPower(state),
    runHalf: (command, half) => runHalf(state, command, half),
    finishLingering: () => {
      for (const { finish } of state.lingering.splice(0)) finishMkfs(state, finish)
    },
  }
}

function run(state: State, command: Command): Output {
  const answer = execute(state, wordsOf(command), typeof command.stdin === 'string' ? command.stdin : '')
  if (!(command.okCodes ?? [0]).includes(answer.code)) throw meaning(command, answer)
  return answer
}

export function wordsOf({ file, args }: Pick<Command, 'file' | 'args'>): string[] {
  return [file, ...args.map(String)]
}

/** As the local host says it. */
export function meaning(command: Command, { code, stdout, stderr }: Answer): CommandFailed {
  const found = `exit code ${code}: ${stderr || stdout}`
  return new CommandFailed({ asked: wordsOf(command).join(' '), found, next: 'see the log', code })
}

function execute(state: State, [file = '', ...args]: readonly string[], stdin: string): Answer {
  if (file === 'flock') {
    const [path = '', ...tool] = args.slice(LOCK.length)
    if (args.slice(0, LOCK.length).join() !== LOCK.join()) unknown(state, `flock ${args.join(' ')}`)
    return takeLock(state, path) ?? execute(state, tool, stdin)
  }
  const program = PROGRAMS[file]
  if (!program) return unknown(state, [file, ...args].join(' '))
  try {
    return program({ state, args, stdin })
  } catch (error) {
    if (error instanceof UnknownCommand) unknown(state, `${file} ${args.join(' ')}: ${error.message}`)
    throw error
  }
}

function unknown(state: State, what: string): never {
  violate(state, `the driver ran what this machine does not know: ${what}`)
  throw new Error(`this machine does not know: ${what}`)
}

/** undefined: the lock is free. */
function takeLock(state: State, path: string): Answer | undefined {
  const isHeld = state.held.includes(path) || state.lingering.some(each => each.lock === path)
  if (isHeld) return failed(75, '')
  if (path.startsWith('/dev/'))
    return state.loops.has(path.slice(5)) ? undefined : failed(66, `flock: cannot open ${path}`)
  const folder = lookUp(state.disk, path.slice(0, path.lastIndexOf('/')))
  if (!folder) return failed(66, `flock: cannot open lock file ${path}: No such file or directory`)
  if (!lookUp(state.disk, path)) create(state.disk, path, 'file')
  return undefined
}

function cutPower(state: State): void {
  for (const mount of state.mounts) mount.fs?.unwritten.clear()
  state.mounts.length = 0
  state.loops.clear()
  state.held.length = 0
  state.lingering.length = 0
}

/** How a command may end when its driver or the machine dies in the middle, beside "not at all" and "done". */
export function halvesOf(command: Pick<Command, 'file' | 'args'>): string[] {
  const words = wordsOf(command)
  const lock = words[0] === 'flock' ? words[LOCK.length + 1] : undefined
  const tool = lock === undefined ? words : words.slice(LOCK.length + 2)
  if (tool[0] === 'cp') return ['killed: half']
  if (tool[0] === 'xfs_io')
    return command.args.slice(0, -1).flatMap((arg, n) => (String(arg).startsWith('pwrite') ? [`cut: ${n + 1}`] : []))
  const type = tool[0] === 'mkfs.ext4' ? 'ext4' : tool[0] === 'mkfs.xfs' ? 'xfs' : undefined
  if (!type) return []
  const steps = mkfsSteps(type, '0'.repeat(32), 1n << 28n).slice(0, -1)
  return steps.flatMap(({ name }) => [`killed: ${name}`, ...(lock === undefined ? [] : [`runs on: ${name}`])])
}

function runHalf(state: State, command: Command, half: string): void {
  const words = wordsOf(command)
  const [, cut] = /^cut: (\d+)$/.exec(half) ?? []
  if (cut !== undefined) {
    execute(state, [...words.slice(0, Number(cut) + 1), words.at(-1) ?? ''], '')
    return
  }
  if (words[0] === 'cp') {
    copy({ state, args: words.slice(1), stdin: '' }, 0.5)
    return
  }
  const lock = words[LOCK.length + 1] ?? ''
  const [, how = '', step = ''] = /^(killed|runs on): (.+)$/.exec(half) ?? []
  const tool = words.slice(LOCK.length + 2)
  const type = tool[0] === 'mkfs.ext4' ? 'ext4' : 'xfs'
  const at = mkfsSteps(type, '0'.repeat(32), 1n << 28n).findIndex(each => each.name === step)
  if (takeLock(state, lock)) return
  runMkfs({ state, args: tool.slice(1), stdin: '' }, type, at + 1)
  const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(tool.join(' '))?.[0] ?? ''
  if (how === 'runs on') state.lingering.push({ lock, finish: { kname: lock.slice('/dev/'.length), type, uuid } })
}

/** What a workload does with a volume that is published at a path. */
export interface Workload {
  write(path: string, name: string, text: string, synced: boolean): void
  read(path: string, name: string): string | undefined
}

/** Where a workload keeps its data on a raw device. */
export const blockPage = (name: string): number => 100 + (name.charCodeAt(0) % 26)

export function workloadOn({ state }: Machine): Workload {
  const at = (path: string) => {
    const mount = state.mounts.filter(each => each.path === path).at(-1)
    if (!mount) throw new Error(`nothing is mounted at ${path}`)
    return mount
  }
  return {
    write(path, name, text, synced) {
      const mount = at(path)
      if (mount.options.includes('ro') || mount.superReadonly) throw new Error(`${path} is read-only`)
      if (mount.kind === 'node') {
        const file = fileOf(state, mount.kname)
        if (!file || state.loops.get(mount.kname)?.readonly !== false) throw new Error(`${path} cannot be written`)
        file.pages.set(blockPage(name), text.padEnd(4096, '\0'))
        file.blockData.set(blockPage(name), text)
        return
      }
      mount.fs?.unwritten.set(name, text)
      if (synced && mount.fs) writeBack(mount.fs)
    },
    read(path, name) {
      const mount = at(path)
      if (mount.kind === 'node') return fileOf(state, mount.kname)?.pages.get(blockPage(name))?.replace(/\0+$/, '')
      return mount.fs?.unwritten.get(name) ?? mount.fs?.files.get(name)
    },
  }
}

/** Folders that exist on every machine. */
export function furnish({ state }: Machine, ...paths: string[]): void {
  for (const path of paths) makeDirectories(state.disk, path)
}
