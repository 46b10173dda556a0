// A real node: kubelet and containerd in namespaces of their own on this machine, which see the host's mounts below kubelet's folder.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../lab/ports.ts'
import { pathOf } from './binaries.ts'
import { IMAGE, packBusybox } from './busybox.ts'
import { processesBelow } from './folder.ts'
import { makeGroups, removeGroups } from './groups.ts'
import { Program } from './program.ts'
import { Registrar } from './registrar.ts'

const CONTAINERD = 'unix:///run/containerd/containerd.sock'

export interface NodeOptions {
  readonly name: string
  /** Of the rig; short, because paths of sockets are. */
  readonly folder: string
  /** kubelet's --root-dir, which is there: shared with the node from here on. */
  readonly root: string
  readonly kubeconfig: string
  /** Whose certificates prove to kubelet who may call it: the API server. */
  readonly clientCa: string
}

export class RealNode {
  readonly #options: NodeOptions
  readonly #program: Program
  #registrar: Registrar | undefined

  constructor(options: NodeOptions) {
    this.#options = options
    const namespaces = ['--mount', '--propagation', 'slave', '--pid', '--fork', '--kill-child', '--mount-proc']
    const kubelet = [
      pathOf('kubelet'),
      `--config=${this.#file('kubelet.json')}`,
      `--kubeconfig=${options.kubeconfig}`,
      `--root-dir=${options.root}`,
      `--cert-dir=${this.#work}`,
      `--hostname-override=${options.name}`,
      // It takes no loopback address for its own, but leaves the address to whoever knows the cloud.
      '--cloud-provider=external',
      '--v=3',
    ]
    this.#program = new Program({
      name: options.name,
      file: 'unshare',
      args: [...namespaces, join(import.meta.dirname, 'node-init.sh'), this.#work, options.root, ...kubelet],
      folder: options.folder,
    })
  }

  get #work(): string {
    return join(this.#options.folder, 'node')
  }

  #file(name: string): string {
    return join(this.#work, name)
  }

  get programs(): Program[] {
    return [this.#program]
  }

  async start(): Promise<void> {
    const { root } = this.#options
    mkdirSync(this.#work)
    packBusybox(this.#work, this.#file('image.tar'))
    execFileSync('mount', ['--bind', root, root])
    execFileSync('mount', ['--make-shared', root])
    const group = makeGroups(this.#options.folder)
    this.#makeNetwork()
    writeFileSync(this.#file('containerd.toml'), containerdConfig(this.#work))
    const { clientCa } = this.#options
    const config = kubeletConfig({ work: this.#work, group, clientCa, port: await freePort() })
    writeFileSync(this.#file('kubelet.json'), JSON.stringify(config))
    this.#program.start()
  }

  /** None, but containerd asks for one, and for the loopback device of each pod. */
  #makeNetwork(): void {
    for (const name of ['cni/bin', 'cni/conf']) mkdirSync(this.#file(name), { recursive: true })
    for (const plugin of ['none', 'loopback'])
      copyFileSync(join(import.meta.dirname, 'cni-none.sh'), this.#file(`cni/bin/${plugin}`))
    writeFileSync(this.#file('cni/conf/10-none.conflist'), JSON.stringify(noNetwork))
  }

  /** Resolves when kubelet has taken the driver whose node plugin listens at the endpoint. */
  async register(name: string, endpoint: string): Promise<void> {
    const socket = join(this.#options.root, 'plugins_registry', `${name}-reg.sock`)
    this.#registrar = new Registrar({ name, endpoint, socket })
    await this.#registrar.start()
    await this.#registrar.registered
  }

  /** Changes with each kubelet: it comes back after its end. */
  get kubeletPid(): number {
    const kubelet = processesBelow(this.#options.folder).find(({ words }) => words[0]?.endsWith('/kubelet'))
    if (!kubelet) throw new Error('kubelet does not run')
    return kubelet.pid
  }

  /** All at once, as a power cut. */
  async stop(): Promise<void> {
    this.#registrar?.stop()
    await this.#program.kill()
    removeGroups(this.#options.folder)
    execFileSync('umount', [this.#options.root])
  }
}

/** Copies of a small image are cheap, and work on every filesystem. */
const NOT_NEEDED = ['aufs', 'btrfs', 'devmapper', 'overlayfs', 'zfs']

const noNetwork = { cniVersion: '1.0.0', name: 'none', plugins: [{ type: 'none' }] }

function containerdConfig(work: string): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"'
  return `version = 2
root = "${work}/containerd"
state = "/run/containerd-state"
disabled_plugins = [${NOT_NEEDED.map(each => `"io.containerd.snapshotter.v1.${each}"`).join(', ')}]

[${cri}]
sandbox_image = "${IMAGE}"
restrict_oom_score_adj = true

[${cri}.containerd]
snapshotter = "native"
default_runtime_name = "runc"

[${cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[${cri}.cni]
bin_dir = "${work}/cni/bin"
conf_dir = "${work}/cni/conf"
`
}

interface KubeletPlace {
  readonly work: string
  readonly group: string
  readonly clientCa: string
  readonly port: number
}

function kubeletConfig({ work, group, clientCa, port }: KubeletPlace): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: '127.0.0.1',
    port,
    healthzPort: 0,
    authentication: { anonymous: { enabled: false }, webhook: { enabled: false }, x509: { clientCAFile: clientCa } },
    authorization: { mode: 'AlwaysAllow' },
    containerRuntimeEndpoint: CONTAINERD,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${group}`,
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    enforceNodeAllocatable: ['none'],
    makeIPTablesUtilChains: false,
    evictionHard: { 'nodefs.available': '1%', 'imagefs.available': '1%', 'memory.available': '100Mi' },
    imageGCHighThresholdPercent: 100,
    resolvConf: '',
    podLogsDir: join(work, 'logs'),
    volumePluginDir: join(work, 'flexvolumes'),
    // How often it looks whether a volume of a pod is to grow.
    syncFrequency: '2s',
    nodeStatusUpdateFrequency: '2s',
  }
}
