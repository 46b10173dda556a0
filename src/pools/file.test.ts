// Tests of the file pool's own races, held still at the instants that the contract can only hope to hit.
import assert from 'node:assert/strict'
import { mkdir, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { failure, MIB, MOUNT, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { fakeHost, type Line } from '../host/fake.ts'
import type { HostFiles } from '../host/host.ts'
import { localHost } from '../host/local.ts'
import { underLock } from '../linux/flock.ts'
import { digest, encodeVolumeId } from '../volume/ids.ts'
import type { VolumeSpec } from '../volume/types.ts'
import { filePool } from './file.ts'

const op = testOp()
const id = encodeVolumeId('p', 'one')
const spec: VolumeSpec = {
  id,
  name: 'one',
  capabilities: [MOUNT],
  parameters: {},
  transport: 'loop',
  sectorSize: 512,
  segments: {},
}
const claim = { node: 'n1', readonly: false, capability: MOUNT, blank: true }

/** A pool with one volume, on a host whose file calls a test may replace. */
async function setUp(t: TestContext, script: readonly Line[] = []) {
  const folder = await temporaryFolder(t)
  const host = fakeHost(script)
  const replaced: Partial<HostFiles> = {}
  const files = new Proxy(host.files, { get: (real, key: keyof HostFiles) => replaced[key] ?? real[key] })
  const config = { type: 'file', path: folder, overcommit: 1, sectorSize: 512 } as const
  const pool = await filePool.open({ ...host, files }, 'p', config)
  await pool.create(spec, MIB, op)
  const at = (...more: string[]) => join(folder, ...more)
  return { pool, files: host.files, replaced, at, reopen: () => filePool.open(host, 'p', config) }
}

describe('a claim', () => {
  it('is not held while a delete has the volume moved away: two nodes would each see nobody', async t => {
    const { pool, files, replaced, at } = await setUp(t)
    replaced.list = async path => {
      delete replaced.list
      await rename(at('volumes', id), at('trash', `${id}.1`))
      return await files.list(path)
    }
    await assert.rejects(pool.claim(id, claim), failure('unavailable', /being deleted/))
    await rename(at('trash', `${id}.1`), at('volumes', id))
    assert.deepEqual(await pool.claim(id, claim), { claim, isNew: false })
  })

  it('that a crash cut short does not count', async t => {
    const { pool, at } = await setUp(t)
    await writeFile(at('volumes', id, 'claims', 'abc.json.0123456789ab.tmp'), '{"kind":"cl')
    assert.deepEqual(await pool.claims(id), [])
    await pool.delete(id, op)
    assert.equal(await pool.find(id), undefined)
  })
})

describe('a delete', () => {
  it('that finds a claim after it moved the volume puts everything back', async t => {
    const { pool, files, replaced, at } = await setUp(t)
    await writeFile(at('volumes', id, 'data'), 'precious')
    replaced.rename = async (from, to) => {
      delete replaced.rename
      await pool.claim(id, claim) // the last instant before the rename
      return await files.rename(from, to)
    }
    await assert.rejects(pool.delete(id, op), failure('failed-precondition', /node n1/))
    assert.equal(await files.read(at('volumes', id, 'data')), 'precious')
    assert.deepEqual(await pool.claims(id), [claim])
    assert.deepEqual(await readdir(at('trash')), [])
  })

  it('of a claimed volume does not even move it', async t => {
    const { pool, replaced } = await setUp(t)
    await pool.claim(id, claim)
    replaced.rename = () => assert.fail('it was moved')
    await assert.rejects(pool.delete(id, op), failure('failed-precondition', /node n1/))
  })

  it('never removes what the pool did not make', async t => {
    const { pool, at } = await setUp(t)
    await writeFile(at('volumes', id, 'notes.txt'), 'somebody’s')
    await assert.rejects(pool.delete(id, op), { code: 'ENOTEMPTY' })
    const [kept = ''] = await readdir(at('trash'))
    assert.deepEqual(await readdir(at('trash', kept)), ['notes.txt'])
  })
})

describe('the sweep', () => {
  it('leaves alone what is young, and what holds a claim', async t => {
    const { pool, at, reopen } = await setUp(t)
    await pool.claim(id, claim)
    await rename(at('volumes', id), at('trash', `${id}.1`))
    const longAgo = new Date(Date.now() - 24 * 3600_000)
    await utimes(at('trash', `${id}.1`), longAgo, longAgo)
    await writeFile(at('drafts', 'young'), '')
    await reopen()
    assert.deepEqual([await readdir(at('trash')), await readdir(at('drafts'))], [[`${id}.1`], ['young']])
    await rm(at('drafts', 'young'))
  })

  it('removes locks that nobody has, and neither those of volumes nor what is no lock', async t => {
    const { pool, at } = await setUp(t)
    const host = localHost()
    const config = { type: 'file', path: at(), overcommit: 1, sectorSize: 512 } as const
    await pool.alone(id, op, async () => undefined)
    await mkdir(at('locks'), { recursive: true })
    const [own, dead, busy] = [id, 'dead', 'busy'].map(digest) as [string, string, string]
    for (const name of [own, dead, 'notes.txt']) await writeFile(at('locks', name), '')
    await underLock(host, { path: at('locks', busy), isKept: async () => true }, op, async () => {
      await filePool.open(host, 'p', config)
      assert.deepEqual(await readdir(at('locks')), [own, busy, 'notes.txt'].sort())
    })
    await filePool.open(host, 'p', config)
    assert.deepEqual(await readdir(at('locks')), [own, 'notes.txt'].sort())
  })
})

it('a snapshot that is deleted as soon as it shows is not made again by the call that cut it', async t => {
  const clone = [{ run: /^cp --reflink=always / }, { run: /^sync / }]
  const copy = [{ run: /^cp --reflink=never / }, { run: /^sync / }]
  const { pool, files, replaced, at } = await setUp(t, [...clone, ...copy])
  const { snapshots } = pool
  assert.ok(snapshots)
  const snapshot = snapshots.idFor('cut')
  replaced.rename = async (from, to) => {
    delete replaced.rename
    const isMade = await files.rename(from, to)
    await snapshots.delete(snapshot, op)
    return isMade
  }
  await assert.rejects(
    snapshots.create({ id: snapshot, name: 'cut', source: id }, async () => undefined, op),
    failure('aborted', /deleted meanwhile/),
  )
  assert.deepEqual([await readdir(at('snapshots')), await readdir(at('drafts'))], [[], []])
})

it('creating removes its draft when it fails half-way', async t => {
  const { pool, replaced, at } = await setUp(t)
  replaced.createSparse = () => Promise.reject(new Error('ENOSPC'))
  await assert.rejects(pool.create({ ...spec, id: encodeVolumeId('p', 'two') }, MIB, op), /ENOSPC/)
  assert.deepEqual(await readdir(at('drafts')), [])
})
