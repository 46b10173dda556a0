// Tests of wiping: only what nothing reaches is emptied, nobody can publish it meanwhile, and a repeat ends what a crash left.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { failure, MIB, MOUNT, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { localHost } from '../host/local.ts'
import { filePool } from '../pools/file.ts'
import type { Pool } from '../pools/pool.ts'
import { loop } from '../transports/loop.ts'
import type { Exporter } from '../transports/transport.ts'
import { WIPER } from '../volume/claim.ts'
import { VolumeInUse } from '../volume/errors.ts'
import type { Claim } from '../volume/types.ts'
import { unpublishVolume } from './publish-volume.ts'
import type { ControllerSite } from './site.ts'
import { wipeVolume } from './wipe-volume.ts'

const op = testOp()
const claim: Claim = { node: 'n', readonly: false, capability: MOUNT, blank: false }

/** A volume that holds data, on a controller whose exporter answers as told. */
async function written(
  t: TestContext,
  exporter: Partial<Exporter> = {},
  pooled: (pool: Pool) => Partial<Pool> = () => ({}),
) {
  const folder = await temporaryFolder(t)
  const host = localHost()
  const pool = await filePool.open(host, 'p', { type: 'file', path: folder, overcommit: 1, sectorSize: 512 })
  const id = pool.idFor('name')
  const spec = { id, name: 'name', capabilities: [MOUNT], parameters: {}, transport: 'loop', sectorSize: 512 }
  await pool.create({ ...spec, segments: {} }, 4n * MIB, op)
  const { path } = await pool.backing(id)
  await host.run(
    {
      file: 'dd',
      args: ['if=/dev/urandom', `of=${path}`, 'bs=1M', 'count=1', 'conv=notrunc', 'status=none'],
      timeoutMs: 10_000,
      onAbort: 'finish',
    },
    op,
  )
  assert.equal(await pool.isBlank(id, op), false)
  const meddled = new Proxy(pool, {
    get: (target, key) => {
      const own = (pooled(pool) as Record<string | symbol, unknown>)[key]
      const value: unknown = own ?? Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const exporters = new Map([['loop', { ...loop.exporter(host, { nodeId: 'n' }), ...exporter }]])
  const settings = { defaultPool: 'p', defaultTransport: 'loop', segments: {}, nodeId: 'n', maxVolumesPerNode: 0 }
  const site: ControllerSite = { ...settings, pools: new Map([['p', meddled]]), exporters }
  return { pool, id, site }
}

describe('wiping a volume', () => {
  it('makes it blank, with its size, and gives up its claim', async t => {
    const { pool, id, site } = await written(t)
    await wipeVolume(site, id, op)
    assert.equal(await pool.isBlank(id, op), true)
    assert.equal((await pool.get(id)).size, 4n * MIB)
    assert.deepEqual(await pool.claims(id), [])
    await wipeVolume(site, id, op)
  })

  it('is refused, with every byte left, while a node holds it or a device shows it', async t => {
    const held = await written(t)
    await held.pool.claim(held.id, claim)
    await assert.rejects(wipeVolume(held.site, held.id, op), failure('failed-precondition', /n\b/))
    assert.deepEqual(await held.pool.claims(held.id), [claim])

    const requireUnused = () => Promise.reject(new VolumeInUse({ asked: 'wipe', found: 'attached', next: '' }))
    const shown = await written(t, { requireUnused })
    await assert.rejects(wipeVolume(shown.site, shown.id, op), failure('failed-precondition', /attached/))
    assert.deepEqual(await shown.pool.claims(shown.id), [])
    for (const { pool, id } of [held, shown]) assert.equal(await pool.isBlank(id, op), false)
  })

  it('keeps nodes away while it lasts', async t => {
    const seen: unknown[] = []
    const requireUnused = async () => {
      seen.push((await lab.pool.claims(lab.id)).map(each => each.node))
      seen.push(await lab.pool.claim(lab.id, claim).catch((error: Error) => error.name))
    }
    const lab = await written(t, { requireUnused })
    await wipeVolume(lab.site, lab.id, op)
    assert.deepEqual(seen, [[WIPER], 'VolumeInUse'])
    await lab.pool.claim(lab.id, claim)
  })

  it('is not ended by an unpublish from every node', async t => {
    const { pool, id, site } = await written(t)
    await pool.claim(id, { ...claim, node: WIPER })
    await unpublishVolume(site, id, undefined, op)
    assert.deepEqual(
      (await pool.claims(id)).map(({ node }) => node),
      [WIPER],
    )
    await pool.release(id, WIPER)
    await pool.claim(id, claim)
    await unpublishVolume(site, id, undefined, op)
    assert.deepEqual(await pool.claims(id), [])
  })

  it('is ended by a repeat when a crash left its claim', async t => {
    const { pool, id, site } = await written(t)
    await pool.claim(id, { ...claim, node: WIPER })
    await wipeVolume(site, id, op)
    assert.deepEqual([await pool.isBlank(id, op), await pool.claims(id)], [true, []])
  })

  it('that fails is not called done, and can be repeated', async t => {
    let broken = true
    const { pool, id, site } = await written(t, {}, real => ({
      wipe: async (...args) => {
        if (broken) throw new Error('EIO')
        await real.wipe(...args)
      },
    }))
    await assert.rejects(wipeVolume(site, id, op), /EIO/)
    assert.deepEqual([await pool.isBlank(id, op), await pool.claims(id)], [false, []])
    broken = false
    await wipeVolume(site, id, op)
    assert.equal(await pool.isBlank(id, op), true)
  })

  it('of no volume is not found', async t => {
    const { site } = await written(t)
    for (const id of ['vol-p-00000000000000000000000000000000', '../../etc', ''])
      await assert.rejects(wipeVolume(site, id, op), failure('not-found'))
  })
})
