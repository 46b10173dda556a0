// The judgement by table: what is in order, and for each kind of orphan and ghost the one fact that differs.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  BLOCK,
  bare,
  DATA,
  DEVICE,
  deviceAt,
  ENTRY,
  HOUR_AGO,
  ID,
  KEPT,
  MOUNTS,
  mountAt,
  NOTE,
  NOW,
  nodeAt,
  OTHER,
  onlyDevice,
  problems,
  ROOT,
  remainsOf,
  type Scene,
  STRANGER,
  surveyOf,
  TRASHED,
  unclaimed,
  VIEW,
  without,
} from '../../test/doctor-scene.ts'
import { GIB } from '../../test/fixtures.ts'
import { filesystemUuid } from '../volume/ids.ts'
import { keyOf } from './finding.ts'
import { judge } from './judge.ts'

const IN_ORDER: Readonly<Record<string, Scene>> = {
  'a published volume': {},
  'a volume that exists only': { kept: [unclaimed], devices: [], mounts: [], entries: [] },
  'a claim without a device, as after a reboot or an unstage': { devices: [], mounts: [], entries: [] },
  'a device of a claimed volume that is not staged': { devices: [bare()], mounts: [], entries: [] },
  'a device smaller than its file, between two steps of an expansion': {
    kept: [{ ...KEPT, data: { path: DATA, size: 2n * GIB, allocated: 0n } }],
  },
  'a published block volume': {
    entries: [BLOCK],
    devices: [bare()],
    mounts: [nodeAt('/target', 1)],
  },
  'a block volume published by a read-only view': {
    entries: [{ ...BLOCK, targets: [{ path: '/target', readonly: true }] }],
    devices: [bare()],
    others: [VIEW],
    mounts: [nodeAt('/target', 2)],
  },
  'kubelet’s lock on a block volume, and its second node': {
    entries: [BLOCK],
    devices: [bare()],
    others: [{ ...VIEW, device: deviceAt(2) }],
    mounts: [nodeAt('/target', 1), nodeAt('/kubelet/device', 1)],
  },
  'a folder of the volume that kubelet mounts for a pod': {
    mounts: [...MOUNTS, mountAt('/kubelet/sub', { root: '/folder' })],
  },
  'a read-only copy that keeps the UUID of its source': {
    kept: [{ ...KEPT, ...(KEPT.volume && { volume: { ...KEPT.volume, contentFrom: OTHER } }) }],
    entries: [{ ...ENTRY, readonly: true }],
    devices: [{ ...DEVICE, superblock: { type: 'xfs', uuid: filesystemUuid(OTHER), marked: false } }],
    mounts: MOUNTS.map(mount => ({ ...mount, superOptions: ['ro'] })),
  },
  'a young draft and young trash': {
    remains: [remainsOf({ stale: false }), remainsOf({ kind: 'trash', stale: false })],
    drafts: [{ path: '/pool/pool.json.0123456789ab.tmp', changed: NOW }],
    journal: [{ path: `${NOTE}.0123456789ab.tmp`, modified: NOW, draft: true }],
  },
}

for (const [what, scene] of Object.entries(IN_ORDER)) {
  test(`in order: ${what}`, () => {
    assert.deepEqual(problems(scene), [])
  })
}

const ORPHANS: Readonly<Record<string, readonly [Scene, ...string[]]>> = {
  'orphan: a device that no record knows': [onlyDevice(), 'orphan device /dev/loop1 -> detach'],
  'orphan: the same, mounted: nothing is offered': [
    { ...onlyDevice(), mounts: [mountAt('/somewhere')] },
    'orphan device /dev/loop1',
    'orphan mount /somewhere',
  ],
  'orphan: the same, alive in another namespace': [onlyDevice({ isAlive: true }), 'orphan device /dev/loop1'],
  'orphan: the same, below another device': [
    { ...onlyDevice(), others: [{ ...VIEW, device: deviceAt(2) }] },
    'orphan device /dev/loop1',
  ],
  'orphan: a device of a volume in the trash': [
    { ...onlyDevice({ backing: TRASHED, id: undefined }), kept: [] },
    'orphan device /dev/loop1 -> detach',
  ],
  'orphan: a view that is bound nowhere': [
    { entries: [{ ...BLOCK, targets: [] }], devices: [bare()], others: [VIEW], mounts: [] },
    'orphan view /dev/loop2 -> detach',
  ],
  'orphan: a mount that the journal does not know': [{ mounts: [...MOUNTS, mountAt('/third')] }, 'orphan mount /third'],
  'orphan: mounts of a lost state directory, folders too': [
    { entries: [], mounts: [...MOUNTS, mountAt('/sub', { root: '/folder' })] },
    'orphan mount /staging',
    'orphan mount /sub',
    'orphan mount /target',
  ],
  'orphan: a node of a block volume that is published nowhere': [
    { entries: [{ ...BLOCK, targets: [] }], devices: [bare()], mounts: [nodeAt('/stray', 1)] },
    'orphan mount /stray',
  ],
  'orphan: stale remains': [
    {
      remains: [remainsOf({}), remainsOf({ kind: 'trash', path: '/pool/trash/x' })],
      drafts: [{ path: '/pool/volumes/x/claims/y.json.0123456789ab.tmp', changed: HOUR_AGO }],
      journal: [{ path: `${NOTE}.0123456789ab.tmp`, modified: HOUR_AGO, draft: true }],
    },
    `orphan draft ${ROOT}/drafts/${ID}.0123 -> discard`,
    'orphan draft /pool/volumes/x/claims/y.json.0123456789ab.tmp -> remove-draft',
    `orphan draft ${NOTE}.0123456789ab.tmp -> remove-draft`,
    'orphan trash /pool/trash/x -> discard',
  ],
  'orphan: a volume without a record': [{ kept: [without(KEPT, 'volume', 'createdSize')] }, `orphan volume ${ID}`],
  'orphan: a folder that bears no id of this pool': [
    { kept: [KEPT, { ...unclaimed, id: 'vol-q-0', path: '/pool/volumes/vol-q-0' }] },
    'orphan volume /pool/volumes/vol-q-0',
  ],
}

const GHOSTS: Readonly<Record<string, readonly [Scene, ...string[]]>> = {
  'ghost: an entry after a reboot': [{ devices: [], mounts: [] }, `ghost entry ${ID} -> forget`],
  'ghost: an entry whose device alone is there': [{ devices: [bare()], mounts: [] }, `ghost entry ${ID} -> forget`],
  'ghost: an entry of a block volume without device': [
    { entries: [BLOCK], devices: [], mounts: [] },
    `ghost entry ${ID} -> forget`,
  ],
  'ghost: the staging mount is gone, a target is not': [{ mounts: [mountAt('/target')] }, `ghost entry ${ID}`],
  'ghost: a target that is not mounted': [{ mounts: [mountAt('/staging')] }, 'ghost target /target -> forget-target'],
  'ghost: a volume whose file is gone': [
    { kept: [without(unclaimed, 'data')], devices: [], mounts: [], entries: [] },
    `ghost volume ${ID}`,
  ],
  'ghost: a device whose file was deleted': [
    { kept: [without(KEPT, 'data')], devices: [{ ...DEVICE, isLastWay: true }] },
    'ghost device /dev/loop1',
    `ghost volume ${ID}`,
  ],
  'ghost: the same without any record: never detached': [onlyDevice({ isLastWay: true }), 'ghost device /dev/loop1'],
}

for (const [what, [scene, ...expected]] of Object.entries({ ...ORPHANS, ...GHOSTS })) {
  test(what, () => {
    assert.deepEqual(problems(scene), expected.sort())
    for (const each of judge(surveyOf(scene)))
      if (each.verdict !== 'ok') assert.ok(each.found.length > 5 && each.remedy.length > 5, each.name)
  })
}

test('every object in order is one finding', () => {
  assert.deepEqual(
    judge(surveyOf({ others: [VIEW, STRANGER], mounts: [...MOUNTS, nodeAt('/view', 2)] }))
      .map(({ verdict, kind, name }) => `${verdict} ${kind} ${name}`)
      .sort(),
    [
      `ok claim ${ID} for n`,
      'ok device /dev/loop1',
      `ok entry ${ID}`,
      'ok target /target',
      'ok view /dev/loop2',
      `ok volume ${ID}`,
      'orphan mount /view',
    ].sort(),
  )
})

test('the trouble of a device or a view is another one when another disk has its name', () => {
  const keys = (sequence: string) =>
    [
      onlyDevice({ device: deviceAt(1, { sequence }) }),
      { entries: [BLOCK], devices: [bare()], mounts: [], others: [{ ...VIEW, device: { ...VIEW.device, sequence } }] },
    ].flatMap(scene =>
      judge(surveyOf(scene))
        .filter(({ verdict, kind }) => verdict === 'orphan' && ['device', 'view'].includes(kind))
        .map(keyOf),
    )
  assert.equal(keys('1').length, 2)
  assert.deepEqual(keys('1'), keys('1'))
  for (const [n, key] of keys('1').entries()) assert.notEqual(keys('2')[n], key)
})

test('a pool that was not seen has no orphans and no ghosts: its entries are judged by what the kernel shows', () => {
  const facts = surveyOf({})
  const unseen = { ...facts, pools: [], node: facts.node && { ...facts.node, devices: [] } }
  assert.deepEqual(
    judge(unseen).map(({ verdict, kind }) => `${verdict} ${kind}`),
    ['ok entry', 'ok target'],
  )
})

test('without the journal, the devices or the mounts nothing is said of the node', () => {
  assert.deepEqual(
    judge({ ...surveyOf({ kept: [unclaimed] }), node: undefined }).map(({ kind }) => kind),
    ['volume'],
  )
})
