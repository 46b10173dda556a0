// The whole rig: a control plane, the driver's sidecars in front of a driver that the caller brings, and its end.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Api } from './api.ts'
import { pathOf, snapshotCrds } from './binaries.ts'
import { Installation } from './chart.ts'
import { ControlPlane } from './control-plane.ts'
import { abandonedFolders, endProcessesBelow, type Folders, makeFolders, removeFolder } from './folder.ts'
import { removeGroups } from './groups.ts'
import { Program } from './program.ts'
import { Relay } from './relay.ts'
import { SIDECARS, type Sidecar, sidecarArgs, snapshotControllerArgs } from './sidecars.ts'

export interface RigOptions {
  /** The socket of the driver's controller. */
  readonly driver: (folder: string) => string
  /** Takes mounts and loop devices below a folder away. */
  readonly clear: (folder: string) => string[]
}

export const SYSTEM_NAMESPACE = 'ashlar-system'
const PATIENCE_MS = 120_000
const LOOK_MS = 50

export class Rig {
  readonly #options: RigOptions
  readonly #folders: Folders
  readonly plane: ControlPlane
  readonly relay: Relay
  #installation: Installation | undefined
  readonly #programs = new Map<string, Program>()

  constructor(options: RigOptions) {
    this.#options = options
    clearAbandoned(options.clear)
    this.#folders = makeFolders()
    this.plane = new ControlPlane(this.#folders)
    this.relay = new Relay(this.socket, options.driver(this.folder))
  }

  get folder(): string {
    return this.#folders.folder
  }

  get api(): Api {
    return this.plane.api
  }

  /** Where the sidecars find the driver. */
  get socket(): string {
    return join(this.folder, 'relay.sock')
  }

  /** As whom the sidecars speak to the API server. */
  get user(): string {
    return `system:serviceaccount:${SYSTEM_NAMESPACE}:${this.#installed().account}`
  }

  sidecar(name: string): Program {
    const program = this.#programs.get(name)
    if (!program) throw new Error(`there is no sidecar ${name}`)
    return program
  }

  /** Everything but the driver and its sidecars. */
  async start(): Promise<void> {
    await this.plane.start()
    await this.api.create('Namespace', { metadata: { name: SYSTEM_NAMESPACE } })
    for (const crd of snapshotCrds()) await this.api.createYaml(crd)
    this.#installation = await Installation.install(this.api, SYSTEM_NAMESPACE)
    await this.relay.start()
  }

  #installed(): Installation {
    if (!this.#installation) throw new Error('the rig has not been started')
    return this.#installation
  }

  /** Once the driver serves. */
  async startSidecars(): Promise<void> {
    this.#run(
      'snapshot-controller',
      pathOf('snapshot-controller'),
      snapshotControllerArgs(this.plane.kubeconfig('snapshots')),
    )
    for (const name of SIDECARS) await this.addSidecar(name, name)
  }

  /** One more of a kind, under a name of its own: leaders are told apart by it. */
  async addSidecar(kind: Sidecar, name: string): Promise<Program> {
    const installation = this.#installed()
    const token = await this.api.tokenOf(installation.account, SYSTEM_NAMESPACE)
    const place = { socket: this.socket, kubeconfig: this.plane.kubeconfig(name, token) }
    const env = { NAMESPACE: SYSTEM_NAMESPACE, POD_NAMESPACE: SYSTEM_NAMESPACE, POD_NAME: await this.#podName() }
    return this.#run(name, pathOf(kind), sidecarArgs(kind, place, installation.argsOf(kind)), env)
  }

  /** The pod that the Deployment of the controller has, though no node runs it: it owns the capacity objects. */
  async #podName(): Promise<string> {
    const deadline = Date.now() + PATIENCE_MS
    while (Date.now() < deadline) {
      const [pod] = await this.api.list('Pod', SYSTEM_NAMESPACE)
      if (pod !== undefined) return pod.metadata.name as string
      await sleep(LOOK_MS)
    }
    throw new Error('the Deployment of the controller gets no pod')
  }

  #run(name: string, file: string, args: readonly string[], env: Record<string, string> = {}): Program {
    const program = new Program({ name, file, args, env, folder: this.folder, restarts: true })
    this.#programs.set(name, program)
    program.start()
    return program
  }

  async dismiss(name: string): Promise<void> {
    await this.sidecar(name).kill()
    this.#programs.delete(name)
  }

  /** Ends everything but the driver, which its owner has ended; answers what was left of it. */
  async stop(): Promise<string[]> {
    await Promise.all([...this.#programs.values()].map(each => each.stop()))
    await this.relay.stop()
    await this.plane.stop()
    const found = this.#options.clear(this.folder)
    for (const each of Object.values(this.#folders) as string[]) removeFolder(each)
    return found
  }

  /** Starts those that somebody killed. */
  reviveSidecars(): void {
    for (const program of this.#programs.values()) if (!program.isWanted) program.start()
  }

  programs(): Program[] {
    return [...this.plane.programs, ...this.#programs.values()]
  }

  /** For whoever reads a failure. */
  tails(): string {
    return [...this.#programs.values()].map(each => each.tail()).join('\n')
  }
}

/** What a killed rig left: processes, mounts, loop devices and files. */
function clearAbandoned(clear: (folder: string) => string[]): void {
  for (const folder of abandonedFolders()) {
    endProcessesBelow(folder)
    clear(folder)
    removeGroups(folder)
    removeFolder(folder)
  }
}
