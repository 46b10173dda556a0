// The judgement by table: for each kind of mismatch the one fact that differs.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  BLOCK,
  bare,
  blockOnce,
  DATA,
  DEVICE,
  device,
  deviceAt,
  ENTRY,
  entry,
  HOUR_AGO,
  ID,
  KEPT,
  MOUNTS,
  mountAt,
  NOTE,
  nodeAt,
  OTHER,
  problems,
  remainsOf,
  type Scene,
  surveyOf,
  unclaimed,
  VIEW,
  without,
} from '../../test/doctor-scene.ts'
import { GIB } from '../../test/fixtures.ts'
import { WIPER } from '../volume/claim.ts'
import { filesystemUuid } from '../volume/ids.ts'
import { judge } from './judge.ts'

const MISMATCHES: Readonly<Record<string, readonly [Scene, ...string[]]>> = {
  'mismatch: an entry whose filesystem is alive out of sight': [{ mounts: [] }, `mismatch entry ${ID}`],
  'mismatch: two devices on one file': [
    { devices: [DEVICE, { ...bare(), device: deviceAt(3) }] },
    'mismatch device /dev/loop1',
    'mismatch device /dev/loop3',
  ],
  'mismatch: a device of a copy': [device({ backing: `/copy/${ID}/data` }), 'mismatch device /dev/loop1'],
  'mismatch: a device with doubts': [device({ doubts: ['it begins at 4096'] }), 'mismatch device /dev/loop1'],
  'mismatch: other sectors': [device({ device: deviceAt(1, { sectorSize: 4096 }) }), 'mismatch device /dev/loop1'],
  'mismatch: the UUID of another filesystem': [
    device({ superblock: { type: 'ext4', uuid: filesystemUuid(OTHER), marked: false } }),
    'mismatch device /dev/loop1',
  ],
  'mismatch: the UUID of the source on a writable copy': [
    {
      kept: [{ ...KEPT, ...(KEPT.volume && { volume: { ...KEPT.volume, contentFrom: OTHER } }) }],
      ...device({ superblock: { type: 'ext4', uuid: filesystemUuid(OTHER), marked: false } }),
    },
    'mismatch device /dev/loop1',
  ],
  'mismatch: a superblock that cannot be read': [
    device({ superblock: { unreadable: 'no answer' } }),
    'mismatch device /dev/loop1',
  ],
  'mismatch: mounted with the mark of an unfinished format': [
    device({ superblock: { type: 'ext4', uuid: filesystemUuid(ID), marked: true } }),
    'mismatch device /dev/loop1',
  ],
  'mismatch: an interrupted call, which explains the rest': [
    {
      ...entry({ doing: 'stage' }),
      ...device({ superblock: { type: 'ext4', uuid: '', marked: true } }),
      others: [VIEW],
      mounts: [],
    },
    `mismatch entry ${ID} -> settle`,
  ],
  'mismatch: an interrupted publish': [
    { ...entry({ targets: [{ path: '/target', readonly: false, doing: 'publish' }] }), mounts: [mountAt('/staging')] },
    `mismatch entry ${ID} -> settle`,
  ],
  'mismatch: a tmpfs at the staging path': [
    { mounts: [mountAt('/staging', { number: '0:99', fsType: 'tmpfs', source: 'tmpfs' }), mountAt('/target')] },
    `mismatch entry ${ID}`,
  ],
  'mismatch: something mounted over the target': [
    { mounts: [...MOUNTS, mountAt('/target', { number: '0:99', fsType: 'tmpfs', source: 'tmpfs' })] },
    'mismatch target /target',
  ],
  'mismatch: a node of another device at the target': [
    { entries: [BLOCK], devices: [bare()], mounts: [nodeAt('/target', 9)] },
    'mismatch target /target',
  ],
  'mismatch: a node of a device that is attached to nothing': [
    { entries: [BLOCK], devices: [bare()], mounts: [nodeAt('/target', 5)] },
    'mismatch target /target',
  ],
  'mismatch: a writable device on top of the volume at the target': [
    { entries: [BLOCK], devices: [bare()], others: [{ ...VIEW, device: deviceAt(2) }], mounts: [nodeAt('/target', 2)] },
    'mismatch target /target',
  ],
  'mismatch: a filesystem where a node should be': [
    { entries: [BLOCK], mounts: [mountAt('/target')] },
    'mismatch target /target',
  ],
  'mismatch: a read-only target that takes writes': [
    entry({ targets: [{ path: '/target', readonly: true }] }),
    'mismatch target /target',
  ],
  'mismatch: a read-only target of a block volume that takes writes': [
    {
      entries: [{ ...BLOCK, targets: [{ path: '/target', readonly: true }] }],
      devices: [bare()],
      mounts: [nodeAt('/target', 1)],
    },
    'mismatch target /target',
  ],
  'mismatch: staged read-only, and writable': [entry({ readonly: true }), `mismatch entry ${ID}`],
  'mismatch: staged writable, and read-only': [
    { mounts: MOUNTS.map(mount => ({ ...mount, superOptions: ['ro'] })) },
    `mismatch entry ${ID}`,
  ],
  'mismatch: staged, and published nowhere': [{ kept: [unclaimed] }, `mismatch entry ${ID}`],
  'mismatch: staged, and unknown to its pool': [{ kept: [] }, `mismatch entry ${ID}`],
  'mismatch: an entry under the name of another': [
    { entries: [], journal: [{ path: '/state/x.json', modified: HOUR_AGO, entry: ENTRY }] },
    `mismatch entry ${ID}`,
  ],
  'mismatch: an entry that cannot be read, which may account for everything': [
    { kept: [unclaimed], entries: [], journal: [{ path: NOTE, modified: HOUR_AGO, unreadable: 'version 9' }] },
    `mismatch entry ${NOTE}`,
  ],
  'mismatch: a record and a claim that cannot be read': [
    {
      kept: [
        {
          ...without(unclaimed, 'volume', 'createdSize'),
          unreadable: [
            { path: `${KEPT.path}/volume.json`, why: 'version 9' },
            { path: `${KEPT.path}/claims/x.json`, why: 'not JSON' },
          ],
        },
      ],
    },
    `mismatch claim ${KEPT.path}/claims/x.json`,
    `mismatch volume ${ID}`,
  ],
  'mismatch: the record of another volume': [
    { kept: [{ ...KEPT, ...(KEPT.volume && { volume: { ...KEPT.volume, id: OTHER } }) }] },
    `mismatch volume ${ID}`,
  ],
  'mismatch: a file that was cut': [
    { kept: [{ ...KEPT, data: { path: DATA, size: GIB - 1n, allocated: 0n } }] },
    `mismatch volume ${ID}`,
  ],
  'mismatch: a claimed volume in the trash': [
    { remains: [remainsOf({ kind: 'trash', path: '/pool/trash/x', stale: false, claimed: true })] },
    'mismatch trash /pool/trash/x',
  ],
  'mismatch: the claim of a wipe': [
    {
      kept: [{ ...KEPT, claims: [{ node: WIPER, readonly: false, capability: blockOnce, blank: false }] }],
      devices: [],
      mounts: [],
      entries: [],
    },
    `mismatch claim ${ID} for ${WIPER}`,
  ],
}

for (const [what, [scene, ...expected]] of Object.entries(MISMATCHES)) {
  test(what, () => {
    assert.deepEqual(problems(scene), expected.sort())
    for (const each of judge(surveyOf(scene)))
      if (each.verdict !== 'ok') assert.ok(each.found.length > 5 && each.remedy.length > 5, each.name)
  })
}
