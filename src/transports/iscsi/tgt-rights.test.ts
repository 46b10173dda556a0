// Tests of target `tgt`: rights that end, a driver that is killed after any command, and a tgtd that does not run.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Killed } from '../../../test/fake-tgtd.ts'
import { failure, testOp } from '../../../test/fixtures.ts'
import { A, B, documentOf, facts, NAME, scene, untilDone, whole } from '../../../test/tgt-scene.ts'

const op = testOp()

describe('a right that is taken away', () => {
  it('takes the target with it when it was the last', async () => {
    const { tgtd, target } = scene()
    await target.apply(documentOf([A]), op)
    await target.revoke(NAME, A, op)
    assert.deepEqual(tgtd.targets, [])
  })

  it('is not said to be gone while a write is under way', async () => {
    const { tgtd, target } = scene()
    await target.apply(documentOf([A]), op)
    const session = tgtd.beginLogin(NAME, A)?.()
    assert.ok(session)
    session.writes = Number.POSITIVE_INFINITY
    const caller = new AbortController()
    let closed = 0
    tgtd.watch(change => {
      if (!change.includes('conn')) return
      closed += 1
      if (closed === 3) caller.abort()
    })
    await assert.rejects(target.revoke(NAME, A, testOp(caller.signal)), failure('cancelled'))
    assert.equal((await target.find(NAME, op))?.initiators[0]?.sessions, 1)
  })

  it('does not come back with a login that began before', async () => {
    for (const others of [[], [B]]) {
      const { tgtd, target } = scene()
      await target.apply(documentOf([A, ...others]), op)
      const finish = tgtd.beginLogin(NAME, A)
      await target.revoke(NAME, A, op)
      assert.equal(finish?.(), undefined)
      assert.deepEqual(tgtd.targets.map(facts), others.length === 0 ? [] : [whole(others)])
    }
  })

  it('does not come back with one either when only the document lacks it', async () => {
    const { tgtd, target } = scene()
    await target.apply(documentOf([A, B]), op)
    const finish = tgtd.beginLogin(NAME, A)
    await target.apply(documentOf([B]), op)
    assert.equal(finish?.(), undefined)
    assert.deepEqual(facts(tgtd.targets[0]), whole([B]))
  })

  it('that was by address goes too', async () => {
    const { tgtd, target } = scene()
    await target.apply(documentOf([A]), op)
    tgtd.targets[0]?.acl.push('10.0.0.0/8')
    assert.equal((await target.find(NAME, op))?.initiators.length, 2)
    await target.apply(documentOf([A]), op)
    assert.deepEqual(facts(tgtd.targets[0]), whole([A]))
  })
})

describe('a driver that is killed after any command', () => {
  it('takes a right away at the next call, also from a login that began before', async () => {
    for (const others of [[], [B]])
      for (const sessions of [0, 1]) {
        const { tgtd, target } = scene()
        await target.apply(documentOf([A, ...others]), op)
        for (let n = 0; n < sessions; n += 1) tgtd.beginLogin(NAME, A)?.()
        const finish = tgtd.beginLogin(NAME, A)
        assert.ok((await untilDone(tgtd, () => target.revoke(NAME, A, op))) > 1)
        assert.equal(finish?.(), undefined)
        assert.equal(
          tgtd.targets.some(each => each.acl.includes(A) || each.sessions.length > 0),
          false,
        )
      }
  })

  it('leaves no half of a list that another document would take for whole', async () => {
    for (const changes of [1, 2, 3, 4]) {
      const { tgtd, target } = scene()
      await target.apply(documentOf([A, B]), op)
      const finish = tgtd.beginLogin(NAME, A)
      tgtd.killAfter(changes)
      await assert.rejects(target.apply(documentOf([`${B}b`]), op), Killed)
      tgtd.killAfter(undefined)
      await target.apply(documentOf([B]), op)
      assert.equal(finish?.(), undefined)
      assert.deepEqual(facts(tgtd.targets[0]), whole([B]))
    }
  })

  it('is seen to be half-way, and a revoke ends what it began, also for one who has left the list', async () => {
    const { tgtd, target } = scene()
    await target.apply(documentOf([A, B]), op)
    const finish = tgtd.beginLogin(NAME, A)
    tgtd.killAfter(2)
    await assert.rejects(target.apply(documentOf([`${B}b`]), op), Killed)
    tgtd.killAfter(undefined)
    const shown = await target.find(NAME, op)
    assert.deepEqual([shown?.enabled, shown?.initiators.map(({ name }) => name)], [false, [B]])
    await target.revoke(NAME, A, op)
    assert.equal(finish?.(), undefined)
    assert.deepEqual(facts(tgtd.targets[0]), whole([B]))
  })

  it('makes what the last document says, whatever came before', async () => {
    const initiators = fc.subarray([A, B, `${B}b`], { minLength: 1 })
    const step = fc.record({
      verb: fc.constantFrom('apply', 'revoke', 'remove'),
      initiators,
      readonly: fc.boolean(),
      killAfter: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
      logins: fc.subarray([A, B]),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 6 }), initiators, fc.boolean(), async (steps, last, readonly) => {
        const { tgtd, target } = scene()
        const begun: { initiator: string; finish: () => unknown }[] = []
        for (const { verb, initiators: names, readonly: how, killAfter, logins } of steps) {
          for (const initiator of logins) {
            const finish = tgtd.beginLogin(NAME, initiator)
            if (finish) begun.push({ initiator, finish })
          }
          tgtd.killAfter(killAfter)
          try {
            if (verb === 'apply') await target.apply(documentOf(names, {}, how), op)
            else if (verb === 'revoke') await target.revoke(NAME, names[0] ?? '', op)
            else await target.remove(NAME, op)
          } catch (error) {
            assert.ok(error instanceof Killed)
          }
          tgtd.killAfter(undefined)
        }
        await target.apply(documentOf(last, {}, readonly), op)
        for (const { initiator, finish } of begun) if (!last.includes(initiator)) assert.equal(finish(), undefined)
        const { acl = [], ...rest } = facts(tgtd.targets[0]) ?? {}
        assert.deepEqual({ ...rest, acl: acl.toSorted() }, whole(last.toSorted(), readonly))
      }),
      { numRuns: 30 },
    )
  })
})

describe('a tgtd that does not run', () => {
  it('exports nothing, and is missed by who wants to export', async () => {
    const { tgtd, target } = scene()
    tgtd.running = false
    assert.deepEqual([await target.list(op), await target.find(NAME, op)], [[], undefined])
    await target.revoke(NAME, A, op)
    await target.remove(NAME, op)
    await assert.rejects(target.apply(documentOf([A]), op), failure('unavailable', /systemctl start tgt/))
  })

  it('but whose process lives on may still write', async () => {
    const { tgtd, target } = scene()
    tgtd.running = false
    const zombie = { '/proc/77/comm': 'tgtd\n', '/proc/77/status': 'Name:\ttgtd\nState:\tZ (zombie)\n' }
    tgtd.processes = { ...zombie, '/proc/77/task/77/comm': 'tgtd\n' }
    assert.equal(await target.find(NAME, op), undefined)
    for (const alive of [
      { ...zombie, '/proc/77/task/77/comm': '', '/proc/77/task/78/comm': '' },
      { ...zombie, '/proc/77/status': 'Name:\ttgtd\nState:\tD (disk sleep)\n' },
    ]) {
      tgtd.processes = alive
      const caller = new AbortController()
      setTimeout(() => caller.abort(), 30)
      await assert.rejects(target.revoke(NAME, A, testOp(caller.signal)), failure('cancelled'))
    }
  })

  it('and starts again with nothing, gets all back', async () => {
    const { tgtd, target } = scene()
    await target.apply(documentOf([A]), op)
    tgtd.all.splice(0)
    await target.apply(documentOf([A]), op)
    assert.deepEqual(facts(tgtd.targets[0]), whole([A]))
  })
})
