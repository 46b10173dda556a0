// A cluster in the lab: a storage host with the controller, and two nodes; called from here as Kubernetes would.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Lab } from '../../hack/lab/lab.ts'
import type { Machine } from '../../hack/lab/machine.ts'
import { answerOf, type CsiClient, connect, type Service, type StreamingMethod } from '../../src/rpc/client.ts'
import { writeSshdFiles } from '../loop/sshd.ts'
import { PATIENCE_MS, waitUntil } from '../patience.ts'
import { installPrograms, programLine } from '../programs.ts'
import type { Question } from './agent.ts'
import {
  addressOf,
  type ClusterOptions,
  ENVIRONMENT,
  type HostName,
  NODES,
  type NodeName,
  PORT,
  runOn,
  topologyOf,
} from './machines.ts'
import { Mailbox } from './mailbox.ts'

export { type HostName, NODES, type NodeName } from './machines.ts'

const SHARE = '/lab/share'

/** What a caller repeats: something took too long, or a driver was killed under the call, or is busy with what that left. */
const PASSING = ['UNAVAILABLE', 'ABORTED', 'CANCELLED', 'DEADLINE_EXCEEDED']
const AGAIN_MS = 300

/** What a call was answered with, if not OK. */
export class CallFailed extends Error {
  readonly code: string
  readonly details: string

  constructor(method: string, code: string, details: string) {
    super(`${method}: ${code} ${details}`)
    this.code = code
    this.details = details
  }
}

export class Cluster {
  readonly lab: Lab
  options: ClusterOptions
  /** What CHAP secrets derive from. */
  readonly key = randomBytes(24).toString('hex')
  readonly #boxes = new Map<string, Mailbox>()
  readonly #clients = new Map<string, CsiClient>()
  #storage: ReturnType<typeof writeSshdFiles> | undefined

  constructor(lab: Lab, options: ClusterOptions) {
    this.lab = lab
    this.options = options
  }

  machine(name: HostName): Machine {
    return this.lab.vm(name)
  }

  /** Where the driver that is called under this name runs. */
  #seat(name: HostName): Machine {
    return this.lab.vm(name === 'storage' && this.options.remote ? 'control' : name)
  }

  get keyFile(): string {
    return join(this.lab.share, 'conf/chap.key')
  }

  /** Of its driver, for the other VMs: HOST:PORT. */
  address(name: HostName): string {
    return `${addressOf(name)}:${PORT}`
  }

  /** Runs a shell command on a host; the project's Node.js comes first on PATH. Throws unless it ends with 0. */
  async run(name: HostName, command: string, timeout = 120): Promise<string> {
    return await runOn(this.lab.vm(name), command, timeout)
  }

  /** Calls the driver on a host. Throws CallFailed. */
  async call<T = Record<string, unknown>>(
    name: HostName,
    service: Service,
    method: string,
    request: object = {},
    timeoutMs = 120_000,
  ): Promise<T> {
    const client = await this.#client(name)
    try {
      return await client.call(service, method, request, timeoutMs)
    } catch (error) {
      const answer = answerOf(error)
      // A driver that was killed comes back under the same address; grpc-js would wait for ever longer between attempts.
      if (answer?.name === 'UNAVAILABLE' || answer?.name === 'DEADLINE_EXCEEDED') this.#hangUp(name)
      throw new CallFailed(method, answer?.name ?? 'UNKNOWN', answer?.details ?? String(error))
    }
  }

  /** Calls again while it is answered with what passes, as sidecars and kubelet do. */
  async insist<T = Record<string, unknown>>(...call: Parameters<Cluster['call']>): Promise<T> {
    const deadline = Date.now() + PATIENCE_MS
    for (;;) {
      try {
        return await this.call<T>(...call)
      } catch (error) {
        if (!(error instanceof CallFailed) || !PASSING.includes(error.code) || Date.now() > deadline) throw error
        await sleep(AGAIN_MS)
      }
    }
  }

  /** All messages that a driver answers. */
  async stream<T>(name: HostName, method: StreamingMethod, request: object): Promise<T[]> {
    const messages: T[] = []
    for await (const message of (await this.#client(name)).stream<T>(method, request)) messages.push(message)
    return messages
  }

  async #client(name: HostName): Promise<CsiClient> {
    const { host, port } = await this.#seat(name).forwarded()
    const client = this.#clients.get(name) ?? connect(`tcp://${host}:${port}`)
    this.#clients.set(name, client)
    return client
  }

  /** Calls that are under way to the same host end by themselves. */
  #hangUp(name: HostName): void {
    this.#clients.get(name)?.close()
    this.#clients.delete(name)
  }

  close(): void {
    for (const name of this.hosts()) this.#hangUp(name)
  }

  /** Asks the agent of a node, which writes and reads as a workload would. */
  async agent<Answer = object>(name: NodeName, question: Question, timeoutMs = 60_000): Promise<Answer> {
    return await this.#box(name).ask<Answer>(question, timeoutMs)
  }

  #box(name: NodeName): Mailbox {
    const box = this.#boxes.get(name) ?? new Mailbox(join(this.lab.share, 'box', name))
    this.#boxes.set(name, box)
    return box
  }

  /** Starts the driver of a host and waits until it serves. */
  async startDriver(name: HostName): Promise<void> {
    const role = name === 'storage' ? 'controller' : 'node'
    const path = join(this.lab.share, `conf/${name}.json`)
    writeFileSync(path, JSON.stringify(this.#settingsOf(name), undefined, 2))
    const log = `${SHARE}/log/${name}.log`
    const seat = this.#seat(name)
    const launch = `setsid ${programLine(role)} --config ${SHARE}/conf/${name}.json >>${log} 2>&1 </dev/null & echo $! >/run/driver.pid`
    await runOn(seat, launch)
    await waitUntil(`the driver of ${name}`, async () => {
      try {
        await this.call(name, 'Identity', 'Probe', {}, 2000)
        return true
      } catch {
        // It ends when it cannot start, as when ssh took too long; kubelet would start it again.
        await runOn(seat, `kill -0 "$(cat /run/driver.pid)" 2>/dev/null || { ${launch}; }`)
        return false
      }
    })
  }

  /** What doctor of a host says, and its exit code. */
  async doctor(name: HostName): Promise<{ code: number; report: string }> {
    const command = `${programLine('cli')} doctor --config ${SHARE}/conf/${name}.json`
    const { code, stdout, stderr } = await this.#seat(name).exec(`${ENVIRONMENT}\n${command}`, { timeout: 120 })
    return { code, report: `${stdout}${stderr}` }
  }

  /** Fails unless doctor is content on every host, and nothing of any volume is left on them. */
  async requireClean(): Promise<void> {
    const reports = await Promise.all(this.hosts().map(async name => ({ name, ...(await this.doctor(name)) })))
    for (const { name, code, report } of reports) assert.equal(code, 0, `${name}: ${beginningOf(report)}`)
    const left = await this.run(
      'storage',
      'ls -d /sys/kernel/config/target/iscsi/iqn.2026-01.dev.ashlar:* /sys/kernel/config/target/core/fileio_*/vol-* 2>/dev/null; tgtadm --op show --mode target 2>/dev/null | grep "^Target" | grep -v :empty$ || true',
    )
    assert.equal(beginningOf(left), '', 'targets are left on the storage host')
    for (const name of this.options.nodes ?? NODES) {
      const command =
        'ls /sys/class/iscsi_session 2>/dev/null; find /etc/iscsi/nodes -type f 2>/dev/null; grep ashlar-test /proc/self/mountinfo || true'
      assert.equal(await this.run(name, command), '', `sessions, records or mounts are left on ${name}`)
    }
  }

  /** kill -9 of its one process: commands that it runs go on without it. */
  async killDriver(name: HostName): Promise<void> {
    await runOn(this.#seat(name), 'kill -9 "$(cat /run/driver.pid)" 2>/dev/null || true')
  }

  logOf(name: HostName): string {
    const path = join(this.lab.share, `log/${name}.log`)
    return existsSync(path) ? readFileSync(path, 'utf8') : ''
  }

  async nodeId(name: NodeName): Promise<string> {
    return (await this.insist<{ node_id: string }>(name, 'Node', 'NodeGetInfo')).node_id
  }

  /** What a host needs after each boot, before its driver starts. */
  async prepare(name: HostName): Promise<void> {
    if (name === 'storage') await this.#prepareStorage()
    else await this.#prepareNode(name)
  }

  async #prepareNode(name: NodeName): Promise<void> {
    const modules = ['iscsi_tcp', 'sd_mod', 'xfs', 'ext4'].map(each => `modprobe ${each}`).join('; ')
    await this.run(name, `${modules}; pgrep -x iscsid >/dev/null || iscsid`)
    const log = `${SHARE}/log/agent-${name}.log`
    await this.run(
      name,
      `UV_THREADPOOL_SIZE=64 setsid ${programLine('agent')} ${SHARE}/box/${name} >${log} 2>&1 </dev/null &`,
    )
  }

  async #prepareStorage(): Promise<void> {
    await this.run(
      'storage',
      `modprobe xfs
       blkid /dev/vdb >/dev/null || mkfs.xfs -q /dev/vdb
       mkdir -p /srv && mount /dev/vdb /srv && mkdir -p /srv/pool`,
    )
    // bash reads it for each command that comes by way of sshd, and that of this machine may do anything.
    const plain = '[ ! -e /root/.bashrc ] || mount --bind /dev/null /root/.bashrc'
    if (this.options.remote)
      await this.run('storage', `${plain}; mkdir -p /run/sshd; /usr/sbin/sshd -f ${SHARE}/ssh/config`)
    if (this.options.target === 'tgt') await this.startTgtd()
    else
      await this.run(
        'storage',
        'modprobe target_core_mod; modprobe target_core_file; mkdir -p /sys/kernel/config/target/iscsi',
      )
  }

  async startTgtd(): Promise<void> {
    await this.run(
      'storage',
      'tgtd --iscsi portal=127.0.0.1:3260; for n in $(seq 50); do tgtadm --op show --mode sys >/dev/null 2>&1 && exit 0; sleep 0.1; done; exit 1',
    )
  }

  async boot(name: HostName): Promise<void> {
    await this.machine(name).boot()
    await this.prepare(name)
  }

  async start(): Promise<void> {
    for (const folder of ['conf', 'log']) mkdirSync(join(this.lab.share, folder), { recursive: true })
    if (this.options.remote) {
      const folder = join(this.lab.share, 'ssh')
      mkdirSync(folder)
      this.#storage = writeSshdFiles(folder, `${SHARE}/ssh`, addressOf('storage'), 2222)
    }
    if (this.options.chap !== undefined) writeFileSync(this.keyFile, `${this.key}\n`, { mode: 0o600 })
    installPrograms(this.lab.share, [
      'src/bin/controller.ts',
      'src/bin/node.ts',
      'src/bin/cli.ts',
      'test/iscsi/agent.ts',
      'test/loop/chain-writer.ts',
    ])
    await Promise.all(
      this.hosts().map(async name => {
        await this.prepare(name)
        await this.startDriver(name)
      }),
    )
  }

  /** The same machines with other settings; no volume may be there. */
  async become(change: Pick<ClusterOptions, 'target' | 'chap'>): Promise<void> {
    this.options = { ...this.options, ...change }
    for (const name of this.hosts()) await this.killDriver(name)
    if (change.target === 'tgt') await this.startTgtd()
    await Promise.all(this.hosts().map(name => this.startDriver(name)))
  }

  hosts(): HostName[] {
    return ['storage', ...(this.options.nodes ?? NODES)]
  }

  /** Everything that the drivers logged. */
  logs(): string {
    return this.hosts()
      .map(name => this.logOf(name))
      .join('\n')
  }

  #settingsOf(name: HostName): object {
    const { target, chap = 'none', iscsi, portals = ['10.77.0.1:3260'], maxConcurrentCalls } = this.options
    const shared = { ...(chap !== 'none' && { chap, chapKeyFile: `${SHARE}/conf/chap.key` }), ...iscsi }
    return {
      endpoint: `tcp://0.0.0.0:${PORT}`,
      allowTcp: true,
      nodeId: name,
      stateDir: '/var/lib/ashlar/node',
      pools: { default: { type: 'file', path: '/srv/pool', overcommit: 100 } },
      defaultTransport: 'iscsi',
      maxVolumesPerNode: this.options.maxVolumesPerNode ?? 0,
      ...(maxConcurrentCalls !== undefined && { maxConcurrentCalls }),
      iscsi: name === 'storage' ? { target, portals, ...shared } : shared,
      ...(name === 'storage' && this.#storage && { storage: this.#storage }),
      log: { level: 'debug' },
    }
  }
}

/** A hundred volumes that are left say no more than a few. */
const beginningOf = (text: string): string => text.split('\n').slice(0, 12).join('\n')

/** Boots the cluster, hands it to `use`, and takes it down whatever happens. */
export async function withCluster<T>(options: ClusterOptions, use: (cluster: Cluster) => Promise<T>): Promise<T> {
  const lab = new Lab({ topology: topologyOf(options), attached: true })
  const cluster = new Cluster(lab, options)
  try {
    await lab.up()
    await cluster.start()
    return await use(cluster)
  } finally {
    cluster.close()
    keepLogs(lab)
    await lab.down()
  }
}

/** For whoever looks into a failure: ASHLAR_KEEP_LOGS names a folder for what the drivers logged. */
function keepLogs(lab: Lab): void {
  const [keep, logs] = [process.env['ASHLAR_KEEP_LOGS'], join(lab.share, 'log')]
  if (keep === undefined || !existsSync(logs)) return
  mkdirSync(keep, { recursive: true })
  for (const name of readdirSync(logs)) writeFileSync(join(keep, name), readFileSync(join(logs, name)))
}
