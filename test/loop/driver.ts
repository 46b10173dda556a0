// The driver's processes under test: their configuration, sockets and logs, and every way to end them.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CsiClient, connect, type StreamingMethod } from '../../src/rpc/client.ts'
import { PATIENCE_MS } from '../patience.ts'
import type { PoolFilesystem } from './pool-filesystem.ts'

const ROOT = join(import.meta.dirname, '..', '..')
/** Guests without hardware virtualisation need ten times as long as a host, and more on a busy one. */
const READY_MS = PATIENCE_MS
const RPC_MS = 300_000
/** Where a spare process waits for a byte: `spare.ts`. */
const GO_FD = 3
export const NODE_ID = 'node-a'

export type Role = 'all-in-one' | 'controller' | 'node'
export type Service = 'Identity' | 'Controller' | 'GroupController' | 'Node'

export interface DriverOptions {
  /** Two processes, controller and node, instead of one. */
  split?: boolean
  /** Over the configuration that `configOf` makes. */
  config?: object
  /** The filesystem that holds the pool; the work folder's when not given. */
  poolOn?: PoolFilesystem
  /** Keeps one more process of each role, loaded and waiting: who kills hundreds waits less for the next. */
  spares?: boolean
  /** The work folder, which the caller has made and removes; one of the driver's own when not given. */
  folder?: string
  /** The processes die with this one, however it dies. */
  attached?: boolean
}

interface Process {
  role: Role
  child: ChildProcess
  client: CsiClient
  /** "exit 0", "exit SIGKILL": how it ended, once it has. */
  ended: Promise<string>
  /** A gRPC channel that failed once pauses for a second: no calls before this is true. */
  serves: boolean
}

/** A folder for pools, state, sockets and paths of workloads. Short: a socket path has at most 107 bytes. */
const makeWorkFolder = (): string => mkdtempSync(join(process.env['ASHLAR_TEST_DIR'] ?? tmpdir(), 'al-'))

export class Driver {
  readonly roles: readonly Role[]
  readonly #config: object
  readonly #keepsSpares: boolean
  readonly #launch: readonly string[]
  #folder: string | undefined
  #processes: Process[] = []
  #spares: Process[] = []

  constructor({ split = false, config = {}, spares = false, folder, attached = false }: DriverOptions = {}) {
    this.roles = split ? ['controller', 'node'] : ['all-in-one']
    this.#config = config
    this.#keepsSpares = spares
    this.#folder = folder
    this.#launch = attached ? ['setpriv', '--pdeathsig', 'KILL', process.execPath] : [process.execPath]
  }

  /** The work folder; made when it is first asked for, because a file whose tests are all filtered out cleans nothing up. */
  get folder(): string {
    this.#folder ??= makeWorkFolder()
    return this.#folder
  }

  get wasUsed(): boolean {
    return this.#folder !== undefined
  }

  get pool(): string {
    return join(this.folder, 'pool')
  }

  get state(): string {
    return join(this.folder, 'state')
  }

  /** The log of all processes, as text. */
  get log(): string {
    return this.roles
      .map(role => (existsSync(this.#file(role, 'log')) ? readFileSync(this.#file(role, 'log'), 'utf8') : ''))
      .join('')
  }

  configFile(role: Role): string {
    return this.#file(role, 'json')
  }

  socket(role: Role): string {
    return this.#file(role, 'sock')
  }

  pid(role: Role = this.roles[0] ?? 'all-in-one'): number {
    return this.#processes.find(each => each.role === role)?.child.pid ?? 0
  }

  /** Commands that the driver ran since a mark (an earlier length of the log), as text, in order of their end. */
  commands(since = 0): string[] {
    return this.log
      .slice(since)
      .split('\n')
      .filter(line => line.startsWith('{'))
      .flatMap(line => {
        const { command, msg } = JSON.parse(line) as { command?: string; msg?: string }
        return command !== undefined && msg === 'command' ? [command] : []
      })
  }

  /** Starts the processes that do not run and waits until they serve. */
  async start(): Promise<void> {
    for (const role of this.roles) {
      if (this.#processes.some(each => each.role === role)) continue
      const started = this.#keepsSpares ? this.#takeSpare(role) : this.#spawn(role)
      this.#processes.push(started)
      try {
        await this.#waitReady(started)
      } finally {
        if (this.#keepsSpares) this.#spares.push(this.#spawn(role))
      }
    }
  }

  async call<T = Record<string, unknown>>(service: Service, method: string, request: object = {}, ms = RPC_MS) {
    return await this.#client(service).call<T>(service, method, request, ms)
  }

  stream<T>(method: StreamingMethod, request: object): AsyncGenerator<T> {
    return this.#client('Controller').stream<T>(method, request, RPC_MS)
  }

  #client(service: Service): CsiClient {
    const role = service === 'Node' ? this.roles.at(-1) : this.roles[0]
    const process = this.#processes.find(each => each.role === role && each.serves)
    if (!process) throw new Error(`the driver (${String(role)}) does not run`)
    return process.client
  }

  /** Ends the processes with a signal and says how each ended. SIGTERM lets running calls end first. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<string[]> {
    const processes = this.#processes
    this.#processes = []
    for (const { child, client } of processes) {
      child.kill(signal)
      client.close()
    }
    return await Promise.all(processes.map(async each => await each.ended))
  }

  /** SIGKILL, as a crash or the OOM killer does it. */
  async kill(): Promise<void> {
    await this.end('SIGKILL')
  }

  async restart(): Promise<void> {
    await this.end('SIGTERM')
    await this.start()
  }

  /** Ends the processes that were never needed. */
  async dismissSpares(): Promise<void> {
    const spares = this.#spares
    this.#spares = []
    for (const { child } of spares) child.kill('SIGKILL')
    await Promise.all(spares.map(async each => await each.ended))
  }

  #file(role: Role, kind: string): string {
    return join(this.folder, `${role}.${kind}`)
  }

  #configOf(role: Role): object {
    return {
      nodeId: NODE_ID,
      endpoint: `unix://${this.socket(role)}`,
      stateDir: this.state,
      // Images are sparse: tests promise far more than they write.
      pools: { default: { type: 'file', path: this.pool, overcommit: 100 } },
      log: { level: 'debug' },
      ...this.#config,
    }
  }

  /** The waiting process of the role, told to go on. */
  #takeSpare(role: Role): Process {
    const spare = this.#spares.find(each => each.role === role) ?? this.#spawn(role)
    this.#spares = this.#spares.filter(each => each !== spare)
    const go = spare.child.stdio[GO_FD] as Writable
    go.on('error', () => undefined) // it ended: whoever waits for it to serve says so
    go.write('.')
    return spare
  }

  #spawn(role: Role): Process {
    mkdirSync(this.state, { recursive: true })
    const config = this.configFile(role)
    writeFileSync(config, JSON.stringify(this.#configOf(role)))
    const log = openSync(this.#file(role, 'log'), 'a')
    const preload = this.#keepsSpares ? ['--import', join(import.meta.dirname, 'spare.ts')] : []
    const [file = '', ...launch] = this.#launch
    const main = join(ROOT, 'src', 'bin', `${role}.ts`)
    const child = spawn(file, [...launch, ...preload, main, '--config', config], {
      cwd: this.folder,
      // CSI_ENDPOINT or NODE_ID from outside must not decide.
      env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] },
      stdio: ['ignore', log, log, ...(this.#keepsSpares ? (['pipe'] as const) : [])],
    })
    closeSync(log)
    const ended = new Promise<string>(resolve => {
      child.once('error', error => resolve(String(error)))
      child.once('exit', (code, signal) => resolve(`exit ${signal ?? String(code)}`))
    })
    return { role, child, ended, client: connect(this.socket(role)), serves: false }
  }

  async #waitReady(process: Process): Promise<void> {
    const { role, child, ended, client } = process
    const limit = Date.now() + READY_MS
    while (child.exitCode === null && child.signalCode === null && Date.now() < limit) {
      if ((await accepts(this.socket(role))) && (await isReady(client))) {
        process.serves = true
        return
      }
      await sleep(this.#keepsSpares ? 5 : 50)
    }
    child.kill('SIGKILL')
    throw new Error(`the driver (${role}) does not serve: ${await ended}\n${this.log.slice(-4000)}`)
  }
}

const accepts = (path: string): Promise<boolean> =>
  new Promise(resolve => {
    const probe = createConnection(path)
    probe.once('connect', () => resolve(true)).once('error', () => resolve(false))
    probe.once('connect', () => probe.destroy())
  })

const isReady = async (client: CsiClient): Promise<boolean> => {
  try {
    const { ready } = await client.call<{ ready: { value: boolean } | null }>('Identity', 'Probe', {}, RPC_MS)
    return ready?.value !== false
  } catch {
    return false
  }
}
