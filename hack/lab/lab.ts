// A lab of small Debian VMs for tests that need a kernel this machine does not have; see README.md.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { needsNbdkit } from './disks.ts'
import { LabError } from './error.ts'
import { ensureGuestTree, ensureNbdkit, type GuestTree } from './guest-tree.ts'
import { buildInitramfs } from './initramfs.ts'
import { Machine } from './machine.ts'
import type { Log } from './packages.ts'
import { createRun, disown, judgeRun, type LabState, PREFIX, readState, removeAbandoned, removeRun } from './state.ts'
import { checkTopology, DEFAULT_TOPOLOGY, type Topology } from './topology.ts'

export interface LabOptions {
  /** Work directory. Without it the lab makes one in the temporary folder and removes it in the end. */
  directory?: string
  topology?: Topology
  /** The VMs die with this process. Otherwise they stay until `down`. */
  attached?: boolean
  log?: Log
}

// A unix socket's address holds 107 bytes (unix(7)); "/run/<vm>/disk1.img.sock" takes up to 40.
const LONGEST = 67

const checkDirectory = (directory: string): string => {
  if (/[\s,]/.test(directory)) throw new LabError(`no blanks or commas (QEMU's option syntax): ${directory}`)
  if (Buffer.byteLength(directory) > LONGEST) throw new LabError(`too long for unix sockets: ${directory}`)
  return directory
}

const temporaryParent = (): string => {
  const parent = realpathSync(tmpdir())
  return /[\s,]/.test(parent) || Buffer.byteLength(parent) > LONGEST - PREFIX.length - 7 ? '/tmp' : parent
}

export class Lab {
  readonly directory: string
  readonly #temporary: boolean
  readonly #wanted: Topology
  readonly #attached: boolean
  readonly #log: Log
  #state: LabState | undefined

  constructor({ directory, topology = DEFAULT_TOPOLOGY, attached = false, log = () => {} }: LabOptions = {}) {
    this.#temporary = directory === undefined
    this.#wanted = checkTopology(topology)
    this.#attached = attached
    this.#log = log
    if (directory === undefined) {
      this.directory = mkdtempSync(join(temporaryParent(), PREFIX))
    } else {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      this.directory = realpathSync(directory)
    }
    checkDirectory(this.directory)
  }

  get #run(): string {
    return join(this.directory, 'run')
  }

  /** The folder all VMs see as /lab/share. */
  get share(): string {
    return join(this.#run, 'share')
  }

  /** Installs what is missing on the host and makes the guests' files. */
  ensure(): GuestTree {
    if (Object.values(this.#wanted.vms).some(needsNbdkit)) ensureNbdkit(this.#log)
    return ensureGuestTree(this.#log)
  }

  get state(): LabState {
    this.#state ??= readState(this.#run)
    if (this.#state === undefined) throw new LabError('no lab is up')
    return this.#state
  }

  vm(name: string): Machine {
    const { vms } = this.state.topology
    const spec = Object.hasOwn(vms, name) ? vms[name] : undefined
    if (spec === undefined) throw new LabError(`no VM named ${name}; there are: ${Object.keys(vms).join(' ')}`)
    return new Machine({ run: this.#run, state: this.state, attached: this.#attached, log: this.#log }, name, spec)
  }

  vms(): Machine[] {
    return Object.keys(this.state.topology.vms).map(name => this.vm(name))
  }

  /**
   * Boots every VM that is not running, after taking down what a killed lab left. Takes down what it began if one fails.
   * Throws LabError when a living process has a lab here.
   */
  async up(): Promise<void> {
    if (this.#temporary) {
      const removed = await removeAbandoned(join(this.directory, '..'))
      for (const directory of removed) this.#log(`removed ${directory}, left by a process that is gone`)
    }
    const fresh = await this.#prepare()
    try {
      const outcomes = await Promise.allSettled(this.vms().map(async vm => await vm.boot()))
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason as Error
    } catch (error) {
      if (fresh) await this.down({ keepLogs: true })
      throw error
    }
    if (!this.#attached) this.#state = disown(this.#run, this.state)
  }

  /** Makes a run directory unless a lab is up; returns whether it did. */
  async #prepare(): Promise<boolean> {
    const judgement = judgeRun(this.#run)
    if (judgement === 'usable') return false
    if (judgement === 'busy') throw new LabError(`process ${this.state.owner?.pid} has a lab in ${this.directory}`)
    if (judgement === 'leftover') {
      this.#log('taking down what an earlier lab left')
      await removeRun(this.#run)
    }
    this.#removeRests()
    const tree = this.ensure()
    this.#state = createRun(this.#run, this.#wanted, directory => {
      writeFileSync(join(directory, 'initramfs'), buildInitramfs(tree))
      return { kernel: tree.kernel, root: tree.root, initramfs: join(this.#run, 'initramfs') }
    })
    return true
  }

  #removeRests(): void {
    for (const name of readdirSync(this.directory)) {
      const unfinished = /^run-new-(\d+)-/.exec(name)?.[1]
      const dead = unfinished !== undefined && !existsSync(`/proc/${unfinished}`)
      if (dead || /^(failed-.*\.log|run-gone-.*)$/.test(name)) {
        rmSync(join(this.directory, name), { recursive: true, force: true })
      }
    }
  }

  /** Ends every VM of this lab, whoever began it, and removes its disks and logs. */
  async down({ keepLogs = false } = {}): Promise<void> {
    if (keepLogs && !this.#temporary) {
      for (const vm of this.vms()) {
        if (existsSync(vm.consoleLog)) renameSync(vm.consoleLog, join(this.directory, `failed-${vm.name}.log`))
      }
    }
    await removeRun(this.#run)
    this.#state = undefined
    if (!this.#temporary) return
    this.#removeRests()
    if (existsSync(this.directory)) rmdirSync(this.directory)
  }
}
