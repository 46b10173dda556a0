// The survey as the judges ask it: which records there are of a volume, and which devices and mounts.
import { basename } from 'node:path'
import type { Mount } from '../linux/mount.ts'
import type { Entry } from '../node/journal.ts'
import type { KeptVolume } from '../pools/pool.ts'
import type { Attachment } from '../transports/transport.ts'
import { digest, parseKeptId } from '../volume/ids.ts'
import type { VolumeId } from '../volume/types.ts'
import type { NodeFacts, OwnDevice, Survey } from './survey.ts'

export interface Records {
  readonly at: Date
  readonly node: NodeFacts
  readonly entries: readonly { readonly entry: Entry; readonly path: string; readonly modified: Date }[]
  readonly volumes: readonly KeptVolume[]
  /** The volume as its pool keeps it. */
  kept(id: VolumeId): KeptVolume | undefined
  /** Was the pool of this volume looked at? */
  sawPoolOf(id: VolumeId): boolean
  /** Whether the volume is noted in the journal, and be it in an entry that cannot be read. */
  noted(id: VolumeId): 'no' | 'unreadable' | Entry
  devicesOf(id: VolumeId): Attachment[]
  mountsAt(path: string): Mount[]
  /** Read-only devices on top of a device. */
  viewsOf(device: Attachment): Attachment[]
  /** What a mount shows, if it is a device of a transport: its filesystem or its node. */
  shownBy(mount: Mount): Attachment | undefined
}

export function arrange({ at, pools }: Survey, node: NodeFacts): Records {
  const kept = new Map(pools.flatMap(({ inventory }) => inventory.volumes.map(each => [each.id, each])))
  const names = new Set(pools.map(({ name }) => name))
  const entries = node.journal.flatMap(noted => ('entry' in noted ? [noted] : []))
  const byId = new Map(entries.map(({ entry }) => [entry.id, entry]))
  const unreadable = new Set(node.journal.flatMap(noted => ('unreadable' in noted ? [basename(noted.path)] : [])))
  return {
    at,
    node,
    entries,
    volumes: [...kept.values()],
    kept: id => kept.get(id),
    sawPoolOf: id => names.has(parseKeptId(id)?.pool ?? ''),
    noted: id => (unreadable.has(`${digest(id)}.json`) ? 'unreadable' : (byId.get(id) ?? 'no')),
    devicesOf: id => node.attachments.filter(each => each.id === id),
    mountsAt: path => node.mounts.filter(mount => mount.path === path),
    viewsOf: ({ device }) =>
      node.attachments.filter(each => each.backing === device.path && each.device.readonly && !each.isLastWay),
    shownBy: mount =>
      node.attachments.find(({ device }) =>
        isNode(mount) ? mount.root === `/${device.kname}` : mount.number === device.number,
      ),
  }
}

/** Of a bound device node the kernel shows devtmpfs as the filesystem. */
export function isNode({ fsType }: Mount): boolean {
  return fsType === 'devtmpfs'
}

export function pathsOf({ stagingPath, targets }: Entry): string[] {
  return [stagingPath, ...targets.map(target => target.path)]
}

/** The volume whose bytes a device shows, also when they are in a draft or in the trash: `<id>.<suffix>/data`. */
export function idBelow({ id, backing }: OwnDevice): VolumeId | undefined {
  const folder = backing.split('/').at(-2)?.split('.')[0] ?? ''
  return id ?? (parseKeptId(folder) ? folder : undefined)
}
