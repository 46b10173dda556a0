// What a visitor sees of a file pool: everything that lies there, read and not changed, and what cannot be read by name.
import assert from 'node:assert/strict'
import { mkdir, readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { failure, MIB, MOUNT, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { encodeVolumeId } from '../volume/ids.ts'
import type { VolumeId } from '../volume/types.ts'
import { filePool } from './file.ts'

const op = testOp()
const [one, two] = ['one', 'two'].map(name => encodeVolumeId('p', name)) as [VolumeId, VolumeId]
const claim = { node: 'n1', readonly: false, capability: MOUNT, blank: true }
/** In whole seconds: not every filesystem keeps more. */
const LONG_AGO = new Date(Math.floor(Date.now() / 1000) * 1000 - 3_600_000)

async function setUp(t: TestContext) {
  const folder = await temporaryFolder(t)
  const config = { type: 'file', path: folder, overcommit: 1, sectorSize: 512 } as const
  const open = () => filePool.open(fakeHost([]), 'p', config)
  const visit = () => filePool.visit(fakeHost([]), 'p', config)
  const at = (...more: string[]) => join(folder, ...more)
  const add = async (id: VolumeId) => {
    const kept = { capabilities: [MOUNT], parameters: {}, transport: 'loop', sectorSize: 512, segments: {} }
    await (await open()).create({ id, name: id, ...kept }, MIB, op)
  }
  return { folder, at, open, visit, add }
}

const remains = async (path: string, { old = true, claimed = false } = {}): Promise<string> => {
  await mkdir(join(path, 'claims'), { recursive: true })
  await writeFile(join(path, 'data'), 'x')
  if (claimed) await writeFile(join(path, 'claims', '0.json'), 'not even JSON')
  if (old) await utimes(path, LONG_AGO, LONG_AGO)
  return path
}

describe('a visit', () => {
  it('makes no pool where there is none', async t => {
    const { folder, visit } = await setUp(t)
    await assert.rejects(visit(), failure('unavailable', /there is no .*pool.json/))
    assert.deepEqual(await readdir(folder), [])
  })

  it('sweeps nothing, and finds the volumes by the same names as the driver', async t => {
    const { at, open, visit } = await setUp(t)
    const opened = await open()
    const path = await remains(at('trash', `${one}.0123456789ab`))
    const visited = await visit()
    assert.equal(visited.idFor('x'), opened.idFor('x'))
    assert.ok(await stat(path))
    await open()
    await assert.rejects(stat(path))
  })
})

describe('an inventory', () => {
  it('lists volumes with their claims, sizes and age', async t => {
    const { at, add, open, visit } = await setUp(t)
    await add(one)
    await add(two)
    await (await open()).claim(two, claim)
    await utimes(at('volumes', one, 'claims'), LONG_AGO, LONG_AGO)
    await utimes(at('volumes', one), LONG_AGO, LONG_AGO)
    const { root, volumes, ...rest } = await (await visit()).inventory()
    assert.equal(root, at())
    assert.deepEqual(rest, { snapshots: [], groups: [], remains: [], drafts: [] })
    assert.deepEqual(volumes.map(({ id }) => id).sort(), [one, two].sort())
    const [first, second] = [one, two].map(id => volumes.find(each => each.id === id))
    assert.ok(first && second)
    assert.equal(first.changed.getTime(), LONG_AGO.getTime())
    assert.ok(second.changed.getTime() > LONG_AGO.getTime())
    assert.deepEqual(second.claims, [claim])
    assert.deepEqual([first.volume?.id, first.createdSize, first.data?.size], [one, MIB, MIB])
    assert.deepEqual(first.unreadable, [])
  })

  it('names what cannot be read, what is gone and what was cut, and reads on', async t => {
    const { at, add, visit } = await setUp(t)
    await add(one)
    await add(two)
    await writeFile(at('volumes', one, 'volume.json'), '{"kind":"volume","version":9,"content":{}}')
    await writeFile(at('volumes', one, 'claims', 'x.json'), '{')
    await rm(at('volumes', one, 'data'))
    await truncate(at('volumes', two, 'data'), 5)
    await mkdir(at('volumes', 'empty'))
    await writeFile(at('volumes', two, 'claims', 'y.json.0123456789ab.tmp'), '{')
    const { volumes, drafts } = await (await visit()).inventory()
    const find = (id: string) => volumes.find(each => each.id === id)
    assert.deepEqual(
      find(one)?.unreadable.map(({ path }) => path),
      [at('volumes', one, 'volume.json'), at('volumes', one, 'claims', 'x.json')],
    )
    assert.match(find(one)?.unreadable[0]?.why ?? '', /version 9/)
    assert.deepEqual([find(one)?.volume, find(one)?.data], [undefined, undefined])
    assert.deepEqual([find(two)?.data?.size, find(two)?.createdSize], [5n, MIB])
    assert.deepEqual([find('empty')?.volume, find('empty')?.unreadable], [undefined, []])
    assert.deepEqual(
      drafts.map(({ path }) => path),
      [at('volumes', two, 'claims', 'y.json.0123456789ab.tmp')],
    )
  })
})

describe('discarding', () => {
  it('takes what is stale, and nothing that is young, claimed, or not among the remains', async t => {
    const { at, add, open, visit } = await setUp(t)
    await add(one)
    const stale = await remains(at('drafts', `${two}.0`))
    const young = await remains(at('drafts', `${two}.1`), { old: false })
    const claimed = await remains(at('trash', `${two}.2`), { claimed: true })
    const pool = await visit()
    assert.deepEqual(
      (await pool.inventory()).remains.map(each => [each.path, each.stale, each.claimed]),
      [
        [stale, true, false],
        [young, false, false],
        [claimed, false, true],
      ],
    )
    await pool.discard(stale)
    await pool.discard(stale)
    await assert.rejects(pool.discard(young), failure('failed-precondition', /may still work on it/))
    await assert.rejects(pool.discard(claimed), failure('failed-precondition', /has a claim/))
    await utimes(at('volumes', one), LONG_AGO, LONG_AGO)
    await pool.discard(at('volumes', one))
    await pool.discard(at('drafts', '..', 'volumes', one))
    assert.deepEqual([await readdir(at('drafts')), await readdir(at('trash'))], [[`${two}.1`], [`${two}.2`]])
    assert.equal((await (await open()).get(one)).id, one)
  })
})
