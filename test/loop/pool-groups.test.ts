// Tests of groups in the file pool: there with all their snapshots or not at all, whatever fails or dies at whichever step.
import assert from 'node:assert/strict'
import { readdir, unlink } from 'node:fs/promises'
import { describe, it, type TestContext } from 'node:test'
import type { Host } from '../../src/host/host.ts'
import { localHost } from '../../src/host/local.ts'
import { filePool } from '../../src/pools/file.ts'
import { encodeVolumeId } from '../../src/volume/ids.ts'
import type { VolumeId } from '../../src/volume/types.ts'
import { one, places, setUp, specOf, unused } from '../copy-lab.ts'
import { failure, MIB, testOp } from '../fixtures.ts'

const op = testOp()
const two = encodeVolumeId('p', 'two')
const sources = [one, two].sort()
const free = async () => async () => undefined

async function withTwo(t: TestContext) {
  const lab = await setUp(t, { clones: true })
  await lab.pool.create(specOf('two'), 8n * MIB, op)
  await lab.write(two, 'also')
  const groups = async () => (await lab.reopen()).groups ?? assert.fail('no groups')
  const own = await groups()
  const wanted = { id: own.idFor('g'), name: 'g', sources }
  const left = async () => [...(await places(lab)), await readdir(lab.at('groups')), await lab.pool.snapshots.list()]
  return { ...lab, groups: own, wanted, left, lab }
}

const NOTHING = [[], [], [], []]

describe('a group', () => {
  it('is cut while its volumes are paused, and answered again without a pause', async t => {
    const { groups, wanted, lab } = await withTwo(t)
    const said: string[] = []
    lab.meddle = async ({ args }) => {
      said.push(String(args.at(-1)).split('/').at(-1) ?? '')
    }
    const pause = async () => {
      said.push('pause')
      return async () => {
        said.push('resume')
      }
    }
    const group = await groups.create(wanted, pause, op)
    assert.deepEqual(said, ['data', 'pause', 'data.0', 'data.1', 'resume']) // the first finds out whether it can be done
    assert.deepEqual(await groups.create(wanted, () => assert.fail('again'), op), group)
    assert.deepEqual(await groups.find(wanted.id), group)
    assert.deepEqual(
      group.snapshots.map(each => [each.source, each.group, each.ready, each.size, each.created]),
      sources.map(id => [id, group.id, true, id === one ? 16n * MIB : 8n * MIB, group.created]),
    )
  })

  it('has snapshots that are found, listed, restored and counted like others, and deleted with it only', async t => {
    const { pool, groups, wanted, lab, left } = await withTwo(t)
    const { available } = await pool.room()
    const { snapshots } = await groups.create(wanted, free, op)
    assert.ok((await pool.room()).available < available)
    const alone = await lab.cut()
    assert.deepEqual(await pool.snapshots.list(), [...snapshots.map(({ id }) => id), alone.id].sort())
    for (const snapshot of snapshots) {
      assert.deepEqual(await pool.snapshots.find(snapshot.id), snapshot)
      const copy = await lab.restore(`copy of ${snapshot.source}`, { kind: 'snapshot', id: snapshot.id })
      assert.equal(await lab.read(copy.id), snapshot.source === one ? 'then' : 'also')
      await assert.rejects(pool.snapshots.delete(snapshot.id, op), failure('invalid-argument', /delete the group/))
    }
    const { groups: kept } = await pool.inventory()
    assert.deepEqual(
      kept.map(({ id, group, damaged }) => [id, group?.snapshots, damaged]),
      [[wanted.id, snapshots, []]],
    )
    await pool.snapshots.delete(alone.id, op)
    await unlink(lab.at('groups', wanted.id, 'data.1'))
    assert.deepEqual((await pool.inventory()).groups[0]?.damaged, [snapshots[1]?.id])
    assert.equal((await groups.find(wanted.id))?.snapshots[1]?.ready, false)
    for (let round = 0; round < 2; round += 1) await groups.delete(wanted.id, op)
    assert.deepEqual(await left(), NOTHING)
    for (const { id } of snapshots) {
      assert.equal(await pool.snapshots.find(id), undefined)
      await pool.snapshots.delete(id, op)
    }
  })

  it('of a pool that cannot clone is refused before anybody is paused', async t => {
    const { groups, wanted, lab, left } = await withTwo(t)
    lab.clones = false
    const refused = failure('failed-precondition', /cannot clone files/)
    await assert.rejects(
      groups.create(wanted, () => assert.fail('paused'), op),
      refused,
    )
    assert.deepEqual(await left(), NOTHING)
  })

  it('is none when a cut, the pause or its end fails, and everybody is let go', async t => {
    const { groups, wanted, lab, left } = await withTwo(t)
    for (const broken of ['data.0', 'data.1', 'pause', 'resume']) {
      let paused = 0
      lab.meddle = async ({ args }) => {
        if (String(args.at(-1)).endsWith(broken)) throw new Error(broken)
      }
      const pause = async () => {
        if (broken === 'pause') throw new Error(broken)
        paused += 1
        return async () => {
          paused -= 1
          if (broken === 'resume') throw new Error(broken)
        }
      }
      await assert.rejects(groups.create(wanted, pause, op), { message: broken })
      assert.equal(paused, 0, broken)
      assert.deepEqual(await left(), NOTHING, broken)
    }
    lab.meddle = async () => undefined
    assert.equal((await groups.create(wanted, free, op)).snapshots.length, 2)
  })

  it('whose driver dies at any step is there whole, or goes with the next one, who ends its pause', async t => {
    const { wanted, left, lab } = await withTwo(t)
    let [deaths, paused] = [0, 0]
    for (let step = 1; ; step += 1) {
      const dying = mortal(step)
      const pool = await filePool.open(dying.host, 'p', {
        type: 'file',
        path: lab.at(),
        overcommit: 1,
        sectorSize: 512,
      })
      const pause = async () => {
        dying.step()
        return async () => undefined
      }
      dying.begin()
      const outcome = await pool.groups?.create(wanted, pause, op).catch((error: unknown) => error)
      if (!dying.isDead()) break
      deaths += 1
      const [drafts = []] = await left()
      const next = (await lab.reopen()).groups
      const resumed: VolumeId[] = []
      await next?.abandon(async id => {
        resumed.push(id)
      }, op)
      if (resumed.length > 0) {
        paused += 1
        assert.deepEqual(resumed, sources)
      }
      const found = await next?.find(wanted.id)
      assert.ok(found ? found.snapshots.every(({ ready }) => ready) : outcome instanceof Error, `step ${step}`)
      if (!found) assert.deepEqual(await left(), NOTHING, `step ${step}, drafts ${drafts.join()}`)
      assert.equal((await next?.create(wanted, free, op))?.snapshots.length, 2)
      await next?.delete(wanted.id, op)
      assert.deepEqual(await left(), NOTHING)
    }
    assert.ok(deaths > 10, `${deaths} steps`)
    assert.ok(paused > 3, `${paused} steps under the pause`)
  })

  it('of a volume that is gone, or that has lost its file, is an error of that', async t => {
    const { pool, groups, wanted, left, lab } = await withTwo(t)
    await unlink(lab.at('volumes', two, 'data'))
    await assert.rejects(groups.create(wanted, free, op), failure('unavailable', /is gone/))
    await pool.delete(two, op)
    await assert.rejects(groups.create(wanted, free, op), failure('not-found'))
    assert.deepEqual(await left(), NOTHING)
    await assert.rejects(
      pool.snapshots.create({ id: pool.snapshots.idFor('s'), name: 's', source: two }, unused, op),
      failure('not-found'),
    )
  })
})

const CHANGES = /^(?:create|make|rename|remove|replace|link|write)/

/** A machine whose driver dies before this change of what it makes; from then on nothing that it wants happens. */
function mortal(last: number) {
  const real = localHost()
  let [steps, counts] = [0, false]
  const step = () => {
    if (!counts) return
    steps += 1
    if (steps >= last) throw new Error('dead')
  }
  const space = async () => ({ total: 1n << 40n, available: 1n << 40n })
  const files = new Proxy(
    { ...real.files, space },
    {
      get: (target, key: keyof Host['files']) => {
        const call = target[key] as (...args: unknown[]) => Promise<unknown>
        return async (...args: unknown[]) => {
          if (CHANGES.test(key)) step()
          return await call(...args)
        }
      },
    },
  )
  const host: Host = {
    ...real,
    files,
    async run(command, given) {
      step()
      const args = command.file === 'cp' ? ['--reflink=never', ...command.args.slice(-3)] : command.args
      return await real.run({ ...command, args }, given)
    },
  }
  const begin = () => {
    counts = true
  }
  return { host, step, begin, isDead: () => steps >= last }
}
