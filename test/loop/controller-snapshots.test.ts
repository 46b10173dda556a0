// Tests of snapshots and clones as callers ask for them: names, sources, sizes, places, pages.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it, type TestContext } from 'node:test'
import { createSnapshot } from '../../src/controller/create-snapshot.ts'
import { type CreateVolumeRequest, createVolume } from '../../src/controller/create-volume.ts'
import { deleteSnapshot } from '../../src/controller/delete-snapshot.ts'
import { deleteVolume } from '../../src/controller/delete-volume.ts'
import { getSnapshot, listSnapshots } from '../../src/controller/list-snapshots.ts'
import { listVolumes } from '../../src/controller/list-volumes.ts'
import { publishVolume, unpublishVolume } from '../../src/controller/publish-volume.ts'
import type { ControllerSite } from '../../src/controller/site.ts'
import { localHost } from '../../src/host/local.ts'
import { filePool } from '../../src/pools/file.ts'
import type { Pool } from '../../src/pools/pool.ts'
import { controllerService } from '../../src/rpc/controller-service.ts'
import { loop } from '../../src/transports/loop.ts'
import type { Exporter } from '../../src/transports/transport.ts'
import type { Capability } from '../../src/volume/capability.ts'
import { VolumeInUse } from '../../src/volume/errors.ts'
import { filesystemUuid } from '../../src/volume/ids.ts'
import type { ContentSource } from '../../src/volume/types.ts'
import { failure, GIB, MIB, MOUNT, temporaryFolder, testOp } from '../fixtures.ts'
import { loopSite } from '../loop-site.ts'

const op = testOp()
const BLOCK: Capability = { access: 'block', mode: 'SINGLE_NODE_WRITER', mountFlags: [] }

async function setUp(t: TestContext) {
  const host = localHost()
  const pools = new Map<string, Pool>()
  for (const name of ['p', 'q']) {
    const config = { type: 'file', path: await temporaryFolder(t), overcommit: 100, sectorSize: 512 } as const
    pools.set(name, await filePool.open(host, name, config))
  }
  const state = { isAttached: false }
  // Attaches nothing: what a loop device does is not what these tests are about.
  const real = loop.exporter(host, { nodeId: 'n1' })
  const exporter: Exporter = {
    ...real,
    export: async () => ({}),
    unexport: async () => undefined,
    exports: async () => new Map(),
    async requireUnused(id) {
      if (state.isAttached) throw new VolumeInUse({ asked: `use ${id}`, found: 'attached', next: '' })
    },
  }
  const site = loopSite(pools, exporter)
  const make = async (name: string, rest: Partial<CreateVolumeRequest> = {}) =>
    await createVolume(
      site,
      { name, range: undefined, capabilities: [MOUNT], parameters: {}, requisite: [], ...rest },
      op,
    )
  const cut = async (name: string, source: string) => await createSnapshot(site, { name, source }, op)
  const of = (kind: ContentSource['kind'], { id }: { id: string }) => ({ source: { kind, id } })
  return { site, state, make, cut, of, pool: (name: string) => pools.get(name) as Pool }
}
const sized = (required: bigint, limit = 0n) => ({ range: { required, limit } })

describe('a snapshot', () => {
  it('is answered to a repeat as it was, also when its source is gone, and refused for another source', async t => {
    const { site, make, cut } = await setUp(t)
    const [one, two] = [await make('one'), await make('two', { parameters: { pool: 'q' } })]
    const first = await cut('s', one.id)
    assert.deepEqual(await cut('s', one.id), first)
    const taken = failure('already-exists', new RegExp(`exists as ${first.id} of volume ${one.id}`))
    await assert.rejects(cut('s', two.id), taken)
    await deleteVolume(site, one.id, op)
    assert.deepEqual(await cut('s', one.id), first)
    assert.deepEqual(await getSnapshot(site, 'get', first.id), first)
    await assert.rejects(cut('t', one.id), failure('not-found'))
    await deleteSnapshot(site, first.id, op)
    for (const id of [first.id, 'reallyfake', '../x', one.id]) await deleteSnapshot(site, id, op)
    await assert.rejects(getSnapshot(site, 'get', first.id), failure('not-found'))
    await assert.rejects(cut('s', one.id), failure('not-found'))
  })

  it('of a volume that is published or attached is refused by a pool that cannot clone', async t => {
    const { site, state, make, cut } = await setUp(t)
    const { id } = await make('one')
    await publishVolume(site, { id, node: 'n1', capability: MOUNT, readonly: false }, op)
    await assert.rejects(cut('s', id), failure('failed-precondition', /published to node n1/))
    await unpublishVolume(site, id, 'n1', op)
    state.isAttached = true
    await assert.rejects(cut('s', id), failure('failed-precondition', /attached/))
    state.isAttached = false
    assert.equal((await cut('s', id)).ready, true)
  })
})

describe('the list of snapshots', () => {
  it('is paged in one order, filtered by id and source, and shows no volumes', async t => {
    const { site, make, cut } = await setUp(t)
    const [one, two] = [await make('one'), await make('two', { parameters: { pool: 'q' } })]
    const cuts = [await cut('a', one.id), await cut('b', one.id), await cut('c', two.id), await cut('d', one.id)]
    const all = cuts.map(({ id }) => id).sort()
    const none = { id: undefined, source: undefined }
    const ids = async (page: { size: number; token: string }, filter: Parameters<typeof listSnapshots>[2] = none) => {
      const { entries, nextToken } = await listSnapshots(site, page, filter)
      return [entries.map(({ id }) => id), nextToken] as const
    }
    const whole = { size: 0, token: '' }
    assert.deepEqual(await ids(whole), [all, ''])
    assert.deepEqual(await ids({ size: 3, token: '' }), [all.slice(0, 3), all[2]])
    await deleteSnapshot(site, all[2] ?? '', op)
    assert.deepEqual(await ids({ size: 3, token: all[2] ?? '' }), [all.slice(3), ''])
    const left = all.filter((_, n) => n !== 2)
    const ofOne = left.filter(id => cuts.find(each => each.id === id)?.source === one.id)
    assert.deepEqual(await ids(whole, { id: undefined, source: one.id }), [ofOne, ''])
    assert.deepEqual(await ids({ size: 1, token: '' }, { id: undefined, source: one.id }), [
      ofOne.slice(0, 1),
      ofOne.length > 1 ? ofOne[0] : '',
    ])
    assert.deepEqual(await ids(whole, { id: left[0], source: undefined }), [left.slice(0, 1), ''])
    assert.deepEqual(await ids(whole, { id: left[0], source: 'vol-p-0' }), [[], ''])
    for (const id of ['none', 'vol-p-0', '..']) assert.deepEqual(await ids(whole, { id, source: undefined }), [[], ''])
    await assert.rejects(ids({ size: 0, token: 'x' }), failure('aborted'))
    const volumes = await listVolumes(site, whole, op)
    assert.deepEqual(
      volumes.entries.map(({ volume }) => volume.id),
      [one.id, two.id].sort(),
    )
  })
})

describe('a volume with a source', () => {
  it('has the size, pool and sectors of its source, and tells the source', async t => {
    const { site, make, cut, of } = await setUp(t)
    const one = await make('one', { ...sized(GIB + MIB), parameters: { pool: 'q' } })
    const snapshot = await cut('s', one.id)
    for (const [n, source] of [of('snapshot', snapshot), of('volume', one)].entries()) {
      const made = await make(`copy ${n}`, source)
      assert.deepEqual([made.pool, made.size, made.contentSource], ['q', GIB + MIB, source.source])
      assert.equal((await make(`larger ${n}`, { ...source, ...sized(3n * GIB) })).size, 3n * GIB)
      const small = failure('out-of-range', new RegExp(`has ${GIB + MIB} bytes`))
      await assert.rejects(make(`small ${n}`, { ...source, ...sized(GIB) }), small)
      await assert.rejects(
        make(`small ${n}`, { ...source, range: { required: 0n, limit: GIB } }),
        failure('out-of-range'),
      )
    }
    const { entries } = await listVolumes(site, { size: 0, token: '' }, op)
    assert.equal(entries.filter(({ volume }) => volume.contentSource).length, 4)
  })

  it('is answered to a repeat when the source is gone, and refused with another one or none', async t => {
    const { site, make, cut, of } = await setUp(t)
    const one = await make('one')
    const snapshot = await cut('s', one.id)
    const made = await make('copy', of('snapshot', snapshot))
    await deleteSnapshot(site, snapshot.id, op)
    assert.deepEqual(await make('copy', of('snapshot', snapshot)), made)
    for (const other of [of('volume', one), {}])
      await assert.rejects(make('copy', other), failure('already-exists', /the bytes of snap-/))
    await assert.rejects(make('one', of('snapshot', snapshot)), failure('already-exists', /the bytes of nothing/))
    await assert.rejects(make('new', of('snapshot', snapshot)), failure('not-found'))
    for (const kind of ['snapshot', 'volume'] as const)
      await assert.rejects(make('new', of(kind, { id: 'non-existing' })), failure('not-found'))
  })

  it('in another pool, or with another filesystem, is refused', async t => {
    const { make, cut, of, pool } = await setUp(t)
    const one = await make('one')
    const snapshot = await cut('s', one.id)
    const there = { ...of('snapshot', snapshot), parameters: { pool: 'q' } }
    await assert.rejects(make('copy', there), failure('invalid-argument', /is in pool p, .* in pool q/))
    const xfs = { ...of('volume', one), parameters: { fsType: 'xfs' } }
    await assert.rejects(make('copy', xfs), failure('invalid-argument', /with ext4, asked for xfs/))
    const block = await make('block', { capabilities: [BLOCK] })
    await assert.rejects(make('copy', of('volume', block)), failure('invalid-argument', /raw blocks, asked for ext4/))
    await make('of files as blocks', { ...of('volume', one), capabilities: [BLOCK] })
    assert.deepEqual(await pool('q').list(), [])
  })

  it('knows whose filesystem it begins with, through copies of copies that were never mounted', async t => {
    const { site, make, cut, of, pool } = await setUp(t)
    const one = await make('one', sized(16n * MIB))
    const path = async (id: string) => (await pool('p').backing(id)).path
    execFileSync('mkfs.ext4', ['-q', '-U', filesystemUuid(one.id), await path(one.id)])
    const two = await make('two', of('volume', one))
    const three = await make('three', of('snapshot', await cut('s', two.id)))
    await deleteVolume(site, one.id, op)
    const four = await make('four', of('volume', three))
    assert.deepEqual(
      [two, three, four].map(({ contentFrom }) => contentFrom),
      [one.id, one.id, one.id],
    )
    // As its first stage does.
    execFileSync('tune2fs', ['-U', filesystemUuid(three.id), await path(three.id)], { stdio: 'ignore' })
    const five = await make('five', of('snapshot', await cut('t', three.id)))
    assert.equal(five.contentFrom, three.id)
    const route = await publishVolume(site, { id: four.id, node: 'n1', capability: MOUNT, readonly: false }, op)
    assert.deepEqual([route['content_from'], route['blank']], [one.id, 'false'])
  })
})

describe('what the controller offers', () => {
  it('follows from its pools, and from the setting for what is alpha', async t => {
    const { site } = await setUp(t)
    const namesOf = async (given: ControllerSite, getSnapshot = false) => {
      const service = controllerService(given, { getSnapshot })
      const { capabilities } = await service.ControllerGetCapabilities({}, op)
      return (capabilities ?? []).map(({ rpc }) => rpc?.type).filter(type => /SNAPSHOT|CLONE/.test(String(type)))
    }
    const all = ['CREATE_DELETE_SNAPSHOT', 'LIST_SNAPSHOTS', 'CLONE_VOLUME']
    assert.deepEqual(await namesOf(site), all)
    assert.deepEqual(await namesOf(site, true), [...all, 'GET_SNAPSHOT'])
    const bare = new Map([['p', { name: 'p' } as Pool]])
    assert.deepEqual(await namesOf({ ...site, pools: bare }, true), [])
  })
})
