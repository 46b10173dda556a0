// Plays, for pods of which nobody else takes care, the scheduler and kubelet of the driver's node, one look after the other.
import { setTimeout as sleep } from 'node:timers/promises'
import type { KubeObject } from '../../hack/kube/api.ts'
import type { Cluster } from './cluster.ts'
import { NODE } from './names.ts'

const REST_MS = 200

export class Worker {
  readonly #cluster: Cluster
  /** Where each pod that runs has its volume. */
  readonly #running = new Map<string, string>()
  #isOn = false
  #loop: Promise<void> = Promise.resolve()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** What a pod has of its volume; throws when it does not run. */
  pathOf(pod: string): string {
    const path = this.#running.get(pod)
    if (path === undefined) throw new Error(`${pod} does not run`)
    return path
  }

  start(): void {
    this.#isOn = true
    this.#loop = this.#work()
    // Told by stop(), not as an error that nobody waits for.
    this.#loop.catch(() => {})
  }

  /** Throws what a look met. */
  async stop(): Promise<void> {
    this.#isOn = false
    await this.#loop
  }

  async #work(): Promise<void> {
    while (this.#isOn) {
      for (const pod of await this.#cluster.api.list('Pod')) await this.#tend(pod)
      await sleep(REST_MS)
    }
  }

  async #tend({ metadata, spec }: KubeObject): Promise<void> {
    const { name } = metadata
    const claim = spec.volumes.find((each: KubeObject) => each.persistentVolumeClaim)?.persistentVolumeClaim.claimName
    if (metadata.deletionTimestamp !== undefined) await this.#end(name)
    else if (spec.nodeName === undefined) await this.#schedule(name, claim)
    else if (!this.#running.has(name)) await this.#run(name)
    else await this.#grow(name, claim)
  }

  /** A scheduler chooses a node for the claim, and binds the pod once it has its volume. */
  async #schedule(name: string, claim: string): Promise<void> {
    const { api } = this.#cluster
    const { metadata, spec } = await api.get('PersistentVolumeClaim', claim)
    const chosen = 'volume.kubernetes.io/selected-node'
    if (spec.volumeName !== undefined) await api.bind(name, NODE)
    else if (metadata.annotations?.[chosen] === undefined)
      await api.patch('PersistentVolumeClaim', claim, { metadata: { annotations: { [chosen]: NODE } } })
  }

  async #run(name: string): Promise<void> {
    this.#running.set(name, await this.#cluster.node.run(name))
    const conditions = [{ type: 'Ready', status: 'True' }]
    await this.#cluster.api.patchStatus('Pod', name, { phase: 'Running', conditions })
  }

  async #grow(name: string, claim: string): Promise<void> {
    const { status } = await this.#cluster.api.get('PersistentVolumeClaim', claim)
    if (status.allocatedResourceStatuses?.storage === 'NodeResizePending') await this.#cluster.node.expand(name)
  }

  async #end(name: string): Promise<void> {
    this.#running.delete(name)
    await this.#cluster.end(name)
  }
}
