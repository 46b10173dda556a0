// Plays kubelet and container runtime of one node: registers the driver, mounts for pods what is attached, grows, and takes down.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Api, KubeObject } from '../../hack/kube/api.ts'
import type { Driver } from '../loop/driver.ts'
import { again } from '../loop/harness.ts'
import { waitUntil } from '../patience.ts'
import { DRIVER_NAME } from './names.ts'

/** As kubelet and the sidecars translate it for a driver with SINGLE_NODE_MULTI_WRITER. */
const MODES: Record<string, string> = {
  ReadWriteOnce: 'SINGLE_NODE_MULTI_WRITER',
  ReadWriteOncePod: 'SINGLE_NODE_SINGLE_WRITER',
}

export const READY = [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'alive' }]

interface Mounted {
  readonly pod: KubeObject
  readonly volume: KubeObject
  readonly staging: string
  /** Where the workload finds its volume. */
  readonly target: string
}

export class Kubelet {
  readonly #find: () => Api
  readonly #driver: Driver
  readonly #root: string
  readonly node: string
  readonly #mounted = new Map<string, Mounted>()

  constructor(api: () => Api, driver: Driver, node: string) {
    this.#find = api
    this.#driver = driver
    this.#root = join(driver.folder, 'kubelet')
    this.node = node
  }

  get #api(): Api {
    return this.#find()
  }

  /** What kubelet makes of NodeGetInfo once a plugin has registered; `nodeId` for a node without a driver. */
  async register(nodeId?: string): Promise<void> {
    const info =
      nodeId === undefined
        ? await this.#driver.call<{ node_id: string; accessible_topology: { segments: Record<string, string> } }>(
            'Node',
            'NodeGetInfo',
          )
        : { node_id: nodeId, accessible_topology: { segments: { [`${DRIVER_NAME}/node`]: nodeId } } }
    const { segments } = info.accessible_topology
    await this.#api.create('Node', {
      metadata: {
        name: this.node,
        labels: segments,
        annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
      },
    })
    await this.#api.patchStatus('Node', this.node, { conditions: READY })
    const plugin = { name: DRIVER_NAME, nodeID: info.node_id, topologyKeys: Object.keys(segments) }
    await this.#api.create('CSINode', { metadata: { name: this.node }, spec: { drivers: [plugin] } })
  }

  /** The attachment of a claim's volume to this node, when there is one. */
  async attachmentOf(claimName: string): Promise<KubeObject | undefined> {
    const volumeName = (await this.#api.get('PersistentVolumeClaim', claimName)).spec.volumeName
    const all = await this.#api.list('VolumeAttachment')
    return all.find(({ spec }) => spec.nodeName === this.node && spec.source.persistentVolumeName === volumeName)
  }

  /** Attached, and not about to be detached: what the node's status says of it goes before the attachment does. */
  async attached(claimName: string): Promise<KubeObject> {
    let attachment: KubeObject
    await waitUntil(`${claimName} is attached to ${this.node}`, async () => {
      attachment = await this.attachmentOf(claimName)
      if (attachment?.status?.attached !== true || attachment.metadata.deletionTimestamp !== undefined) return false
      const volume = await this.#api.get('PersistentVolume', attachment.spec.source.persistentVolumeName)
      const { status } = await this.#api.get('Node', this.node)
      return status.volumesAttached?.some(({ name }: KubeObject) => name === nameInUse(volume)) === true
    })
    return attachment
  }

  async #volumeOf(claimName: string): Promise<KubeObject> {
    let name: string | undefined
    await waitUntil(`${claimName} is bound`, async () => {
      name = (await this.#api.get('PersistentVolumeClaim', claimName)).spec.volumeName
      return name !== undefined
    })
    return await this.#api.get('PersistentVolume', name ?? '')
  }

  /** Waits for the attachment, stages and publishes; answers where the workload finds the volume. */
  async run(podName: string): Promise<string> {
    const pod = await this.#api.get('Pod', podName)
    const claimName = pod.spec.volumes[0].persistentVolumeClaim.claimName
    const volume = await this.#volumeOf(claimName)
    // Before it looks, as kubelet does it: an attachment for the pod before this one may be there yet, and be about to go.
    await this.#report([...this.#mounted.values(), { volume }])
    const attachment = await this.attached(claimName)
    const mounted = { pod, volume, ...this.#pathsOf(pod, volume) }
    const request = {
      volume_id: volume.spec.csi.volumeHandle,
      staging_target_path: mounted.staging,
      volume_capability: capabilityOf(volume),
      publish_context: attachment.status.attachmentMetadata ?? {},
      volume_context: volume.spec.csi.volumeAttributes ?? {},
    }
    mkdirSync(mounted.staging, { recursive: true })
    mkdirSync(dirname(mounted.target), { recursive: true })
    await again(() => this.#driver.call('Node', 'NodeStageVolume', request))
    await again(() => this.#driver.call('Node', 'NodePublishVolume', { ...request, target_path: mounted.target }))
    this.#mounted.set(podName, mounted)
    return mounted.target
  }

  #pathsOf(pod: KubeObject, volume: KubeObject): { staging: string; target: string } {
    const name = volume.metadata.name as string
    const plugins = join(this.#root, 'plugins/kubernetes.io/csi')
    if (volume.spec.volumeMode === 'Block') {
      const devices = join(plugins, 'volumeDevices')
      return { staging: join(devices, 'staging', name), target: join(devices, 'publish', name, pod.metadata.uid) }
    }
    const hash = createHash('sha256').update(volume.spec.csi.volumeHandle).digest('hex')
    return {
      staging: join(plugins, DRIVER_NAME, hash, 'globalmount'),
      target: join(this.#root, 'pods', pod.metadata.uid, 'volumes/kubernetes.io~csi', name, 'mount'),
    }
  }

  /** Unpublishes and unstages; the pod itself is the caller's. */
  async halt(podName: string): Promise<void> {
    const mounted = this.#mounted.get(podName)
    if (!mounted) return
    const { volume, staging, target } = mounted
    const id = { volume_id: volume.spec.csi.volumeHandle }
    await again(() => this.#driver.call('Node', 'NodeUnpublishVolume', { ...id, target_path: target }))
    await again(() => this.#driver.call('Node', 'NodeUnstageVolume', { ...id, staging_target_path: staging }))
    for (const path of [target, staging]) if (existsSync(path)) rmdirSync(path)
    this.forget(podName)
    await this.#report([...this.#mounted.values()])
  }

  /** The node is dead: nobody takes anything down, and nobody reports. */
  forget(podName: string): void {
    this.#mounted.delete(podName)
  }

  async haltAll(): Promise<void> {
    for (const name of [...this.#mounted.keys()]) await this.halt(name)
  }

  /** The control plane detaches nothing that the node says is in use. */
  async #report(mounted: readonly { volume: KubeObject }[]): Promise<void> {
    const volumesInUse = mounted.map(({ volume }) => nameInUse(volume))
    await this.#api.patchStatus('Node', this.node, { volumesInUse })
  }

  /** Does the node's part of growth, once the controller has done its own. */
  async expand(podName: string): Promise<void> {
    const mounted = this.#mounted.get(podName)
    if (!mounted) throw new Error(`${podName} does not run`)
    const { volume, staging, target, pod } = mounted
    const claimName = pod.spec.volumes[0].persistentVolumeClaim.claimName
    await waitUntil(`${claimName} waits for the node`, async () => {
      const { status } = await this.#api.get('PersistentVolumeClaim', claimName)
      return status.allocatedResourceStatuses?.storage === 'NodeResizePending'
    })
    const grown = await this.#api.get('PersistentVolume', volume.metadata.name)
    const { storage } = grown.spec.capacity
    await again(() =>
      this.#driver.call('Node', 'NodeExpandVolume', {
        volume_id: grown.spec.csi.volumeHandle,
        volume_path: target,
        staging_target_path: staging,
        capacity_range: { required_bytes: String(bytesOf(storage)) },
        volume_capability: capabilityOf(grown),
      }),
    )
    await this.#api.patchStatus('PersistentVolumeClaim', claimName, {
      capacity: { storage },
      allocatedResourceStatuses: null,
      conditions: [],
    })
  }
}

/** By which a node's status knows a volume. */
const nameInUse = (volume: KubeObject) => `kubernetes.io/csi/${DRIVER_NAME}^${volume.spec.csi.volumeHandle}`

const UNITS: Record<string, number> = { '': 1, Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3, Ti: 1024 ** 4 }

export const bytesOf = (quantity: string): number => {
  const [, number = '', unit = ''] = /^(\d+)(Ki|Mi|Gi|Ti)?$/.exec(quantity) ?? []
  return Number(number) * (UNITS[unit] ?? Number.NaN)
}

const capabilityOf = ({ spec }: KubeObject): object => ({
  access_mode: { mode: MODES[spec.accessModes[0]] },
  ...(spec.volumeMode === 'Block'
    ? { block: {} }
    : { mount: { fs_type: spec.csi.fsType ?? '', mount_flags: spec.mountOptions ?? [] } }),
})
