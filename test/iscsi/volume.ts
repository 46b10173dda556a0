// One volume of a cluster on its way through the CSI life cycle, with the arguments that an orchestrator would pass.
import assert from 'node:assert/strict'
import { capabilityOf, type Fields, type Strings } from '../loop/volume.ts'
import type { Cluster, NodeName } from './cluster.ts'

export const MIB = 1024 * 1024

export interface NetVolumeOptions {
  readonly name: string
  readonly as?: 'ext4' | 'xfs' | 'block'
  readonly size?: number
  readonly mode?: string
}

/** Where kubelet would stage and publish it; the same on every node. */
const FOLDER = '/var/lib/kubelet/ashlar-test'

export class NetVolume {
  readonly cluster: Cluster
  readonly name: string
  readonly as: 'ext4' | 'xfs' | 'block'
  readonly capability: Fields
  readonly size: number
  readonly staging: string
  readonly target: string
  id = ''
  context: Strings = {}
  route: Strings = {}

  constructor(cluster: Cluster, { name, as = 'ext4', size, mode }: NetVolumeOptions) {
    this.cluster = cluster
    this.name = name
    this.as = as
    this.size = size ?? (as === 'xfs' ? 320 : 64) * MIB
    this.capability = capabilityOf(as, mode)
    this.staging = `${FOLDER}/${name}/staging`
    this.target = `${FOLDER}/${name}/pod/target`
  }

  /** The file on the storage host that holds the bytes. */
  get data(): string {
    return `/srv/pool/volumes/${this.id}/data`
  }

  /** `source`: a VolumeContentSource. */
  async create(source?: Fields): Promise<this> {
    const { volume } = await this.#controller<{ volume: { volume_id: string; volume_context: Strings } }>(
      'CreateVolume',
      {
        name: this.name,
        capacity_range: { required_bytes: String(this.size) },
        volume_capabilities: [this.capability],
        ...(source && { volume_content_source: source }),
      },
    )
    this.id = volume.volume_id
    this.context = volume.volume_context
    return this
  }

  async publish(node: NodeName, over: Fields = {}): Promise<this> {
    const { publish_context } = await this.#controller<{ publish_context: Strings }>('ControllerPublishVolume', {
      volume_id: this.id,
      node_id: await this.cluster.nodeId(node),
      volume_capability: this.capability,
      volume_context: this.context,
      ...over,
    })
    this.route = publish_context
    return this
  }

  /** `id`: as the attacher knows it from before, when the node cannot be asked any more. */
  async unpublish(node: NodeName, id?: string): Promise<void> {
    const node_id = id ?? (await this.cluster.nodeId(node))
    await this.#controller('ControllerUnpublishVolume', { volume_id: this.id, node_id })
  }

  async stage(node: NodeName, timeoutMs?: number): Promise<this> {
    await this.cluster.run(node, `mkdir -p ${this.staging} ${this.target.replace(/\/target$/, '')}`)
    await this.cluster.insist(node, 'Node', 'NodeStageVolume', this.stageRequest(), timeoutMs)
    return this
  }

  stageRequest(): Fields {
    return { volume_id: this.id, staging_target_path: this.staging, ...this.#rest() }
  }

  async publishAt(node: NodeName, target = this.target): Promise<this> {
    await this.cluster.insist(node, 'Node', 'NodePublishVolume', {
      volume_id: this.id,
      staging_target_path: this.staging,
      target_path: target,
      ...this.#rest(),
    })
    return this
  }

  /** create is apart, because it happens once. */
  async up(node: NodeName): Promise<this> {
    await this.publish(node)
    await this.stage(node)
    return await this.publishAt(node)
  }

  async downOnNode(node: NodeName): Promise<void> {
    await this.cluster.insist(node, 'Node', 'NodeUnpublishVolume', { volume_id: this.id, target_path: this.target })
    await this.cluster.insist(node, 'Node', 'NodeUnstageVolume', {
      volume_id: this.id,
      staging_target_path: this.staging,
    })
  }

  async down(node: NodeName): Promise<void> {
    await this.downOnNode(node)
    await this.unpublish(node)
  }

  async delete(): Promise<void> {
    await this.#controller('DeleteVolume', { volume_id: this.id })
  }

  /** Of a pool that makes it at one instant; answers its id. */
  async snapshot(name: string): Promise<string> {
    const { snapshot } = await this.#controller<{ snapshot: { snapshot_id: string; ready_to_use: boolean } }>(
      'CreateSnapshot',
      { source_volume_id: this.id, name },
    )
    assert.ok(snapshot.ready_to_use)
    return snapshot.snapshot_id
  }

  async expand(size: number): Promise<void> {
    await this.#controller('ControllerExpandVolume', {
      volume_id: this.id,
      capacity_range: { required_bytes: String(size) },
    })
  }

  async modify(mutable_parameters: Strings): Promise<void> {
    await this.#controller('ControllerModifyVolume', { volume_id: this.id, mutable_parameters })
  }

  async expandOnNode(node: NodeName): Promise<number> {
    const reply = await this.cluster.insist<{ capacity_bytes: string }>(node, 'Node', 'NodeExpandVolume', {
      volume_id: this.id,
      volume_path: this.target,
      staging_target_path: this.staging,
      volume_capability: this.capability,
    })
    return Number(reply.capacity_bytes)
  }

  async condition(node: NodeName): Promise<{ abnormal: boolean; message: string }> {
    const reply = await this.cluster.insist<{ volume_condition: { abnormal: boolean; message: string } }>(
      node,
      'Node',
      'NodeGetVolumeStats',
      { volume_id: this.id, volume_path: this.target },
      20_000,
    )
    return reply.volume_condition
  }

  #rest(): Fields {
    return { volume_capability: this.capability, publish_context: this.route, volume_context: this.context }
  }

  async #controller<T = Record<string, unknown>>(method: string, request: Fields): Promise<T> {
    return await this.cluster.insist<T>('storage', 'Controller', method, request)
  }
}
