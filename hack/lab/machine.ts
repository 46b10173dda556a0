// One VM of a lab: its life, its faults, and the way to run commands in it.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ExecOptions, type ExecResult, execute } from './command.ts'
import { dropCaches, openDisks } from './disks.ts'
import { LabError } from './error.ts'
import type { Log } from './packages.ts'
import { freePort } from './ports.ts'
import { end, identify, ownProcess, readIfThere, waitFor, waitForEnd } from './processes.ts'
import { FORWARD_ADDRESS, FORWARD_NET, type MachinePlan, monitor, startQemu } from './qemu.ts'
import type { LabState } from './state.ts'
import type { VmSpec } from './topology.ts'

export interface MachineContext {
  /** The lab's run directory. */
  run: string
  state: LabState
  /** VMs die with this process. */
  attached: boolean
  log: Log
}

const hex2 = (value: number): string => value.toString(16).padStart(2, '0')

/** In the address of the NIC that is on no network of the topology. */
const FORWARD_POSITION = 0xff

/** Seconds. A loaded host takes ten times the usual 5 s. */
const BOOT_TIMEOUT = 180
const CONSOLE_LINES = 15
/** Seconds after which a VM powers off by itself. */
const [TWO_HOURS, DAY] = ['7200', '86400']

export class Machine {
  readonly name: string
  readonly spec: VmSpec
  /** Where the VM's disks, sockets and logs are. */
  readonly directory: string
  readonly #context: MachineContext

  constructor(context: MachineContext, name: string, spec: VmSpec) {
    this.#context = context
    this.name = name
    this.spec = spec
    this.directory = join(context.run, name)
  }

  get #mail(): string {
    return join(this.directory, 'mail')
  }

  get consoleLog(): string {
    return join(this.directory, 'console.log')
  }

  /** The VM's process, if it is ours and alive: a reused pid is never touched. */
  get pid(): number | undefined {
    const file = join(this.directory, 'pid')
    return ownProcess(file, file)
  }

  /** Where this machine reaches the port that the VM's `forward` names; the same at every boot. */
  async forwarded(): Promise<{ host: string; port: number }> {
    if (this.spec.forward === undefined) throw new LabError(`${this.name}: its spec names no port to forward`)
    const file = join(this.directory, 'forward')
    const known = readIfThere(file)
    const port = known === undefined ? await freePort() : Number(known)
    if (known === undefined) writeFileSync(file, String(port))
    return { host: '127.0.0.1', port }
  }

  /** Powers the VM on and waits until it takes commands (`timeout`: seconds). Does nothing more when it already does. */
  async boot({ timeout = BOOT_TIMEOUT } = {}): Promise<void> {
    const ready = join(this.#mail, 'ready')
    const began = Date.now()
    let running = (): boolean => this.pid !== undefined
    if (!running()) {
      mkdirSync(this.#mail, { recursive: true, mode: 0o700 })
      for (const stale of [ready, join(this.directory, 'pid')]) rmSync(stale, { force: true })
      this.#writeGuestFiles()
      dropCaches(this.directory, this.spec)
      const qemu = startQemu(await this.#plan(), this.#context.attached)
      let failure: Error | undefined
      qemu.once('error', error => {
        failure = error
      })
      running = () => failure === undefined && qemu.exitCode === null && qemu.signalCode === null
    }
    const outcome = await waitFor(() => existsSync(ready), { timeout, alive: running })
    if (outcome === 'done') {
      this.#context.log(`${this.name}: up after ${((Date.now() - began) / 1000).toFixed(1)} s`)
      return
    }
    const reason = outcome === 'dead' ? 'the VM ended' : `not within ${timeout} s`
    throw new LabError(`${this.name}: boot: ${reason}\n${this.#lastWords()}`)
  }

  #lastWords(): string {
    const text = `${readIfThere(join(this.directory, 'qemu.log')) ?? ''}${readIfThere(this.consoleLog) ?? ''}`
    return text.trimEnd().split('\n').slice(-CONSOLE_LINES).join('\n')
  }

  async #plan(): Promise<MachinePlan> {
    const { run, state } = this.#context
    const { forward } = this.spec
    return {
      label: `lab-${state.id}-${this.name}`,
      directory: this.directory,
      share: join(run, 'share'),
      images: state.images,
      spec: this.spec,
      disks: openDisks(this.directory, this.spec),
      nics: state.topology.nets.map((net, position) => ({
        net,
        group: state.groups[net] ?? '',
        mac: this.#mac(position),
      })),
      ...(forward !== undefined && {
        forward: { mac: this.#mac(FORWARD_POSITION), from: (await this.forwarded()).port, to: forward },
      }),
    }
  }

  #mac(position: number): string {
    return `52:54:00:77:${hex2(position)}:${hex2(this.spec.index)}`
  }

  #writeGuestFiles(): void {
    const { id, topology } = this.#context.state
    const seed = createHash('sha256').update(`${id}/${this.name}`).digest('hex')
    // A random (version 4) UUID as RFC 9562 lays it out, but the same at every boot.
    const parts = [seed.slice(0, 8), seed.slice(8, 12), `4${seed.slice(13, 16)}`, `8${seed.slice(17, 20)}`]
    const nets = topology.nets.map(
      (net, position) => `${net}=${this.#mac(position)}=10.77.${position}.${this.spec.index}/24`,
    )
    if (this.spec.forward !== undefined) nets.push(`${FORWARD_NET}=${this.#mac(FORWARD_POSITION)}=${FORWARD_ADDRESS}`)
    const settings = {
      LAB_NAME: this.name,
      LAB_NETS: nets.join(' '),
      LAB_IQN: this.spec.iqn ?? `iqn.2026-01.lab:${this.name}`,
      LAB_UUID: [...parts, seed.slice(20, 32)].join('-'),
      LAB_VISIBLE: (this.spec.visible ?? []).join(' '),
      LAB_VOLATILE: this.spec.volatile === true ? '1' : '0',
      // An attached VM dies with its owner: nobody can forget it.
      LAB_MAX_LIFE: process.env['LAB_MAX_LIFE'] ?? (this.#context.attached ? DAY : TWO_HOURS),
    }
    const lines = Object.entries(settings).map(([key, value]) => `${key}='${value}'\n`)
    writeFileSync(join(this.#mail, 'vm.env'), lines.join(''))
    const hosts = Object.entries(topology.vms).flatMap(([name, { index }]) =>
      topology.nets.map((net, position) => `10.77.${position}.${index} ${position === 0 ? name : `${name}-${net}`}\n`),
    )
    writeFileSync(join(this.#mail, 'hosts'), `127.0.0.1 localhost\n${hosts.join('')}`)
  }

  /** Takes the carrier off the named NICs, or off all of them. */
  async cut(...nets: string[]): Promise<void> {
    await this.#setLink(nets, false)
  }

  async heal(...nets: string[]): Promise<void> {
    await this.#setLink(nets, true)
  }

  async #setLink(nets: string[], up: boolean): Promise<void> {
    const known = this.#context.state.topology.nets
    for (const net of nets.length > 0 ? nets : known) {
      if (!known.includes(net)) throw new LabError(`no network named ${net}`)
      await this.qmp('set_link', { name: `nic-${net}`, up })
    }
  }

  async pause(): Promise<void> {
    await this.qmp('stop')
  }

  async resume(): Promise<void> {
    await this.qmp('cont')
  }

  /** Power cut: the VM ends between two instructions. Its disks stay. */
  async crash(): Promise<void> {
    dropCaches(this.directory, this.spec)
    if (this.pid !== undefined) await end(this.pid)
    this.#forget()
  }

  /** Orderly: sync, then power off. */
  async stop({ timeout = 30 } = {}): Promise<void> {
    const id = this.pid === undefined ? undefined : identify(this.pid)
    if (id === undefined) return
    const powerOff = '(sleep 0.2; echo o >/proc/sysrq-trigger) >/dev/null 2>&1 &'
    await this.exec(`sync; mount -o remount,ro / 2>/dev/null; ${powerOff}`, { timeout })
    await waitForEnd(id, timeout)
    dropCaches(this.directory, this.spec)
    this.#forget()
  }

  // Without a pid file the VM is off because someone said so; a dead pid in one tells of an accident.
  #forget(): void {
    rmSync(join(this.directory, 'pid'), { force: true })
  }

  /** `off`, or QEMU's run state (`running`, `paused`, ...). */
  async status(): Promise<string> {
    if (this.pid === undefined) return 'off'
    return ((await this.qmp('query-status')) as { status: string }).status
  }

  /** Any command of QEMU's monitor; `timeout` in seconds. */
  async qmp(command: string, args: object = {}, { timeout = 60 } = {}): Promise<unknown> {
    if (this.pid === undefined) throw new LabError(`${this.name} is not running`)
    return await monitor(join(this.directory, 'qmp.sock'), command, args, timeout)
  }

  /** Runs a bash script in the VM. Throws LabError when the VM is off or does not answer. */
  async exec(script: string, options: ExecOptions = {}): Promise<ExecResult> {
    const bell = join(this.directory, 'bell.sock')
    const host = { name: this.name, mail: this.#mail, bell, isRunning: () => this.pid !== undefined }
    return await execute(host, script, options)
  }
}
