// Tests of group snapshots as callers ask for them: who is held, in which order, and what cannot be one group.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { copyOf, one, setUp as setUpLab, specOf } from '../../test/copy-lab.ts'
import { failure, MIB, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { loopSite } from '../../test/loop-site.ts'
import { localHost } from '../host/local.ts'
import { filePool } from '../pools/file.ts'
import type { Pool } from '../pools/pool.ts'
import { groupControllerService } from '../rpc/group-controller-service.ts'
import { loop } from '../transports/loop.ts'
import type { Exporter } from '../transports/transport.ts'
import { CannotCutTogether } from '../volume/errors.ts'
import { encodeVolumeId } from '../volume/ids.ts'
import { deleteSnapshot } from './delete-snapshot.ts'
import { createGroup, deleteGroup, getGroup } from './group-snapshots.ts'
import { getSnapshot, listSnapshots } from './list-snapshots.ts'

const op = testOp()
const [two, three] = [encodeVolumeId('p', 'two'), encodeVolumeId('p', 'three')]

async function setUp(t: TestContext) {
  const lab = await setUpLab(t, { clones: true })
  for (const name of ['two', 'three']) await lab.pool.create(specOf(name), MIB, op)
  const config = { type: 'file', path: await temporaryFolder(t), overcommit: 1, sectorSize: 512 } as const
  const host = localHost()
  const other = await filePool.open(host, 'q', config)
  const said: string[] = []
  const state = { refused: '' }
  const exporter: Exporter = {
    ...loop.exporter(host, { nodeId: 'n1' }),
    async pause({ id }) {
      said.push(`pause ${id}`)
      if (id === state.refused) throw new CannotCutTogether({ asked: 'pause', found: 'raw', next: '' })
      return async () => {
        said.push(`resume ${id}`)
      }
    },
  }
  const alone = lab.pool.alone.bind(lab.pool)
  lab.pool.alone = async (id, given, work) => {
    said.push(`alone ${id}`)
    return await alone(id, given, work)
  }
  const pools = new Map<string, Pool>([
    ['p', lab.pool],
    ['q', other],
  ])
  const site = loopSite(pools, exporter)
  const cut = async (name: string, ...sources: string[]) => await createGroup(site, { name, sources }, op)
  return { site, lab, other, said, state, cut }
}

describe('a group snapshot', () => {
  it('is cut alone with its volumes, taken in the order of their ids, and each is held before the first cut', async t => {
    const { lab, said, cut } = await setUp(t)
    lab.meddle = async ({ args }) => {
      said.push(`cut ${String(args.at(-1)).split('.').at(-1)}`)
    }
    await cut('g', three, one, two)
    const ids = [one, two, three].sort()
    const each = (verb: string) => ids.map(id => `${verb} ${id}`)
    const cuts = said.filter(word => !/\/data$/.test(word)) // without the one that finds out whether it can be done
    assert.deepEqual(cuts.slice(0, 3), each('alone'))
    assert.deepEqual(cuts.slice(3, 6).sort(), each('pause'), 'side by side')
    assert.deepEqual(cuts.slice(6), ['cut 0', 'cut 1', 'cut 2', ...each('resume')])
  })

  it('is none when one of its volumes cannot be held; the others are let go', async t => {
    const { site, said, state, cut } = await setUp(t)
    state.refused = two
    await assert.rejects(cut('g', one, two, three), failure('failed-precondition', /raw/))
    assert.deepEqual(said.filter(word => word.startsWith('resume')).sort(), [`resume ${one}`, `resume ${three}`].sort())
    assert.deepEqual(
      (await listSnapshots(site, { size: 0, token: '' }, { id: undefined, source: undefined })).entries,
      [],
    )
  })

  it('is answered again as it was, also when its sources are gone, and refused for others', async t => {
    const { site, lab, other, cut } = await setUp(t)
    const group = await cut('g', one, two)
    await lab.pool.delete(one, op)
    assert.deepEqual(await cut('g', two, one), group)
    for (const sources of [[two], [one, two, three], [two, three]])
      await assert.rejects(cut('g', ...sources), failure('already-exists', new RegExp(group.id)))
    const elsewhere = other.idFor('x')
    await other.create({ ...specOf('x'), id: elsewhere }, MIB, op)
    await assert.rejects(cut('h', two, elsewhere), failure('failed-precondition', /is in pool p, .* in pool q/))
    await assert.rejects(cut('h', one, two), failure('not-found'))
    await assert.rejects(cut('h', two, two), failure('invalid-argument', /twice/))
    const { id, snapshots } = group
    const ids = snapshots.map(each => each.id)
    assert.deepEqual(await getGroup(site, { id, snapshots: ids.toReversed() }), group)
    assert.deepEqual(await getSnapshot(site, 'get', ids[0] ?? ''), snapshots[0])
    for (const given of [[], ids.slice(1), [...ids, 'x'], [ids[0] ?? '', ids[0] ?? '']]) {
      await assert.rejects(getGroup(site, { id, snapshots: given }), failure('invalid-argument', /name exactly those/))
      await assert.rejects(deleteGroup(site, { id, snapshots: given }, op), failure('invalid-argument'))
    }
    await assert.rejects(deleteSnapshot(site, ids[0] ?? '', op), failure('invalid-argument', /delete the group/))
    for (const unknown of [id, 'fake-vol-id', 'group-p-x', '../x', `${id}-0`])
      await deleteGroup(site, { id: unknown, snapshots: unknown === id ? ids : [] }, op)
    await assert.rejects(getGroup(site, { id, snapshots: ids }), failure('not-found'))
    await assert.rejects(getGroup(site, { id: 'fake-vol-id', snapshots: [] }), failure('not-found'))
  })

  it('has members that volumes are made of, in their messages the name of the group', async t => {
    const { site, lab } = await setUp(t)
    const service = groupControllerService(site)
    const request = {
      name: 'g',
      source_volume_ids: [one, two],
      parameters: { 'csi.storage.k8s.io/x': 'y' },
      secrets: {},
    }
    const { group_snapshot: group } = await service.CreateVolumeGroupSnapshot(request, op)
    assert.equal(group?.ready_to_use, true)
    for (const each of group.snapshots ?? []) assert.equal(each.group_snapshot_id, group.group_snapshot_id)
    const id = group.snapshots?.[0]?.snapshot_id ?? ''
    const spec = copyOf('copy', { kind: 'snapshot', id })
    await lab.pool.snapshots.createVolume(spec, 16n * MIB, async () => undefined, op)
    await assert.rejects(
      service.CreateVolumeGroupSnapshot({ ...request, parameters: { colour: 'red' } }, op),
      failure('invalid-argument', /VolumeGroupSnapshotClass/),
    )
  })
})
