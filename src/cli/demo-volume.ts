// One volume's life over gRPC, from CreateVolume to DeleteVolume, with data on it that must survive.
import { basename, join, relative } from 'node:path'
import type { Host } from '../host/host.ts'
import { findDevice } from '../linux/device.ts'
import { findMount } from '../linux/mount.ts'
import { answerOf, type CsiClient, type Service } from '../rpc/client.ts'
import type { Bytes } from '../volume/types.ts'
import { startWriter, verify, type Writer, type Written, writeRandom } from './demo-data.ts'
import { NODE_ID } from './demo-driver.ts'
import type { Outcome, Steps } from './demo-steps.ts'
import { formatGib } from './terminal.ts'

export const KINDS = ['xfs', 'ext4', 'block'] as const
export type Kind = (typeof KINDS)[number]

export interface DemoSite {
  readonly host: Host
  readonly client: CsiClient
  readonly work: string
  readonly signal: AbortSignal
  /** Does the kernel let this process grow a mounted ext4? */
  readonly growsExt4: boolean
}

const MIB = 2 ** 20
const GIB: Bytes = 2n ** 30n
const SIZE = GIB
const GROWN = 3n * GIB
const DATA = { offset: 16 * MIB, length: 64 * MIB }
/** On a raw device: behind the data. */
const WRITER_OFFSET = 256 * MIB
const RECORDS = 10
/** Journal, inode tables and reserved blocks are not counted in a filesystem's size. */
const FILESYSTEM_SHARE = 90n

interface Usage {
  readonly unit: string
  readonly total: string
  readonly used: string
  readonly available: string
}

/** Every RPC of a volume's life, in requests that the orchestrator would send. */
export class DemoVolume {
  readonly kind: Kind
  readonly #site: DemoSite
  readonly #staging: string
  readonly #target: string
  readonly #capability: object
  #id = ''
  #context: object = {}
  #route: Readonly<Record<string, string>> = {}
  /** What the filesystem or device must hold from now on. */
  #size: Bytes = SIZE
  readonly #written: Written[] = []

  constructor(site: DemoSite, kind: Kind) {
    this.kind = kind
    this.#site = site
    this.#staging = join(site.work, 'staging', kind)
    this.#target = join(site.work, 'pods', kind)
    this.#capability = {
      access_mode: { mode: 'SINGLE_NODE_WRITER' },
      ...(kind === 'block' ? { block: {} } : { mount: { fs_type: kind } }),
    }
  }

  /** The whole life. Throws at the first step that fails, and leaves the volume as it is then. */
  async live(steps: Steps): Promise<void> {
    await steps.run('CreateVolume', () => this.#create())
    await this.#attach(steps, '')
    await steps.run('write + fsync', () => this.#write())
    await steps.run('NodeGetVolumeStats', () => this.#stats())
    await this.#grow(steps)
    await steps.run('NodeGetVolumeStats, grown', () => this.#stats())
    await steps.run('read + SHA-256', () => this.#verify())
    await this.#detach(steps, '')
    await this.#attach(steps, ', again')
    await steps.run('read + SHA-256, again', () => this.#verify())
    await this.#detach(steps, ', again')
    await steps.run('DeleteVolume', () => this.#delete())
  }

  /** From CreateVolume to DeleteVolume. */
  get exists(): boolean {
    return this.#id !== ''
  }

  /** Undoes whatever was done; each of these calls is OK when there is nothing to undo (CSI idempotency). */
  async tearDown(steps: Steps): Promise<void> {
    await this.#detach(steps, '')
    await steps.run('DeleteVolume', () => this.#delete())
  }

  async #attach(steps: Steps, again: string): Promise<void> {
    await steps.run(`ControllerPublishVolume${again}`, () => this.#controllerPublish())
    await steps.run(`NodeStageVolume${again}`, () => this.#stage(again === '' ? 'new ' : ''))
    await steps.run(`NodePublishVolume${again}`, () => this.#publish())
  }

  async #detach(steps: Steps, again: string): Promise<void> {
    await steps.run(`NodeUnpublishVolume${again}`, async () => {
      await this.#call('Node', 'NodeUnpublishVolume', { target_path: this.#target })
      return `${this.#short(this.#target)} is gone`
    })
    await steps.run(`NodeUnstageVolume${again}`, async () => {
      await this.#call('Node', 'NodeUnstageVolume', { staging_target_path: this.#staging })
      return this.kind === 'block' ? 'device released' : 'written back, unmounted, device released'
    })
    await steps.run(`ControllerUnpublishVolume${again}`, async () => {
      await this.#call('Controller', 'ControllerUnpublishVolume', { node_id: NODE_ID })
      return `node ${NODE_ID} may not use it any more`
    })
  }

  async #create(): Promise<Outcome> {
    const { volume } = await this.#site.client.call<{ volume: { volume_id: string; volume_context: object } }>(
      'Controller',
      'CreateVolume',
      {
        // The id derives from the name, and demos that run at the same time must not share one.
        name: `demo-${this.kind}-${basename(this.#site.work)}`,
        capacity_range: { required_bytes: String(SIZE) },
        volume_capabilities: [this.#capability],
      },
    )
    this.#id = volume.volume_id
    this.#context = volume.volume_context
    return `${formatGib(SIZE)}, id ${this.#id}`
  }

  async #controllerPublish(): Promise<Outcome> {
    const reply = await this.#call<{ publish_context: Record<string, string> }>(
      'Controller',
      'ControllerPublishVolume',
      { node_id: NODE_ID, volume_capability: this.#capability, volume_context: this.#context },
    )
    this.#route = reply.publish_context
    return `${this.#device} for node ${NODE_ID}, ${formatGib(await this.#deviceSize())}`
  }

  async #stage(adjective: string): Promise<Outcome> {
    await this.#site.host.files.makeDirectory(this.#staging) // the orchestrator's part
    await this.#call('Node', 'NodeStageVolume', {
      staging_target_path: this.#staging,
      volume_capability: this.#capability,
      publish_context: this.#route,
      volume_context: this.#context,
    })
    if (this.kind === 'block') return `${this.#device} checked, nothing mounted`
    const mount = await findMount(this.#site.host, this.#staging)
    if (mount?.fsType !== this.kind || mount.source !== this.#device)
      throw new Error(`${this.#staging} shows ${mount ? `${mount.fsType} of ${mount.source}` : 'no mount'}`)
    return `${adjective}${mount.fsType} of ${mount.source} on ${this.#short(this.#staging)}`
  }

  async #publish(): Promise<Outcome> {
    await this.#site.host.files.makeDirectory(join(this.#target, '..'))
    await this.#call('Node', 'NodePublishVolume', {
      staging_target_path: this.#staging,
      target_path: this.#target,
      volume_capability: this.#capability,
      publish_context: this.#route,
      volume_context: this.#context,
    })
    const mount = await findMount(this.#site.host, this.#target)
    if (!mount) throw new Error(`nothing is mounted on ${this.#target}`)
    const what = mount.fsType === 'devtmpfs' ? `device node /dev${mount.root}` : mount.fsType
    return `${what} bound to ${this.#short(this.#target)}`
  }

  async #write(): Promise<Outcome> {
    const { offset, length } = DATA
    const place =
      this.kind === 'block'
        ? { path: this.#target, flags: 'r+' as const, offset }
        : { path: join(this.#target, 'data'), flags: 'wx' as const, offset: 0 }
    const written = await writeRandom(place.path, { ...place, length, signal: this.#site.signal })
    this.#written.push(written)
    const where = this.kind === 'block' ? `at byte ${offset} of the device` : `to ${this.#short(place.path)}`
    return `${length / MIB} MiB ${where}, SHA-256 ${written.sha256.slice(0, 16)}...`
  }

  /** Grows the volume while a writer goes on. */
  async #grow(steps: Steps): Promise<void> {
    const writer = await (this.kind === 'block'
      ? startWriter(this.#target, 'r+', WRITER_OFFSET)
      : startWriter(join(this.#target, 'appended'), 'wx', 0))
    try {
      await writer.more(RECORDS)
      await steps.run('ControllerExpandVolume', () => this.#controllerExpand())
      await steps.run('NodeExpandVolume', () => this.#nodeExpand())
      await steps.run('writer meanwhile', () => this.#endWriter(writer))
    } catch (error) {
      await writer.stop().catch(() => undefined) // the first error is the one to tell
      throw error
    }
  }

  async #endWriter(writer: Writer): Promise<Outcome> {
    await writer.more(RECORDS)
    const written = await writer.stop()
    this.#written.push(written)
    return `${written.length / 4096} records of 4 KiB, each on the disk before the next; no error seen`
  }

  async #controllerExpand(): Promise<Outcome> {
    const reply = await this.#call<{ capacity_bytes: string }>('Controller', 'ControllerExpandVolume', {
      capacity_range: { required_bytes: String(GROWN) },
      volume_capability: this.#capability,
    })
    return `${formatGib(SIZE)} -> ${formatGib(BigInt(reply.capacity_bytes))}`
  }

  async #nodeExpand(): Promise<Outcome> {
    try {
      await this.#call('Node', 'NodeExpandVolume', {
        volume_path: this.#target,
        staging_target_path: this.#staging,
        capacity_range: { required_bytes: String(GROWN) },
        volume_capability: this.#capability,
      })
    } catch (error) {
      const answer = answerOf(error)
      const isExpected =
        this.kind === 'ext4' &&
        !this.#site.growsExt4 &&
        answer?.name === 'FAILED_PRECONDITION' &&
        answer.details.includes('CAP_SYS_RESOURCE')
      if (!isExpected) throw error
      return { refused: `${answer.name}: ${answer.details}` }
    }
    this.#size = GROWN
    const grown = this.kind === 'block' ? '' : ` and its ${this.kind}, mounted`
    return `${this.#device}${grown}: ${formatGib(await this.#deviceSize())}`
  }

  async #stats(): Promise<Outcome> {
    const { usage } = await this.#call<{ usage: Usage[] }>('Node', 'NodeGetVolumeStats', { volume_path: this.#target })
    const bytes = usage.find(({ unit }) => unit === 'BYTES')
    const inodes = usage.find(({ unit }) => unit === 'INODES')
    const total = BigInt(bytes?.total ?? 0)
    const least = this.kind === 'block' ? this.#size : (this.#size * FILESYSTEM_SHARE) / 100n
    if (total < least || total > this.#size)
      throw new Error(`the volume shows ${total} bytes, expected are ${least} to ${this.#size}`)
    if (this.kind === 'block') return `size ${formatGib(total)}`
    const gib = (value: string | undefined) => formatGib(BigInt(value ?? 0))
    return `size ${gib(bytes?.total)}, used ${gib(bytes?.used)}, available ${gib(bytes?.available)}; inodes ${inodes?.total}, used ${inodes?.used}`
  }

  async #verify(): Promise<Outcome> {
    for (const written of this.#written) await verify(written, this.#site.signal)
    const bytes = this.#written.reduce((sum, { length }) => sum + length, 0)
    return `${(bytes / MIB).toFixed(1)} MiB, all checksums as written`
  }

  async #delete(): Promise<Outcome> {
    await this.#call('Controller', 'DeleteVolume', {})
    this.#id = ''
    return 'the file is gone from the pool'
  }

  async #call<T>(service: Service, method: string, request: object): Promise<T> {
    return await this.#site.client.call<T>(service, method, { volume_id: this.#id, ...request })
  }

  get #device(): string {
    return this.#route['device_path'] ?? 'no device'
  }

  async #deviceSize(): Promise<Bytes> {
    const device = await findDevice(this.#site.host, this.#device.replace('/dev/', ''))
    if (!device) throw new Error(`${this.#device} does not exist`)
    return device.size
  }

  #short(path: string): string {
    return relative(this.#site.work, path)
  }
}
