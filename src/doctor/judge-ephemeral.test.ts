// Tests of the judgement on ephemeral volumes: whose, known to the journal or not, and never to be forgotten while a pod may have data.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEVICE, ENTRY, ID, KEPT, mountAt, problems, ROOT, type Scene, surveyOf } from '../../test/doctor-scene.ts'
import { encodeEphemeralId, filesystemUuid } from '../volume/ids.ts'
import { judge } from './judge.ts'

const HANDLE = `csi-${'a'.repeat(64)}`
const OWN = encodeEphemeralId('p', HANDLE)
const data = { path: `${ROOT}/volumes/${OWN}/data`, size: 1n << 30n, allocated: 4096n }
const volume = { ...(KEPT.volume ?? assert.fail()), id: OWN, name: HANDLE, ephemeral: { node: 'n1' } }
const KEPT_OWN = { ...KEPT, id: OWN, path: `${ROOT}/volumes/${OWN}`, volume, data }
const entry = { ...ENTRY, id: OWN, stagingPath: '/target', targets: [], ephemeral: 'published' as const }
const device = {
  ...DEVICE,
  id: OWN,
  backing: data.path,
  superblock: { type: 'ext4', uuid: filesystemUuid(OWN), marked: false },
}
const scene = (rest: Scene = {}): Scene => ({
  kept: [KEPT_OWN],
  devices: [device],
  mounts: [mountAt('/target')],
  entries: [entry],
  ...rest,
})
const repairs = (each: Scene) => judge(surveyOf(each)).flatMap(({ repair }) => repair?.do ?? [])

test('an ephemeral volume that a pod has is in order', () => assert.deepEqual(problems(scene()), []))

test('one that the journal does not know is a leftover, on its own node only, and no repair takes it', () => {
  const left = scene({ devices: [], mounts: [], entries: [] })
  assert.match(problems(left).join('\n'), new RegExp(`orphan entry ${OWN}`))
  assert.deepEqual(repairs(left), [])
  const elsewhere = { ...KEPT_OWN, volume: { ...volume, ephemeral: { node: 'n2' } } }
  assert.deepEqual(problems({ ...left, kept: [elsewhere] }), [])
})

test('after a reboot its entry is not to be forgotten: the pod may have data on it', () => {
  const rebooted = scene({ devices: [], mounts: [] })
  assert.match(problems(rebooted).join('\n'), new RegExp(`ghost entry ${OWN}`))
  assert.deepEqual(repairs(rebooted), [])
  const again = { ...entry, doing: 'stage' as const }
  assert.deepEqual(repairs(scene({ devices: [], mounts: [], entries: [again] })), [])
  assert.deepEqual(repairs(scene({ devices: [], mounts: [], entries: [{ ...again, ephemeral: 'begun' }] })), ['settle'])
})

test('an id and a record that disagree about it are a mismatch', () => {
  const { ephemeral: _, ...persistent } = volume
  assert.match(problems(scene({ kept: [{ ...KEPT_OWN, volume: persistent }] })).join('\n'), /mismatch volume eph-/)
  const marked = { ...KEPT, volume: { ...(KEPT.volume ?? assert.fail()), ephemeral: { node: 'n1' } } }
  assert.match(problems({ kept: [marked] }).join('\n'), new RegExp(`mismatch volume ${ID}`))
})
