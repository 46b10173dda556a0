// Tests of the verdicts on snapshots and groups of them, and on claims of copies.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  blockOnce,
  HOUR_AGO,
  ID,
  KEPT,
  NOW,
  OTHER,
  problems,
  ROOT,
  remainsOf,
  type Scene,
} from '../../test/doctor-scene.ts'
import { GIB } from '../../test/fixtures.ts'
import type { KeptGroup, KeptSnapshot } from '../pools/pool.ts'
import { copierTo } from '../volume/claim.ts'
import { encodeGroupId, encodeMemberId, encodeSnapshotId } from '../volume/ids.ts'

const SNAP = encodeSnapshotId('p', 'snap')
const RECORD = { id: SNAP, name: 'snap', source: ID, pool: 'p', size: GIB, created: 0n, ready: true }
const ORIGIN = { volume: ID, capabilities: [], parameters: {}, sectorSize: 512 }
const WHOLE: KeptSnapshot = {
  id: SNAP,
  path: `${ROOT}/snapshots/${SNAP}`,
  snapshot: { ...RECORD, origin: ORIGIN },
  allocated: 0n,
  dataSize: GIB,
  unreadable: [],
  changed: HOUR_AGO,
}
const CLAIM = { readonly: true, capability: blockOnce, blank: false }
const { dataSize: _, ...COPYING } = WHOLE
const heldFor = (target: string): Scene => ({
  kept: [{ ...KEPT, claims: [...KEPT.claims, { ...CLAIM, node: copierTo(target) }] }],
})

describe('a snapshot', () => {
  it('is in order with its bytes, and while they are copied', () => {
    assert.deepEqual(problems({ snapshots: [WHOLE] }), [])
    assert.deepEqual(problems({ snapshots: [{ ...COPYING, changed: NOW }] }), [])
    assert.deepEqual(problems({ snapshots: [{ ...COPYING, changed: NOW }], ...heldFor(SNAP) }), [])
  })

  it('whose bytes did not come for long is a ghost, and is why its source is held', () => {
    assert.deepEqual(problems({ snapshots: [COPYING], ...heldFor(SNAP) }), [`ghost snapshot ${SNAP}`])
  })

  it('that was cut, cannot be read, or is none, is told', () => {
    assert.deepEqual(problems({ snapshots: [{ ...WHOLE, dataSize: GIB - 1n }] }), [`mismatch snapshot ${SNAP}`])
    const unreadable = [{ path: `${WHOLE.path}/snapshot.json`, why: 'version 9' }]
    assert.deepEqual(problems({ snapshots: [{ ...WHOLE, unreadable }] }), [`mismatch snapshot ${SNAP}`])
    const { snapshot: __, ...bare } = WHOLE
    assert.deepEqual(problems({ snapshots: [bare] }), [`orphan snapshot ${SNAP}`])
    const path = `${ROOT}/snapshots/notes`
    assert.deepEqual(problems({ snapshots: [{ ...bare, id: 'notes', path }] }), [`orphan snapshot ${path}`])
  })
})

describe('a group of snapshots', () => {
  const group = encodeGroupId('p', 'group')
  const member = { ...RECORD, id: encodeMemberId(group, 0), origin: ORIGIN, group }
  const kept: KeptGroup = {
    id: group,
    path: `${ROOT}/groups/${group}`,
    group: { id: group, name: 'group', sources: [ID], pool: 'p', created: 0n, snapshots: [member] },
    damaged: [],
    allocated: 0n,
    unreadable: [],
    changed: HOUR_AGO,
  }

  it('is in order whole; what is damaged, cannot be read, or is none, is told', () => {
    assert.deepEqual(problems({ groups: [kept] }), [])
    assert.deepEqual(problems({ groups: [{ ...kept, damaged: [member.id] }] }), [`mismatch group ${group}`])
    const unreadable = [{ path: `${kept.path}/group.json`, why: 'version 9' }]
    assert.deepEqual(problems({ groups: [{ ...kept, unreadable }] }), [`mismatch group ${group}`])
    const { group: __, ...bare } = kept
    assert.deepEqual(problems({ groups: [bare] }), [`orphan group ${group}`])
    assert.deepEqual(problems({ groups: [{ ...bare, id: 'notes' }] }), [`orphan group ${kept.path}`])
  })

  it('that did not come to be is an orphan among the drafts', () => {
    const path = `${ROOT}/drafts/${group}.0123`
    assert.deepEqual(problems({ remains: [remainsOf({ path, stale: true })] }), [`orphan draft ${path} -> discard`])
    assert.deepEqual(problems({ remains: [remainsOf({ path, stale: false })] }), [])
  })
})

describe('a claim of a copy', () => {
  const mismatch = (target: string) => [`mismatch claim ${ID} for ${copierTo(target)}`]

  it('is in order while there is a draft of the copy that is not stale', () => {
    const draft = remainsOf({ path: `${ROOT}/drafts/${OTHER}.0123`, stale: false })
    assert.deepEqual(problems({ ...heldFor(OTHER), remains: [draft] }), [])
  })

  it('is told when nothing comes of it, or came of it already', () => {
    assert.deepEqual(problems(heldFor(OTHER)), mismatch(OTHER))
    assert.deepEqual(problems({ ...heldFor(SNAP), snapshots: [WHOLE] }), mismatch(SNAP))
    const strange = remainsOf({ path: `${ROOT}/drafts/${SNAP}.0123`, stale: false })
    assert.deepEqual(problems({ ...heldFor(OTHER), remains: [strange] }), mismatch(OTHER))
  })
})
