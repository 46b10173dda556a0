// Layout per-node from publish to unpublish, with a pool on a disk and the kernel's target in memory.
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { expandVolume } from '../../src/controller/expand-volume.ts'
import { describeVolume } from '../../src/controller/list-volumes.ts'
import { publishVolume, unpublishVolume } from '../../src/controller/publish-volume.ts'
import { restoreExports } from '../../src/controller/restore-exports.ts'
import type { IscsiSettings } from '../../src/schema/shapes/config.ts'
import { lio } from '../../src/transports/iscsi/lio.ts'
import { nodeTargetName, serialOf, targetName } from '../../src/transports/iscsi/names.ts'
import { type IscsiRoute, parseIscsiRoute } from '../../src/transports/iscsi/route.ts'
import { encodeVolumeId } from '../../src/volume/ids.ts'
import { type FakeConfigfs, fakeConfigfs } from '../fake-configfs.ts'
import { fakeTarget } from '../fake-target.ts'
import { BLOCK, failure, MIB, temporaryFolder, testOp } from '../fixtures.ts'
import { NODE, siteOf } from '../network-site.ts'

const op = testOp()
const A = NODE.slice(2)
const TARGET = nodeTargetName('p', A)

/** A storage host with this pool: each call is a boot, or a restart with other settings if it is given a kernel. */
async function boot(path: string, iscsi: Partial<IscsiSettings> = {}, kernel: FakeConfigfs = fakeConfigfs()) {
  const all = await siteOf(path, lio.open(kernel.host), { layout: 'per-node', ...iscsi })
  const see = async () => {
    for (const id of await all.pool.list()) {
      const { path: file, size } = await all.pool.backing(id)
      kernel.files.set(file, size)
    }
  }
  await see()
  return {
    ...all,
    kernel,
    see,
    async make(name: string) {
      const id = await all.make(name)
      await see()
      return id
    },
    publish: async (id: string, node = NODE): Promise<IscsiRoute> =>
      parseIscsiRoute(id, node.slice(2), await all.publish(id, node)),
    unpublish: (id: string, node = NODE) => unpublishVolume(all.site, id, node, op),
    filesReached: (target = TARGET) =>
      kernel
        .reached(target)
        .map(({ file }) => file.split('/').at(-2))
        .sort(),
  }
}

const start = async (t: TestContext, iscsi: Partial<IscsiSettings> = {}) => {
  const path = await temporaryFolder(t)
  return { path, ...(await boot(path, iscsi)) }
}

async function withKey(t: TestContext) {
  const chapKeyFile = join(await temporaryFolder(t), 'key')
  await writeFile(chapKeyFile, `${'k'.repeat(32)}\n`)
  return { chap: 'mutual', chapKeyFile } as const
}

describe('layout per-node', () => {
  it('serves all volumes of a node by one target, and takes one away without touching the others', async t => {
    const { kernel, site, make, publish, unpublish, filesReached } = await start(t)
    const [one, two] = [await make('one'), await make('two')]
    const routes = [await publish(one), await publish(two)]
    assert.deepEqual([...new Set(routes.map(({ target }) => target))], [TARGET])
    assert.notEqual(routes[0]?.lun, routes[1]?.lun)
    assert.deepEqual(await publish(one), routes[0], 'a repeat answers the same')
    assert.ok(kernel.login(TARGET, A))
    assert.equal((await describeVolume(site, one, op)).condition.abnormal, false)
    const exporter = site.exporters.get('iscsi')
    await assert.rejects(async () => await exporter?.requireUnused(one, op), failure('failed-precondition', /node\.a/))
    await unpublish(one)
    assert.deepEqual([filesReached(), kernel.sessions(TARGET)], [[two], 1])
    await exporter?.requireUnused(one, op)
    await unpublish(two)
    assert.deepEqual(
      kernel.dump().filter(line => /vol-|node-/.test(line)),
      [],
    )
  })

  it('gives each publish another number: a disk that a node kept is never another volume, nor this one again', async t => {
    const { make, publish, unpublish } = await start(t)
    const [one, two] = [await make('one'), await make('two')]
    await publish(two)
    const first = await publish(one)
    await unpublish(one)
    assert.notEqual((await publish(one)).lun, first.lun)
  })

  it('serves several nodes, each by its own target', async t => {
    const { kernel, make, publish, unpublish, pool, filesReached } = await start(t)
    const B = 'b/iqn.2026-01.dev.ashlar:node.b'
    const id = await make('one')
    await publish(id)
    await assert.rejects(publish(id, B), failure('failed-precondition', /published to node a/))
    await unpublish(id)
    const route = await publish(id, B)
    assert.equal(route.target, nodeTargetName('p', B.slice(2)))
    assert.deepEqual([filesReached(), filesReached(route.target)], [[], [id]])
    assert.deepEqual([kernel.login(route.target, A), kernel.login(route.target, B.slice(2))], [false, true])
    assert.equal((await pool.claims(id)).length, 1)
  })

  it('publishes many at once to a node that has none: one session for all', async t => {
    const { kernel, make, publish, filesReached } = await start(t, await withKey(t))
    const ids = await Promise.all(['1', '2', '3', '4', '5'].map(make))
    const routes = await Promise.all(ids.map(id => publish(id)))
    assert.equal(new Set(routes.map(({ chap }) => JSON.stringify(chap))).size, 1)
    assert.ok(kernel.login(TARGET, A))
    assert.deepEqual(filesReached(), ids.sort())
  })

  it('keeps the secrets while the node has a volume, also if the key file changes, and makes others afterwards', async t => {
    const settings = await withKey(t)
    const { kernel, make, publish, unpublish } = await start(t, settings)
    const [one, two] = [await make('one'), await make('two')]
    const first = await publish(one)
    const [before] = kernel.open(TARGET)
    assert.ok(before?.password && before.targetPassword)
    await writeFile(settings.chapKeyFile, `${'n'.repeat(32)}\n${'k'.repeat(32)}\n`)
    assert.deepEqual((await publish(two)).chap, first.chap)
    await unpublish(one)
    assert.equal(kernel.open(TARGET)[0]?.password, before.password)
    await unpublish(two)
    const next = await publish(one)
    assert.notDeepEqual(next.chap, first.chap)
    assert.notEqual(kernel.open(TARGET)[0]?.password, before.password)
    assert.ok(
      !JSON.stringify([first, next], (_, each) => (typeof each === 'bigint' ? '' : each)).includes(before.password),
    )
  })

  it('publishes read-only, and grows what is published', async t => {
    const { kernel, site, make, see, pool } = await start(t)
    const id = await make('one')
    await publishVolume(site, { id, node: NODE, capability: BLOCK, readonly: true }, op)
    const grow = pool.grow.bind(pool)
    pool.grow = async (...args) => {
      const grown = await grow(...args)
      await see()
      return grown
    }
    await expandVolume(site, id, { required: 2n * MIB, limit: 0n }, op)
    assert.equal((await site.exporters.get('iscsi')?.exports(op))?.get(id)?.size, 2n * MIB)
    assert.deepEqual(
      kernel.reached(TARGET).map(({ access }) => access),
      ['read-only'],
    )
  })
})

describe('layout per-node, after a reboot of the storage host', () => {
  it('lets no node in before all of its volumes are there again: those that are missing would fail', async t => {
    const { path, make, publish } = await start(t, await withKey(t))
    const ids = [await make('one'), await make('two'), await make('three')]
    for (const id of ids) await publish(id)
    const after = await boot(path, await withKey(t))
    const [lost = ''] = [...after.kernel.files.keys()].filter(file => file.includes(ids[1] ?? ''))
    after.kernel.files.delete(lost)
    after.kernel.before = () => assert.deepEqual(after.kernel.open(TARGET), [])
    await restoreExports(after.site, op)
    assert.equal(after.kernel.login(TARGET, A), false)
    const { condition } = await describeVolume(after.site, ids[0] ?? '', op)
    assert.match(condition.message, /accepts no logins/)
    const caller = new AbortController()
    setTimeout(() => caller.abort(), 50)
    const fourth = await after.make('four')
    after.kernel.files.delete(lost)
    const ready = after.site.exporters.get('iscsi')?.ready
    const [claim] = await after.pool.claims(ids[0] ?? '')
    assert.ok(ready && claim)
    await assert.rejects(ready(ids[0] ?? '', claim, testOp(caller.signal)), failure('cancelled'))
    await after.see()
    after.kernel.before = () => undefined
    await restoreExports(after.site, op)
    assert.ok(after.kernel.login(TARGET, A))
    assert.deepEqual(after.filesReached(), [...ids].sort())
    assert.equal(await restoreExports(after.site, op), 0)
    await after.publish(fourth)
    assert.equal(after.kernel.sessions(TARGET), 1)
  })

  it('opens when what cannot come back is unpublished', async t => {
    const { path, make, publish } = await start(t)
    const ids = [await make('one'), await make('two')]
    for (const id of ids) await publish(id)
    const after = await boot(path)
    for (const file of after.kernel.files.keys()) if (file.includes(ids[1] ?? '')) after.kernel.files.delete(file)
    await restoreExports(after.site, op)
    assert.equal(after.kernel.login(TARGET, A), false)
    await after.unpublish(ids[1] ?? '')
    await restoreExports(after.site, op)
    assert.ok(after.kernel.login(TARGET, A))
  })
})

describe('a change of the layout', () => {
  it('cuts nothing: what is published stays as it is until it is unpublished, over a reboot too', async t => {
    const { path, kernel, make, publish } = await start(t, { layout: 'per-volume' })
    const [old, young] = [await make('old'), await make('young')]
    const before = await publish(old)
    assert.equal(before.target, targetName(old))
    assert.ok(kernel.login(before.target, A))
    const changed = await boot(path, {}, kernel)
    const exported = kernel.dump()
    assert.equal(await restoreExports(changed.site, op), 0)
    assert.deepEqual(await changed.publish(old), before)
    assert.deepEqual([kernel.dump(), kernel.sessions(before.target)], [exported, 1])
    assert.equal((await changed.publish(young)).target, TARGET)

    const rebooted = await boot(path)
    assert.equal(await restoreExports(rebooted.site, op), 2)
    assert.ok(rebooted.kernel.login(targetName(old), A) && rebooted.kernel.login(TARGET, A))
    assert.deepEqual([rebooted.filesReached(targetName(old)), rebooted.filesReached()], [[old], [young]])

    const back = await boot(path, { layout: 'per-volume' }, rebooted.kernel)
    assert.equal(await restoreExports(back.site, op), 0)
    await back.unpublish(old)
    assert.equal((await back.publish(old)).target, targetName(old))
    assert.deepEqual([back.filesReached(), rebooted.kernel.sessions(TARGET)], [[young], 1])
    await back.unpublish(young)
    assert.equal((await back.publish(young)).target, targetName(young))
  })

  it('leaves no way of before open, if the claim that gave it was taken away by hand', async t => {
    const { path, kernel, make, publish, pool } = await start(t, { layout: 'per-volume' })
    const id = await make('one')
    await publish(id)
    assert.ok(kernel.login(targetName(id), A))
    await pool.release(id, NODE)
    const changed = await boot(path, {}, kernel)
    await changed.publish(id)
    assert.deepEqual([kernel.open(targetName(id)), kernel.sessions(targetName(id))], [[], 0])
    assert.deepEqual(changed.filesReached(), [id])
  })

  it('makes claims that older versions refuse: they would take the right away elsewhere', async t => {
    const { path, make, publish } = await start(t)
    const [id] = [await make('one')]
    const claimsOf = async () => {
      const folder = join(path, 'volumes', id, 'claims')
      return (await Promise.all((await readdir(folder)).map(name => readFile(join(folder, name), 'utf8')))).join()
    }
    await publish(id)
    assert.match(await claimsOf(), /"version": 2/)
    const { make: makeOther, publish: publishOther, path: folder } = await start(t, { layout: 'per-volume' })
    const other = await makeOther('two')
    await publishOther(other)
    const [name = ''] = await readdir(join(folder, 'volumes', other, 'claims'))
    assert.match(await readFile(join(folder, 'volumes', other, 'claims', name), 'utf8'), /"version": 1/)
  })

  it('to a target that has no LUNs to give and take is refused for what needs them', async t => {
    const { path, make, publish } = await start(t)
    const id = await make('one')
    await publish(id)
    const { site, publish: again } = await siteOf(path, fakeTarget())
    await assert.rejects(again(id), (error: Error) => /below a target of the node/.test(error.message))
    await restoreExports(site, op)
  })
})

describe('restoring targets of nodes', () => {
  it('takes away what no claim gives', async t => {
    const { kernel, site, pool, make, publish, filesReached } = await start(t)
    const [one, two] = [await make('one'), await make('two')]
    for (const id of [one, two]) await publish(id)
    assert.ok(kernel.login(TARGET, A))
    await pool.release(one, NODE)
    await restoreExports(site, op)
    assert.deepEqual([filesReached(), kernel.sessions(TARGET)], [[two], 1])
    const B = 'iqn.2026-01.dev.ashlar:node.b'
    const ofOthers = encodeVolumeId('p', 'of another driver with a pool of this name')
    const { nodes } = lio.open(kernel.host)
    const target = nodeTargetName('p', B)
    for (const [lun, id] of [two, ofOthers].entries()) {
      const backing = { path: id === two ? (await pool.backing(id)).path : `/elsewhere/${id}/data`, size: MIB }
      kernel.files.set(backing.path, MIB)
      const rights = [{ initiator: B, readonly: false, lun }]
      const rest = { rights, portals: ['10.0.0.1:3260'], serial: serialOf(id), sectorSize: 512 }
      await nodes?.add({ id, lun, target, backing, ...rest }, op)
    }
    await nodes?.open(target, op)
    await restoreExports(site, op)
    assert.deepEqual([filesReached(nodeTargetName('p', B)), filesReached()], [[ofOthers], [two]])
    await pool.release(two, NODE)
    await restoreExports(site, op)
    assert.equal(kernel.login(TARGET, A), false)
    assert.deepEqual(
      kernel.dump().filter(line => line.includes(one) || line.includes(two)),
      [],
    )
  })
})
