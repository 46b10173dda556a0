// Finds the lab's processes without trusting a pid alone, and waits for what they do.
import { existsSync, type FSWatcher, readdirSync, readFileSync, watch } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { LabError } from './error.ts'

/** A process as /proc names it: a reused pid has another start time (clock ticks after boot). */
export interface ProcessId {
  pid: number
  start: string
}

/** A file's text, or undefined when it (or the process below /proc it belongs to) is gone. */
export const readIfThere = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'ENOTDIR') return undefined
    throw error
  }
}

/** Changes with every boot of the machine. */
export const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()

// Fields of /proc/<pid>/stat (proc(5)) from the third on; the second is the name in parentheses and may hold blanks.
const STATE = 0
const THREADS = 17
const START_TIME = 19
const statFields = (pid: number): string[] =>
  readIfThere(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, '')
    .split(' ') ?? []

const startTime = (pid: number): string | undefined => statFields(pid)[START_TIME]

export const thisProcess = (): ProcessId => ({ pid: process.pid, start: startTime(process.pid) ?? '' })

export const isAlive = (id: ProcessId): boolean => !hasEnded(id)

// Empty for a zombie, so a killed process counts as gone before its parent has reaped it.
const argumentsOf = (pid: number): string[] => readIfThere(`/proc/${pid}/cmdline`)?.split('\0') ?? []

/** The pid in a file, if that process is alive and has `word` among its arguments. */
export const ownProcess = (pidFile: string, word: string): number | undefined => {
  const pid = Number(readIfThere(pidFile))
  return pid > 0 && argumentsOf(pid).includes(word) ? pid : undefined
}

/** QEMU and nbdkit processes that work below a directory, whatever became of their pid files. */
export const processesBelow = (directory: string): number[] =>
  readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => {
      const [program = '', ...rest] = argumentsOf(pid)
      return /(^|\/)(qemu-system-x86_64|nbdkit)$/.test(program) && rest.some(word => word.startsWith(`${directory}/`))
    })

export const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** A process to wait for, or undefined when it is gone already. */
export const identify = (pid: number): ProcessId | undefined => {
  const start = startTime(pid)
  return start === undefined ? undefined : { pid, start }
}

// A dying QEMU has no arguments any more while it still holds its disks' locks: the last thread closes the files.
const hasEnded = ({ pid, start }: ProcessId): boolean => {
  const fields = statFields(pid)
  return fields[START_TIME] !== start || (fields[STATE] === 'Z' && fields[THREADS] === '1')
}

/** Waits until a process is gone or a zombie (`timeout`: seconds). Throws LabError when it stays. */
export const waitForEnd = async (id: ProcessId, timeout: number): Promise<void> => {
  const outcome = await waitFor(() => hasEnded(id), { timeout })
  if (outcome !== 'done') throw new LabError(`process ${id.pid} does not end`)
}

/** Seconds. The kernel gives the memory of a VM back first, which takes a loaded host its time. */
const END_TIMEOUT = 120

/** Kills a process and waits until it has let go of its files. */
export const end = async (pid: number): Promise<void> => {
  const id = identify(pid)
  kill(pid)
  if (id !== undefined) await waitForEnd(id, END_TIMEOUT)
}

/** Ends every process of the lab below a directory. Throws LabError when one stays. */
export const endProcessesBelow = async (directory: string): Promise<void> => {
  await Promise.all(processesBelow(directory).map(end))
}

export interface WaitOptions {
  /** Seconds. */
  timeout: number
  /** Waiting is pointless once this is false. */
  alive?: () => boolean
  /** A directory whose changes are worth another look at once. */
  watchDirectory?: string
  signal?: AbortSignal
}

/** Waits until `test` holds; says why it stopped waiting. */
export const waitFor = async (
  test: () => boolean,
  { timeout, alive = () => true, watchDirectory, signal }: WaitOptions,
): Promise<'done' | 'dead' | 'late' | 'aborted'> => {
  const deadline = Date.now() + timeout * 1000
  let wake = (): void => {}
  const interrupt = (): void => wake()
  const watcher: FSWatcher | undefined = watchDirectory === undefined ? undefined : watch(watchDirectory, interrupt)
  watcher?.on('error', () => {})
  signal?.addEventListener('abort', interrupt)
  try {
    for (;;) {
      const running = alive() // before the test: what a process did last is seen
      if (test()) return 'done'
      if (!running) return 'dead'
      if (signal?.aborted === true) return 'aborted'
      if (Date.now() > deadline) return 'late'
      const pause = new AbortController()
      wake = () => pause.abort()
      await sleep(watcher === undefined ? 30 : 250, undefined, { signal: pause.signal }).catch(() => {})
    }
  } finally {
    watcher?.close()
    signal?.removeEventListener('abort', interrupt)
  }
}

/** Path of a program, also when the caller's PATH lacks the administrator's directories. */
export const findCommand = (name: string): string | undefined =>
  [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']
    .map(directory => join(directory, name))
    .find(file => existsSync(file))
