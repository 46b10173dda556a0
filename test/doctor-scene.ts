// One healthy volume as doctor's survey shows it, and ways to change one fact about it.
import { judge } from '../src/doctor/judge.ts'
import type { OwnDevice, Survey } from '../src/doctor/survey.ts'
import type { Device } from '../src/linux/device.ts'
import type { Mount } from '../src/linux/mount.ts'
import type { Entry, Noted } from '../src/node/journal.ts'
import type { Inventory, KeptGroup, KeptSnapshot, KeptVolume, Remains } from '../src/pools/pool.ts'
import type { Attachment, Exported } from '../src/transports/transport.ts'
import type { Capability } from '../src/volume/capability.ts'
import { digest, encodeVolumeId, filesystemUuid } from '../src/volume/ids.ts'
import { GIB } from './fixtures.ts'

export const NOW = new Date('2026-01-01T12:00:00Z')
export const HOUR_AGO = new Date(NOW.getTime() - 3_600_000)
export const ID = encodeVolumeId('p', 'one')
export const OTHER = encodeVolumeId('p', 'other')
export const ROOT = '/pool'
export const DATA = `${ROOT}/volumes/${ID}/data`
export const NOTE = `/state/${digest(ID)}.json`
export const mountOnce: Capability = { access: 'mount', mode: 'SINGLE_NODE_WRITER', fsType: 'ext4', mountFlags: [] }
export const blockOnce: Capability = { access: 'block', mode: 'SINGLE_NODE_WRITER', mountFlags: [] }

export const deviceAt = (n: number, rest: Partial<Device> = {}): Device => ({
  path: `/dev/loop${n}`,
  kname: `loop${n}`,
  number: `7:${n}`,
  size: GIB,
  sectorSize: 512,
  readonly: false,
  sequence: String(n),
  ...rest,
})

export const DEVICE: OwnDevice = {
  device: deviceAt(1),
  backing: DATA,
  isLastWay: false,
  id: ID,
  pool: 'p',
  doubts: [],
  isAlive: true,
  superblock: { type: 'ext4', uuid: filesystemUuid(ID), marked: false },
}
export const VIEW: Attachment = {
  device: deviceAt(2, { readonly: true }),
  backing: '/dev/loop1',
  isLastWay: false,
  id: undefined,
}
export const STRANGER: Attachment = { device: deviceAt(9), backing: '/home/image', isLastWay: false, id: undefined }

export const mountAt = (path: string, rest: Partial<Mount> = {}): Mount => ({
  number: '7:1',
  root: '/',
  path,
  options: ['rw'],
  fsType: 'ext4',
  source: '/dev/loop1',
  superOptions: ['rw'],
  ...rest,
})
export const nodeAt = (path: string, n: number): Mount =>
  mountAt(path, { number: '0:6', root: `/loop${n}`, fsType: 'devtmpfs', source: 'udev' })

export const KEPT: KeptVolume = {
  id: ID,
  path: `${ROOT}/volumes/${ID}`,
  volume: {
    id: ID,
    name: 'one',
    capabilities: [mountOnce],
    parameters: {},
    transport: 'loop',
    sectorSize: 512,
    segments: {},
    pool: 'p',
    size: GIB,
  },
  createdSize: GIB,
  data: { path: DATA, size: GIB, allocated: 0n },
  claims: [{ node: 'n', readonly: false, capability: mountOnce, blank: false }],
  unreadable: [],
  changed: HOUR_AGO,
}
export const ENTRY: Entry = {
  id: ID,
  stagingPath: '/staging',
  capability: mountOnce,
  readonly: false,
  targets: [{ path: '/target', readonly: false }],
}
export const BLOCK: Entry = { ...ENTRY, capability: blockOnce }

export interface Scene {
  readonly kept?: readonly KeptVolume[]
  readonly snapshots?: readonly KeptSnapshot[]
  readonly remains?: readonly Remains[]
  readonly drafts?: Inventory['drafts']
  readonly devices?: readonly OwnDevice[]
  /** Beside those. */
  readonly others?: readonly Attachment[]
  readonly mounts?: readonly Mount[]
  /** Over iSCSI. */
  readonly exports?: ReadonlyMap<string, Exported>
  readonly groups?: readonly KeptGroup[]
  readonly entries?: readonly Entry[]
  readonly journal?: readonly Noted[]
}

export const MOUNTS = [mountAt('/staging'), mountAt('/target')]

export const surveyOf = (scene: Scene): Survey => {
  const { kept = [KEPT], remains = [], drafts = [], devices = [DEVICE], others = [STRANGER], mounts = MOUNTS } = scene
  const { entries = [ENTRY], journal = [], snapshots = [], groups = [] } = scene
  const noted = entries.map(entry => ({ path: `/state/${digest(entry.id)}.json`, modified: HOUR_AGO, entry }))
  return {
    at: NOW,
    pools: [{ name: 'p', inventory: { root: ROOT, volumes: kept, snapshots, groups, remains, drafts } }],
    exports: new Map(scene.exports ? [['iscsi', scene.exports]] : []),
    node: {
      nodeId: 'n1',
      mounts: [mountAt('/', { number: '8:1', source: '/dev/sda1' }), ...mounts],
      attachments: [...devices, ...others],
      devices,
      journal: [...noted, ...journal],
    },
    unseen: [],
  }
}

export const problems = (scene: Scene): string[] =>
  judge(surveyOf(scene))
    .filter(({ verdict }) => verdict !== 'ok')
    .map(({ verdict, kind, name, repair }) => [verdict, kind, name, ...(repair ? [`-> ${repair.do}`] : [])].join(' '))
    .sort()

export const remainsOf = (rest: Partial<Remains>): Remains => ({
  kind: 'draft',
  path: `${ROOT}/drafts/${ID}.0123`,
  changed: HOUR_AGO,
  stale: true,
  claimed: false,
  allocated: 0n,
  ...rest,
})

export const without = <T extends object, K extends keyof T>(object: T, ...keys: K[]): Omit<T, K> =>
  Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key as K))) as Omit<T, K>

export const bare = (rest: Partial<OwnDevice> = {}): OwnDevice => ({
  ...without(DEVICE, 'superblock'),
  isAlive: false,
  ...rest,
})
export const unclaimed: KeptVolume = { ...KEPT, claims: [] }

export const device = (rest: Partial<OwnDevice>): Scene => ({ devices: [{ ...DEVICE, ...rest }] })
export const entry = (rest: Partial<Entry>): Scene => ({ entries: [{ ...ENTRY, ...rest }] })
export const onlyDevice = (rest: Partial<OwnDevice> = {}): Scene => ({
  kept: [unclaimed],
  devices: [bare(rest)],
  mounts: [],
  entries: [],
})
export const TRASHED = `${ROOT}/trash/${ID}.0123456789ab/data`
