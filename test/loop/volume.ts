// One volume on its way through the CSI life cycle, with the arguments an orchestrator would pass.
import { existsSync, mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Driver, NODE_ID } from './driver.ts'

export const MIB = 1024 * 1024
export const GIB = 1024 * MIB

export type Fields = Record<string, unknown>
export type Strings = Record<string, string>

export interface VolumeOptions {
  name?: string
  /** An existing directory; one below the work folder when not given. */
  staging?: string
  /** ext4 when not given; 'block' for a raw block volume; '' lets the driver choose. */
  as?: 'ext4' | 'xfs' | 'block' | ''
  /** The name of the access mode. */
  mode?: string
  mountFlags?: string[]
  /** Bytes; by default what the filesystem needs at least, rounded up. */
  size?: number
  parameters?: Strings
}

/** A VolumeCapability message. */
export const capabilityOf = (as = 'ext4', mode = 'SINGLE_NODE_WRITER', mountFlags: string[] = []): Fields => ({
  access_mode: { mode },
  ...(as === 'block' ? { block: {} } : { mount: { fs_type: as, mount_flags: mountFlags } }),
})

/** xfs needs 300 MiB: mkfs.xfs(8). */
const sizeFor = (as: string): number => (as === 'xfs' ? 320 * MIB : 64 * MIB)

interface CreatedVolume {
  volume: { volume_id: string; capacity_bytes: string; volume_context: Strings }
}

export class TestVolume {
  readonly name: string
  readonly staging: string
  readonly capability: Fields
  readonly size: number
  readonly parameters: Strings
  /** Known after create(). */
  id = ''
  context: Strings = {}
  /** Known after publish(). */
  route: Strings = {}
  readonly #driver: Driver
  readonly #targets = new Set<string>()
  #exists = false

  constructor(driver: Driver, options: VolumeOptions & { name: string; staging: string }) {
    const { as = 'ext4' } = options
    this.#driver = driver
    this.name = options.name
    this.staging = options.staging
    this.capability = capabilityOf(as, options.mode, options.mountFlags)
    this.size = options.size ?? sizeFor(as)
    this.parameters = options.parameters ?? {}
  }

  /** The file that holds the bytes. */
  get data(): string {
    return join(this.#driver.pool, 'volumes', this.id, 'data')
  }

  /** /dev/loopN, as ControllerPublishVolume said. */
  get device(): string {
    return this.route['device_path'] ?? ''
  }

  async create(over: Fields = {}): Promise<this> {
    const { volume } = await this.#driver.call<CreatedVolume>('Controller', 'CreateVolume', {
      name: this.name,
      capacity_range: { required_bytes: String(this.size) },
      volume_capabilities: [this.capability],
      parameters: this.parameters,
      ...over,
    })
    this.id = volume.volume_id
    this.#exists = true
    this.context = volume.volume_context
    return this
  }

  async publish(over: Fields = {}): Promise<this> {
    const { publish_context } = await this.#driver.call<{ publish_context: Strings }>(
      'Controller',
      'ControllerPublishVolume',
      {
        volume_id: this.id,
        node_id: NODE_ID,
        volume_capability: this.capability,
        volume_context: this.context,
        ...over,
      },
    )
    this.route = publish_context
    return this
  }

  async stage(over: Fields = {}, ms?: number): Promise<this> {
    await this.#driver.call(
      'Node',
      'NodeStageVolume',
      {
        volume_id: this.id,
        staging_target_path: this.staging,
        volume_capability: this.capability,
        publish_context: this.route,
        volume_context: this.context,
        ...over,
      },
      ms,
    )
    return this
  }

  /** create, publish and stage. */
  async up(): Promise<this> {
    await this.create()
    await this.publish()
    return await this.stage()
  }

  /** NodePublishVolume; the target is below the work folder and unpublished after the test. */
  async publishAt(target: string, over: Fields = {}): Promise<string> {
    this.#targets.add(target)
    await this.#driver.call('Node', 'NodePublishVolume', {
      volume_id: this.id,
      staging_target_path: this.staging,
      target_path: target,
      volume_capability: this.capability,
      publish_context: this.route,
      volume_context: this.context,
      ...over,
    })
    return target
  }

  async unpublishAt(target: string): Promise<void> {
    await this.#driver.call('Node', 'NodeUnpublishVolume', { volume_id: this.id, target_path: target })
    this.#targets.delete(target)
  }

  async unstage(over: Fields = {}): Promise<void> {
    await this.#driver.call('Node', 'NodeUnstageVolume', {
      volume_id: this.id,
      staging_target_path: this.staging,
      ...over,
    })
  }

  async unpublish(over: Fields = {}): Promise<void> {
    await this.#driver.call('Controller', 'ControllerUnpublishVolume', {
      volume_id: this.id,
      node_id: NODE_ID,
      ...over,
    })
  }

  async delete(): Promise<void> {
    await this.#driver.call('Controller', 'DeleteVolume', { volume_id: this.id })
  }

  /** Sizes in bytes. */
  async expand(required: number, limit?: number): Promise<number> {
    const { capacity_bytes } = await this.#driver.call<{ capacity_bytes: string }>(
      'Controller',
      'ControllerExpandVolume',
      {
        volume_id: this.id,
        capacity_range: {
          required_bytes: String(required),
          ...(limit !== undefined && { limit_bytes: String(limit) }),
        },
      },
    )
    return Number(capacity_bytes)
  }

  async expandOnNode(path: string, over: Fields = {}): Promise<number> {
    const { capacity_bytes } = await this.#driver.call<{ capacity_bytes: string }>('Node', 'NodeExpandVolume', {
      volume_id: this.id,
      volume_path: path,
      ...over,
    })
    return Number(capacity_bytes)
  }

  /** NodeGetVolumeStats; answered within the time, or it throws. */
  async stats<T = Record<string, unknown>>(path: string, ms?: number): Promise<T> {
    return await this.#driver.call<T>('Node', 'NodeGetVolumeStats', { volume_id: this.id, volume_path: path }, ms)
  }

  /** Everything in reverse, as the orchestrator does it; steps that were never made are OK by the spec. */
  async teardown(): Promise<void> {
    if (this.#exists) {
      for (const target of [...this.#targets]) await this.unpublishAt(target)
      await this.unstage()
      await this.unpublish()
      await this.delete()
      this.#exists = false
    }
    if (existsSync(this.staging)) rmdirSync(this.staging)
  }

  /** The staging path as a reboot leaves it: a directory, empty. */
  prepareStaging(): void {
    mkdirSync(this.staging, { recursive: true })
  }
}
