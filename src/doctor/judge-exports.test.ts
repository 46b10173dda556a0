// The judgement of exports and of disks from another host, by table.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  bare,
  DATA,
  ENTRY,
  ID,
  KEPT,
  MOUNTS,
  OTHER,
  onlyDevice,
  problems,
  type Scene,
  unclaimed,
} from '../../test/doctor-scene.ts'
import { GIB } from '../../test/fixtures.ts'
import type { KeptVolume } from '../pools/pool.ts'
import type { Exported } from '../transports/transport.ts'
import { WIPER } from '../volume/claim.ts'

const IQN = 'iqn.2026-01.dev.ashlar:node.n'
const [claim] = KEPT.claims
assert.ok(claim && KEPT.volume)
const kept: KeptVolume = {
  ...KEPT,
  volume: { ...KEPT.volume, transport: 'iscsi' },
  claims: [{ ...claim, node: `n/${IQN}` }],
}
const exported: Exported = {
  backing: DATA,
  size: GIB,
  enabled: true,
  holders: [{ initiator: IQN, readonly: false }],
  troubles: [],
}

/** On the storage host: no disks, nothing staged. */
const scene = (exports: Readonly<Record<string, Exported>>, volume: KeptVolume = kept): Scene => ({
  kept: [volume],
  devices: [],
  others: [],
  mounts: [],
  entries: [],
  exports: new Map(Object.entries(exports)),
})
const unpublished = { ...kept, claims: [] }
const remote = bare({ isRemote: true, backing: `iqn.2026-01.dev.ashlar:${ID} LUN 0`, pool: undefined })

const TABLE: Readonly<Record<string, readonly [Scene, ...string[]]>> = {
  'an export as claimed': [scene({ [ID]: exported })],
  'neither export nor claim': [scene({}, unpublished)],
  'a wipe under way': [
    scene({}, { ...kept, claims: [{ ...claim, node: WIPER }] }),
    `mismatch claim ${ID} for ${WIPER}`,
  ],
  'a claim that nothing exports': [scene({}), `ghost export ${ID} -> restore`],
  'an export without a claim': [scene({ [ID]: exported }, unpublished), `orphan export ${ID} -> restore`],
  'an export to a stranger': [
    scene({ [ID]: { ...exported, holders: [...exported.holders, { initiator: `${IQN}2`, readonly: false }] } }),
    `mismatch export ${ID} -> restore`,
  ],
  'an export that is writable, and published read-only': [
    scene({ [ID]: exported }, { ...kept, claims: [{ ...claim, node: `n/${IQN}`, readonly: true }] }),
    `mismatch export ${ID} -> restore`,
  ],
  'an export that takes no logins': [
    scene({ [ID]: { ...exported, enabled: false } }),
    `mismatch export ${ID} -> restore`,
  ],
  'an export of the size of yesterday': [
    scene({ [ID]: { ...exported, size: GIB / 2n } }),
    `mismatch export ${ID} -> restore`,
  ],
  'an export of another file': [scene({ [ID]: { ...exported, backing: '/srv/x' } }), `mismatch export ${ID}`],
  'an export of a volume that was deleted': [
    scene({ [ID]: exported, [OTHER]: { ...exported, backing: DATA.replace(ID, OTHER) } }),
    `orphan export ${OTHER}`,
  ],
  'an export of somebody else’s pool': [scene({ [ID]: exported, [OTHER]: { ...exported, backing: '/their/data' } })],
  'a disk of another host that the journal knows': [
    { kept: [KEPT], devices: [{ ...remote, isAlive: true }], mounts: MOUNTS, entries: [ENTRY] },
  ],
  'a disk of another host that the journal does not know': [
    { ...onlyDevice(), kept: [], devices: [remote] },
    'orphan device /dev/loop1 -> disconnect',
  ],
  'the same beside its pool, claimed by a node': [
    { ...onlyDevice(), kept: [KEPT], devices: [remote] },
    'orphan device /dev/loop1 -> disconnect',
  ],
  'a disk of another host beside the pool, in use': [
    { devices: [remote], kept: [unclaimed].map(each => ({ ...each, claims: KEPT.claims })) },
  ],
}

for (const [what, [given, ...expected]] of Object.entries(TABLE)) {
  test(`${what}: ${expected.join(', ') || 'in order'}`, () => assert.deepEqual(problems(given), expected))
}
