// One target for a node: units come and go below its session, whatever change the work is stopped before.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { FakeConfigfs } from '../../../test/fake-configfs.ts'
import { failure, GIB, testOp } from '../../../test/fixtures.ts'
import { A, B, CORE, chapOf, documentOf, isKilled, machine, op } from '../../../test/lio-fixtures.ts'
import { lunOf, nodeTargetName, serialOf, targetName } from './names.ts'
import type { NodeTargets, Right, UnitDocument } from './target.ts'

const TARGET = nodeTargetName('p', A)
const GROUP = `/sys/kernel/config/target/iscsi/${TARGET}/tpgt_1`
const [ONE, TWO, THREE] = ['1', '2', '3'].map(digit => `vol-p-${digit.repeat(32)}`) as [string, string, string]
const fileOf = (id: string) => `/pool/volumes/${id}/data`

function unitOf(id: string, right: Partial<Right> = {}, rest: Partial<UnitDocument> = {}): UnitDocument {
  const content = { serial: serialOf(id), backing: { path: fileOf(id), size: GIB } }
  const rights = [{ initiator: A, readonly: false, lun: lunOf(id, 'n'), ...right }]
  return { ...documentOf({ ...content, target: TARGET, rights }), id, lun: lunOf(id, 'n'), ...rest }
}

function scene(): { fake: FakeConfigfs; nodes: NodeTargets; target: ReturnType<typeof machine>['target'] } {
  const { fake, target } = machine()
  for (const id of [ONE, TWO, THREE]) fake.files.set(fileOf(id), GIB)
  assert.ok(target.nodes)
  return { fake, nodes: target.nodes, target }
}

/** Two units, and the node has logged in. */
async function inUse() {
  const all = scene()
  await all.nodes.add(unitOf(ONE), op)
  await all.nodes.add(unitOf(TWO), op)
  await all.nodes.open(TARGET, op)
  assert.ok(all.fake.login(TARGET, A))
  return all
}

const idsOf = async (nodes: NodeTargets) => (await nodes.find(TARGET))?.map(({ id }) => id).sort()
const reach = (fake: FakeConfigfs) =>
  fake
    .reached(TARGET)
    .map(({ initiator, access, file }) => `${initiator} ${access} ${file}`)
    .sort()
const writes = (...ids: string[]) => ids.map(id => `${A} read-write ${fileOf(id)}`)

describe('a target of a node', () => {
  it('accepts no logins before it is opened, and shows each volume under the number of its publish', async () => {
    const { fake, nodes } = scene()
    await nodes.add(unitOf(ONE), op)
    await nodes.add(unitOf(TWO, { readonly: true }), op)
    assert.deepEqual([fake.open(TARGET), fake.login(TARGET, A)], [[], false])
    await nodes.open(TARGET, op)
    assert.deepEqual(reach(fake), [`${A} read-only ${fileOf(TWO)}`, ...writes(ONE)].sort())
    const luns = fake.reached(TARGET).map(({ lun }) => lun)
    assert.deepEqual(luns.sort(), [`lun_${lunOf(ONE, 'n')}`, `lun_${lunOf(TWO, 'n')}`].sort())
    assert.deepEqual(
      (await nodes.list()).map(({ id, initiator, readonly, enabled }) => [id, initiator, readonly, enabled]).sort(),
      [
        [ONE, A, false, true],
        [TWO, A, true, true],
      ],
    )
  })

  it('gives and takes volumes while the session of the node goes on, and goes with the last', async () => {
    const { fake, nodes, target } = await inUse()
    await nodes.add(unitOf(THREE), op)
    assert.deepEqual(reach(fake), writes(ONE, TWO, THREE))
    const count = fake.changes.length
    await nodes.take(TARGET, ONE, op)
    assert.deepEqual([reach(fake), fake.sessions(TARGET)], [writes(TWO, THREE), 1])
    const own = fake.changes.slice(count)
    // First nothing new is let in, then the kernel waits for what it let in before.
    assert.match(own[0] ?? '', new RegExp(`^unlink ${GROUP}/acls/${A}/lun_`))
    assert.ok(own.findIndex(each => each.startsWith(`unlink ${GROUP}/lun/`)) > 0)
    assert.ok(!own.some(each => each.includes(`${GROUP}/enable`)))
    await nodes.take(TARGET, TWO, op)
    const last = fake.changes.length
    await nodes.take(TARGET, THREE, op)
    assert.equal(fake.changes[last], `write ${GROUP}/enable 0`, 'the node would find an empty target')
    assert.equal(await nodes.find(TARGET), undefined)
    await nodes.take(TARGET, THREE, op)
    for (const id of [ONE, TWO, THREE]) await target.remove(targetName(id), op)
    assert.deepEqual(
      fake.dump().filter(line => line.includes('vol-')),
      [],
    )
  })

  it('is the only way that goes: what others show of a volume keeps its backstore', async () => {
    const { fake, nodes, target } = await inUse()
    const own = documentOf({
      target: targetName(ONE),
      serial: serialOf(ONE),
      rights: [{ initiator: B, readonly: true, lun: 0 }],
    })
    await target.apply({ ...own, backing: { path: fileOf(ONE), size: GIB } }, op)
    await target.remove(targetName(ONE), op)
    assert.deepEqual(reach(fake), writes(ONE, TWO))
    await target.apply({ ...own, backing: { path: fileOf(ONE), size: GIB } }, op)
    await nodes.take(TARGET, ONE, op)
    assert.equal((await target.find(targetName(ONE), op))?.enabled, true)
    await target.remove(targetName(ONE), op)
    assert.equal(await target.find(targetName(ONE), op), undefined)
  })

  it('takes away what an earlier publish or somebody else left in it, before it adds', async () => {
    const { fake, nodes } = await inUse()
    await nodes.add(unitOf(ONE, {}, { lun: lunOf(ONE, 'another') }), op)
    assert.deepEqual(
      (await nodes.list(ONE)).map(({ lun }) => lun),
      [lunOf(ONE, 'another')],
    )
    await fake.host.files.makeDirectory(`${GROUP}/acls/${B}`)
    await nodes.add(unitOf(TWO), op)
    assert.ok(!fake.dump().some(line => line.includes(`acls/${B}`)))
    assert.deepEqual([reach(fake), fake.sessions(TARGET)], [writes(ONE, TWO), 1])
  })

  it('waits for the writes of a writer that becomes a reader', async () => {
    const { fake, nodes } = await inUse()
    const count = fake.changes.length
    await nodes.add(unitOf(ONE, { readonly: true }), op)
    assert.ok(fake.changes.slice(count).some(each => each.startsWith(`unlink ${GROUP}/lun/`)))
    assert.deepEqual(reach(fake), [`${A} read-only ${fileOf(ONE)}`, ...writes(TWO)])
  })

  it('never shows one volume under the number of another, nor another file', async () => {
    const { fake, nodes } = await inUse()
    const before = fake.dump()
    const taken = unitOf(THREE, {}, { lun: lunOf(ONE, 'n') })
    await assert.rejects(nodes.add(taken, op), failure('failed-precondition', /its LUN \d+ shows/))
    const moved = unitOf(ONE, {}, { backing: { path: fileOf(THREE), size: GIB } })
    await assert.rejects(nodes.add(moved, op), failure('failed-precondition', /it shows/))
    await assert.rejects(nodes.take(targetName(ONE), ONE, op), failure('invalid-argument'))
    assert.deepEqual(fake.dump(), before)
  })

  it('begins nothing that would hang on a dead disk', async () => {
    const { fake, nodes } = await inUse()
    fake.isDead = true
    const before = fake.dump()
    await assert.rejects(nodes.take(TARGET, ONE, op), failure('unavailable', /the disk below it does not answer/))
    assert.deepEqual(fake.dump(), before)
  })

  it('that its node could log in to without finding its volumes is closed until all is there again', async () => {
    const { fake, nodes } = await inUse()
    for (const name of [lunOf(ONE, 'n'), lunOf(TWO, 'n')]) {
      await fake.host.files.removeFile(`${GROUP}/acls/${A}/lun_${name}/ashlar`)
      await fake.host.files.removeDirectory(`${GROUP}/acls/${A}/lun_${name}`)
    }
    await fake.host.files.removeDirectory(`${GROUP}/acls/${A}`)
    await nodes.add(unitOf(ONE), op)
    assert.equal((await nodes.list(ONE))[0]?.enabled, false)
    await nodes.add(unitOf(TWO), op)
    await nodes.open(TARGET, op)
    assert.deepEqual(reach(fake), writes(ONE, TWO))
  })
})

describe('a target of a node, after a kill', () => {
  const CHAP = { chap: { ...chapOf('one'), mutual: chapOf('two') } }

  it('is completed, at whichever change it was, and the other volumes never miss anything', async () => {
    for (let n = 0; ; n += 1) {
      const { fake, nodes } = scene()
      await nodes.add(unitOf(ONE, CHAP), op)
      await nodes.open(TARGET, op)
      assert.ok(fake.login(TARGET, A))
      const isEnd = !(await isKilled(fake, n, () => nodes.add(unitOf(TWO, { ...CHAP, readonly: true }), op)))
      assert.ok(reach(fake).includes(writes(ONE)[0] ?? ''), fake.changes.at(-1))
      assert.ok(!reach(fake).includes(writes(TWO)[0] ?? ''), `a reader could write: ${fake.changes.at(-1)}`)
      await nodes.add(unitOf(TWO, { ...CHAP, readonly: true }), op)
      assert.deepEqual(reach(fake), [`${A} read-only ${fileOf(TWO)}`, ...writes(ONE)])
      assert.equal(fake.sessions(TARGET), 1)
      if (isEnd) break
    }
  })

  it('leaves nothing behind, however it was made and taken away', async () => {
    const { left: nothing } = await afterwards(async () => true)
    for (let n = 0; ; n += 1) {
      const { left, isEnd } = await afterwards(
        async ({ fake, nodes }) => !(await isKilled(fake, n, () => nodes.add(unitOf(ONE, CHAP), op))),
      )
      assert.deepEqual(left, nothing, `killed before change ${n}`)
      if (isEnd) break
    }
    for (let n = 0; ; n += 1) {
      const { left, isEnd } = await afterwards(async ({ fake, nodes }) => {
        for (const id of [ONE, TWO]) await nodes.add(unitOf(id), op)
        await nodes.open(TARGET, op)
        fake.login(TARGET, A)
        const isTaken = !(await isKilled(fake, n, () => nodes.take(TARGET, ONE, op)))
        assert.equal(fake.sessions(TARGET), 1)
        return isTaken
      })
      assert.deepEqual(left, nothing, `killed before change ${n}`)
      if (isEnd) break
    }
  })

  it('over any history of it, shows what was added last and nothing that was taken', async () => {
    const step = fc.record({
      id: fc.constantFrom(ONE, TWO, THREE),
      verb: fc.constantFrom('add' as const, 'add' as const, 'take' as const),
      nonce: fc.constantFrom('n', 'm'),
      kill: fc.nat({ max: 30 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async steps => {
        const { fake, nodes } = scene()
        const wanted = new Map<string, number>()
        for (const { id, verb, nonce, kill } of steps) {
          const unit = unitOf(id, {}, { lun: lunOf(id, nonce) })
          const work = () => (verb === 'add' ? nodes.add(unit, op) : nodes.take(TARGET, id, op))
          if (await isKilled(fake, kill, work)) await work()
          if (verb === 'add') {
            wanted.set(id, unit.lun)
            await nodes.open(TARGET, op)
            fake.login(TARGET, A)
          } else wanted.delete(id)
          assert.deepEqual((await idsOf(nodes)) ?? [], [...wanted.keys()].sort())
          assert.deepEqual(reach(fake), writes(...[...wanted.keys()].sort()))
          for (const { id: each, lun } of await nodes.list()) assert.equal(lun, wanted.get(each))
        }
      }),
      { numRuns: 40 },
    )
  })
})

/** All that is in configfs after every volume was taken away. */
async function afterwards(
  work: (all: ReturnType<typeof scene>) => Promise<boolean>,
): Promise<{ left: string[]; isEnd: boolean }> {
  const all = scene()
  await all.fake.host.files.makeDirectory('/sys/kernel/config/target/iscsi')
  await all.fake.host.files.makeDirectory(`${CORE}/fileio_1095977042`)
  const isEnd = await work(all)
  for (const id of [ONE, TWO]) {
    await all.nodes.take(TARGET, id, testOp())
    await all.target.remove(targetName(id), op)
  }
  return { left: all.fake.dump(), isEnd }
}
