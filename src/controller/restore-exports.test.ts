// Tests of restoring: exports are what the claims say, after a reboot and beside calls, and what is not ours stays.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fakeTarget } from '../../test/fake-target.ts'
import { temporaryFolder, testOp } from '../../test/fixtures.ts'
import { NODE, networkSite } from '../../test/network-site.ts'
import { targetName } from '../transports/iscsi/names.ts'
import { unpublishVolume } from './publish-volume.ts'
import { restoreExports } from './restore-exports.ts'
import { wipeVolume } from './wipe-volume.ts'

const op = testOp()
const OTHER = 'b/iqn.2026-01.dev.ashlar:node.b'

/** One volume that is published, and what is exported of it. */
async function published(t: TestContext) {
  const net = await networkSite(t)
  const id = await net.make('one')
  await net.publish(id)
  const document = net.fake.documents.get(targetName(id))
  assert.ok(document)
  return { ...net, id, document }
}

describe('restoring exports', () => {
  it('brings back what a reboot took, and then has nothing more to do', async t => {
    const { site, fake, make, publish } = await networkSite(t)
    const ids = [await make('one'), await make('two'), await make('never published')]
    for (const id of ids.slice(0, 2)) await publish(id)
    const before = new Map(fake.documents)
    assert.equal(await restoreExports(site, op), 0)
    fake.forget()
    assert.equal(await restoreExports(site, op), 2)
    assert.deepEqual(fake.documents, before)
    assert.equal(await restoreExports(site, op), 0)
  })

  it('takes away rights and exports that no claim gives', async t => {
    const { site, pool, fake, id, document } = await published(t)
    const stranger = { initiator: 'iqn.2026-01.dev.ashlar:node.evil', readonly: false, lun: 5 }
    fake.documents.set(document.target, { ...document, rights: [...document.rights, stranger] })
    await restoreExports(site, op)
    assert.deepEqual(fake.documents.get(document.target), document)
    await pool.release(id, NODE)
    await restoreExports(site, op)
    assert.equal(fake.documents.size, 0)
  })

  it('gives nobody more where a publish that was cut short left a claim beside another', async t => {
    const { site, pool, fake, make, publish } = await networkSite(t)
    const id = await make('one')
    await publish(id)
    const before = fake.documents.get(targetName(id))
    const OTHER = 'b/iqn.2026-01.dev.ashlar:node.b'
    const claims = pool.claims.bind(pool)
    const [own] = await claims(id)
    // As if the other controller had died between writing its claim and looking at the others.
    pool.claims = async each => [...(await claims(each)), ...(own ? [{ ...own, node: OTHER }] : [])]
    await restoreExports(site, op)
    assert.deepEqual(fake.documents.get(targetName(id)), before)
    pool.claims = claims
    // The same while it looks at them: its own claim goes again.
    let looks = 0
    pool.claims = async each => {
      looks += 1
      if (looks === 2) throw new Error('EIO')
      return await claims(each)
    }
    const two = await make('two')
    await assert.rejects(publish(two, OTHER), /EIO/)
    pool.claims = claims
    assert.deepEqual(await pool.claims(two), [])
  })

  it('asks for the proof that was asked for at the publish, though the key is another now', async t => {
    const chapKeyFile = join(await temporaryFolder(t), 'key')
    await writeFile(chapKeyFile, 'o'.repeat(32))
    const { site, fake, make, publish } = await networkSite(t, fakeTarget(), { chap: 'mutual', chapKeyFile })
    const id = await make('one')
    await publish(id)
    const password = () => fake.documents.get(targetName(id))?.rights[0]?.chap?.password.reveal()
    const before = password()
    assert.ok(before)
    await writeFile(chapKeyFile, `${'n'.repeat(32)}\n${'o'.repeat(32)}\n`)
    fake.forget()
    assert.equal(await restoreExports(site, op), 1)
    assert.equal(password(), before)
  })

  it('gives nothing to who empties a volume', async t => {
    const { site, pool, fake, make } = await networkSite(t)
    const id = await make('one')
    const empty = pool.wipe.bind(pool)
    let changed = 0
    pool.wipe = async (...args) => {
      changed = await restoreExports(site, op)
      await empty(...args)
    }
    await wipeVolume(site, id, op)
    assert.deepEqual([changed, fake.documents.size], [0, 0])
  })

  it('leaves alone what shows another file, and volumes that it does not know', async t => {
    const { site, fake, document } = await published(t)
    const foreign = { ...document, backing: { ...document.backing, path: '/elsewhere/data' } }
    const unknown = { ...document, target: targetName('vol-q-00000000000000000000000000000000') }
    fake.documents.set(foreign.target, foreign)
    fake.documents.set(unknown.target, unknown)
    assert.equal(await restoreExports(site, op), 0)
    assert.deepEqual([...fake.documents.values()], [foreign, unknown])
  })

  it('completes what a killed controller left half-made', async t => {
    const { site, fake, document } = await published(t)
    fake.documents.set(document.target, { ...document, backing: { path: '', size: 0n }, rights: [] })
    assert.equal(await restoreExports(site, op), 1)
    assert.deepEqual(fake.documents.get(document.target), document)
  })

  it('takes away an export that is whole and serves nobody, which would keep its volume from being deleted', async t => {
    const { site, pool, fake, id, document } = await published(t)
    await pool.release(id, NODE)
    fake.documents.set(document.target, { ...document, rights: [] })
    assert.equal(await restoreExports(site, op), 1)
    assert.equal(fake.documents.size, 0)
  })

  it('does not make anew what a publish made while it waited', async t => {
    const { site, pool, fake, make, publish } = await networkSite(t)
    const id = await make('one')
    // It finds the claim of a publish that has not come to its export, and waits for its end.
    const alone = pool.alone.bind(pool)
    const apply = fake.apply.bind(fake)
    let restoring: Promise<number> | undefined
    fake.apply = async (...args) => {
      fake.apply = apply
      await new Promise<void>(resolve => {
        pool.alone = async (...rest) => {
          resolve()
          return await alone(...rest)
        }
        restoring = restoreExports(site, op)
      })
      await apply(...args)
    }
    await publish(id)
    assert.equal(await restoring, 0)
    assert.equal(fake.calls.filter(call => call.startsWith('apply')).length, 1)
  })

  it('does not give back a right that is being taken away, whenever it looks', async t => {
    const fake = fakeTarget()
    const { site, make, publish } = await networkSite(t, fake)
    const id = await make('one')
    await publish(id)
    // It reads the claim, and then has to wait until the unpublish has come to its end.
    const revoke = fake.revoke.bind(fake)
    let restoring: Promise<number> | undefined
    fake.revoke = async (...args) => {
      await revoke(...args)
      restoring = restoreExports(site, op)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    await unpublishVolume(site, id, NODE, op)
    await restoring
    assert.equal(fake.documents.size, 0)
    await publish(id, OTHER)
    assert.deepEqual(
      fake.documents.get(targetName(id))?.rights.map(({ initiator }) => initiator),
      [OTHER.slice(2)],
    )
  })

  it('never throws, and tries the others when one fails', async t => {
    const { site, fake, make, publish } = await networkSite(t)
    const ids = [await make('one'), await make('two')]
    for (const id of ids) await publish(id)
    fake.forget()
    const apply = fake.apply.bind(fake)
    fake.apply = async (document, each) => {
      if (document.target === targetName([...ids].sort()[0] ?? '')) throw new Error('EIO')
      await apply(document, each)
    }
    assert.equal(await restoreExports(site, op), 1)
    fake.die()
    assert.equal(await restoreExports(site, op), 0)
  })
})

describe('publishing over a network', () => {
  it('keeps its claim when a failed export cannot be taken back, and gives it up when it can', async t => {
    const { pool, fake, make, publish } = await networkSite(t)
    const id = await make('one')
    const { apply, revoke } = fake
    fake.apply = async (...args) => {
      await apply(...args)
      throw new Error('EIO after all')
    }
    await assert.rejects(publish(id), /EIO after all/)
    assert.deepEqual([fake.documents.size, await pool.claims(id)], [0, []])
    fake.revoke = async () => {
      throw new Error('cannot revoke')
    }
    await assert.rejects(publish(id), /EIO after all/)
    assert.equal((await pool.claims(id)).length, 1)
    Object.assign(fake, { apply, revoke })
    await publish(id)
  })

  it('is ended by the same node under another initiator name', async t => {
    const { site, fake, pool, make, publish } = await networkSite(t)
    const id = await make('one')
    await publish(id)
    await assert.rejects(publish(id, 'a/iqn.2026-01.org.example:renamed'), { kind: 'failed-precondition' })
    await unpublishVolume(site, id, 'a/iqn.2026-01.org.example:renamed', op)
    assert.deepEqual([fake.documents.size, await pool.claims(id)], [0, []])
  })
})
