// What there is: pools, devices, mounts and journal, read and never changed. No path of a volume or pod is touched.
import type { ControllerSite } from '../controller/site.ts'
import { type Device, liveFilesystems } from '../linux/device.ts'
import { readSignatures } from '../linux/format.ts'
import { findMarkers } from '../linux/format-marker.ts'
import { listMounts, type Mount } from '../linux/mount.ts'
import type { Noted } from '../node/journal.ts'
import type { NodeSite } from '../node/site.ts'
import type { Inventory } from '../pools/pool.ts'
import type { Attachment, Connector, Exported } from '../transports/transport.ts'
import { DriverError } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { NodeId, VolumeId } from '../volume/types.ts'

/** The two halves of the driver, as the mains build them. */
export interface Sites {
  readonly controller: ControllerSite
  readonly node: NodeSite
  /** What could not even be opened. */
  readonly unseen?: readonly Unseen[]
}

/** Nothing is concluded from what could not be looked at. */
export interface Unseen {
  readonly what: string
  readonly why: string
}

export interface Survey {
  readonly at: Date
  readonly pools: readonly { readonly name: string; readonly inventory: Inventory }[]
  /** By transport: what is exported over a network, of those that could be looked at. */
  readonly exports: ReadonlyMap<string, ReadonlyMap<VolumeId, Exported>>
  /** undefined if any of it could not be looked at: half of it would mislead. */
  readonly node: NodeFacts | undefined
  readonly unseen: readonly Unseen[]
}

export interface NodeFacts {
  readonly nodeId: NodeId
  /** Every mount of this mount namespace, and every device of every transport, ours or not. */
  readonly mounts: readonly Mount[]
  readonly attachments: readonly Attachment[]
  /** Those that bear our stamp: they show something in one of the pools, or have the identity of one of its volumes. */
  readonly devices: readonly OwnDevice[]
  readonly journal: readonly Noted[]
}

export interface OwnDevice extends Attachment {
  /** undefined: of another host. */
  readonly pool: string | undefined
  /** Why it does not show what it says that it shows. */
  readonly doubts: readonly string[]
  /** The kernel keeps a filesystem on it alive, perhaps mounted in another namespace. */
  readonly isAlive: boolean
  /** Of a mounted filesystem. */
  readonly superblock?: Superblock
}

export type Superblock =
  | { readonly unreadable: string }
  /** `marked`: the mark of an unfinished format is still there. */
  | { readonly type: string; readonly uuid: string; readonly marked: boolean }

/** Each of these may run commands that wait for a device. */
const AT_ONCE = 8

export async function survey({ controller, node, unseen = [] }: Sites, op: Op): Promise<Survey> {
  const blind: Unseen[] = [...unseen]
  const attempt = async <T>(what: string, look: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await look()
    } catch (error) {
      blind.push({ what, why: reasonOf(error) })
      return undefined
    }
  }
  const pools: { name: string; inventory: Inventory }[] = []
  for (const [name, pool] of controller.pools) {
    const inventory = await attempt(`pool ${name}`, () => pool.inventory())
    if (inventory) pools.push({ name, inventory })
  }
  const exports = new Map<string, ReadonlyMap<VolumeId, Exported>>()
  for (const [name, exporter] of controller.exporters) {
    if (exporter.isLocal) continue
    const found = await attempt(`the exports of transport ${name}`, () => exporter.exports(op))
    if (found) exports.set(name, found)
  }
  const journal = await attempt('the journal', () => node.journal.inventory())
  const attached = await attempt('the devices', () => listAttached(node))
  const mounts = await attempt('the mounts', () => listMounts(node.host))
  const at = new Date()
  if (!journal || !attached || !mounts) return { at, pools, exports, node: undefined, unseen: blind }
  const devices: OwnDevice[] = []
  for (let n = 0; n < attached.length; n += AT_ONCE) {
    const group = attached.slice(n, n + AT_ONCE)
    const examined = group.map(async each => {
      const pool = poolOf(pools, each.attachment)
      const isOurs = pool !== undefined || (each.attachment.isRemote && each.attachment.id !== undefined)
      return isOurs ? [{ pool, ...(await examine(node, mounts, each, op)) }] : []
    })
    devices.push(...(await Promise.all(examined)).flat())
  }
  const attachments = attached.map(({ attachment }) => attachment)
  return { at, pools, exports, node: { nodeId: node.nodeId, mounts, attachments, devices, journal }, unseen: blind }
}

interface Attached {
  readonly connector: Connector
  readonly attachment: Attachment
}

async function listAttached({ connectors }: NodeSite): Promise<Attached[]> {
  const lists = [...connectors.values()].map(async connector =>
    (await connector.list()).map(attachment => ({ connector, attachment })),
  )
  return (await Promise.all(lists)).flat()
}

/** The stamp: without it a device is somebody else's, whatever it looks like. */
function poolOf(pools: Survey['pools'], { backing, id }: Attachment): string | undefined {
  const owner = pools.find(
    ({ inventory }) =>
      backing.startsWith(`${inventory.root}/`) || inventory.volumes.some(each => each.id === id && each.volume),
  )
  return owner?.name
}

async function examine(
  node: NodeSite,
  mounts: readonly Mount[],
  { connector, attachment }: Attached,
  op: Op,
): Promise<Omit<OwnDevice, 'pool'>> {
  const { device, id } = attachment
  const isMounted = mounts.some(mount => mount.number === device.number)
  const superblock = isMounted && id !== undefined ? await readSuperblock(node, id, device, op) : undefined
  return {
    ...attachment,
    doubts: await doubtsOf(connector, attachment, op),
    isAlive: (await liveFilesystems(node.host, device)).length > 0,
    ...(superblock && { superblock }),
  }
}

async function doubtsOf(connector: Connector, attachment: Attachment, op: Op): Promise<string[]> {
  try {
    return await connector.doubts(attachment, op)
  } catch (error) {
    return [reasonOf(error)]
  }
}

async function readSuperblock({ host }: NodeSite, id: VolumeId, device: Device, op: Op): Promise<Superblock> {
  try {
    const { TYPE, UUID } = (await readSignatures(host, device.path, op)).tags
    if (TYPE === undefined) return { unreadable: `no filesystem can be seen on ${device.path}, though one is mounted` }
    const marks = await findMarkers(host, { ...device, direct: true }, id, op)
    return { type: TYPE, uuid: UUID ?? '', marked: marks.length > 0 }
  } catch (error) {
    return { unreadable: reasonOf(error) }
  }
}

/** A bug is not a fact about the machine. */
function reasonOf(error: unknown): string {
  if (error instanceof DriverError || (error instanceof Error && 'code' in error)) return error.message
  throw error
}
