// A process of the rig: its log, its end by process id, and its restart when it ends by itself, as kubelet does it.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ProgramOptions {
  /** Of its own, for the log and for the identity of leaders: host names tell them apart. */
  readonly name: string
  readonly file: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Where its log is. */
  readonly folder: string
  /** It comes back when it ends by itself. Sidecars end when their driver does. */
  readonly restarts?: boolean
}

const RESTART_MS = 300
/** Servers that wait for each other at their end are not worth waiting for. */
const PATIENCE_MS = 5000

/** Gives the process a host name, and its end together with this one's, however that comes. */
const LAUNCH = ['--pdeathsig', 'KILL', 'unshare', '--uts', 'sh', '-c', 'hostname "$0" && exec "$@"']

export class Program {
  readonly options: ProgramOptions
  #child: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #wanted = false

  constructor(options: ProgramOptions) {
    this.options = options
  }

  get log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : ''
  }

  get #logFile(): string {
    return join(this.options.folder, `${this.options.name}.log`)
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  /** It runs, or is about to again. */
  get isWanted(): boolean {
    return this.#wanted
  }

  start(): void {
    if (this.#child) throw new Error(`${this.options.name} runs already`)
    this.#wanted = true
    const { name, file, args, env } = this.options
    const log = openSync(this.#logFile, 'a')
    const child = spawn('setpriv', [...LAUNCH, name, file, ...args], {
      cwd: this.options.folder,
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    this.#child = child
    this.#ended = new Promise(resolve => {
      const end = (): void => {
        this.#child = undefined
        if (this.#wanted && this.options.restarts === true) setTimeout(() => this.#comeBack(), RESTART_MS)
        resolve()
      }
      child.once('error', end).once('exit', end)
    })
  }

  #comeBack(): void {
    if (this.#wanted && !this.#child) this.start()
  }

  /** SIGKILL: it never comes back by itself. */
  async kill(): Promise<void> {
    this.#wanted = false
    this.#child?.kill('SIGKILL')
    await this.#ended
  }

  async stop(): Promise<void> {
    this.#wanted = false
    this.#child?.kill('SIGTERM')
    await Promise.race([this.#ended, sleep(PATIENCE_MS, undefined, { ref: false })])
    await this.kill()
  }

  async restart(): Promise<void> {
    await this.kill()
    this.start()
  }

  /** SIGSTOP and SIGCONT: alive, and silent. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** For whoever reads a failure. */
  tail(lines = 15): string {
    return `${basename(this.#logFile)}:\n${this.log.trimEnd().split('\n').slice(-lines).join('\n')}`
  }
}
