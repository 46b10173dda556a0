// Runs a script in a VM: files carry the data, a serial line rings the bell.
import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Lines, type Sink, Tail } from './channel.ts'
import { EXIT_LAB, EXIT_TIMEOUT, LabError } from './error.ts'
import { readIfThere, waitFor } from './processes.ts'

export interface ExecOptions {
  stdin?: string | Buffer
  /** Seconds from when the VM has taken it, 300 when not given; afterwards the command and its descendants are killed. */
  timeout?: number
  /** Takes the output as it comes; otherwise it is collected. */
  onStdout?: Sink
  onStderr?: Sink
  /** Kills the command; the call then rejects with the signal's reason. */
  signal?: AbortSignal
}

export interface ExecResult {
  /** The command's own, 124 after the timeout, 125 when the VM died under it. */
  code: number
  stdout: string
  stderr: string
}

/** The parts of a VM that running a command needs. */
export interface CommandHost {
  name: string
  mail: string
  bell: string
  isRunning: () => boolean
}

/** Seconds in which a VM takes a line, however busy the host is. */
const RING_TIMEOUT = 60

const ring = async (host: CommandHost, line: string): Promise<void> => {
  try {
    const link = await Lines.connect(host.bell, RING_TIMEOUT)
    try {
      link.write(`\n${line}`) // ends what an interrupted caller left half-written
      while ((await link.next()) !== `ok ${line}`);
    } finally {
      link.close()
    }
  } catch (error) {
    throw new LabError(`${host.name} does not answer: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const follow = async (host: CommandHost, id: string, directory: string, options: ExecOptions): Promise<ExecResult> => {
  const { timeout = 300, signal } = options
  const stdout = new Tail(join(directory, 'stdout'), options.onStdout)
  const stderr = new Tail(join(directory, 'stderr'), options.onStderr)
  const pump = (): void => {
    stdout.pump()
    stderr.pump()
  }
  let code = EXIT_LAB
  const ended = (): boolean => {
    const line = readIfThere(join(directory, 'rc')) // before pump: then all output is there
    pump()
    if (line?.endsWith('\n') !== true) return false
    code = Number(line)
    return true
  }
  try {
    await ring(host, `run ${id}`)
    const wait = { timeout, alive: host.isRunning, watchDirectory: directory, ...(signal && { signal }) }
    const outcome = await waitFor(ended, wait)
    if (outcome === 'late' || outcome === 'aborted') await ring(host, `kill ${id}`).catch(() => {})
    if (outcome === 'late') code = EXIT_TIMEOUT
    pump()
    if (outcome === 'aborted') signal?.throwIfAborted()
    return { code, stdout: stdout.text, stderr: stderr.text }
  } finally {
    stdout.close()
    stderr.close()
  }
}

/** Runs a bash script; commands run in parallel. Throws LabError when the VM is off or does not take the command. */
export const execute = async (host: CommandHost, script: string, options: ExecOptions): Promise<ExecResult> => {
  if (!host.isRunning()) throw new LabError(`${host.name} is not running`)
  const id = `${Date.now().toString(36)}-${randomBytes(5).toString('hex')}`
  const directory = join(host.mail, id)
  mkdirSync(directory, { mode: 0o700 })
  try {
    writeFileSync(join(directory, 'cmd'), script)
    writeFileSync(join(directory, 'stdin'), options.stdin ?? '')
    for (const name of ['stdout', 'stderr']) writeFileSync(join(directory, name), '')
    return await follow(host, id, directory, options)
  } finally {
    // Also disarms a command that a paused VM has not read yet.
    rmSync(directory, { recursive: true, force: true })
  }
}

/** One word for a shell. */
export const shellQuote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
