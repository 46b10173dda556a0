// Tests of target `tgt`: an export is exactly what its document says, and nobody is let in before.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failure, GIB, testOp } from '../../../test/fixtures.ts'
import { A, B, documentOf, facts, NAME, PATH, scene, whole } from '../../../test/tgt-scene.ts'
import { EMPTY_TARGET } from './names.ts'

const op = testOp()

describe('an export', () => {
  it('is all that the document says, in the words of tgtd', async () => {
    const { tgtd, target } = scene()
    await target.apply(documentOf([A, B]), op)
    assert.deepEqual(facts(tgtd.targets[0]), whole([A, B]))
    assert.equal(tgtd.portals.length, 2, 'a portal for all addresses is enough')
  })

  it('lets nobody in when tgtd does not do what it must', async () => {
    for (const refuses of [/update.*logicalunit/, /nop_interval/, /nop_count/, /new.*logicalunit/]) {
      const { tgtd, target } = scene()
      tgtd.refuses = refuses
      await assert.rejects(target.apply(documentOf([A], {}, true), op))
      assert.equal(
        tgtd.changes.some(change => change.includes('bind')),
        false,
      )
      tgtd.refuses = undefined
      await target.apply(documentOf([A], {}, true), op)
      assert.deepEqual(facts(tgtd.targets[0]), whole([A], true))
    }
  })

  it('takes another node without a change for the first', async () => {
    const { tgtd, target } = scene()
    await target.apply(documentOf([A]), op)
    tgtd.beginLogin(NAME, A)?.()
    const tid = tgtd.targets[0]?.tid
    await target.apply(documentOf([A, B]), op)
    assert.deepEqual(facts(tgtd.targets[0]), { ...whole([A, B]), sessions: 1 })
    assert.equal(tgtd.targets[0]?.tid, tid)
  })

  it('listens where it is told, or says that tgtd cannot', async () => {
    const { tgtd, target } = scene()
    tgtd.portals.splice(0)
    await target.apply(documentOf([A]), op)
    assert.deepEqual(tgtd.portals, ['10.77.0.1:3260'])
    await assert.rejects(
      target.apply(documentOf([A], { portals: ['192.0.2.9:3260'] }), op),
      failure('unavailable', /listen on 192\.0\.2\.9:3260/),
    )
  })

  it('is refused where the file is not what it should be', async () => {
    const { tgtd, target, files } = scene()
    files.set(PATH, GIB + 1n)
    await assert.rejects(target.apply(documentOf([A]), op), failure('failed-precondition', /1073741825/))
    files.delete(PATH)
    await assert.rejects(target.apply(documentOf([A]), op), failure('failed-precondition', /does not exist/))
    assert.deepEqual(tgtd.changes, [])
  })

  it('of the size that the file once had is made anew, but not below a session', async () => {
    const { tgtd, target, files } = scene()
    await target.apply(documentOf([A]), op)
    files.set(PATH, 2n * GIB)
    const grown = documentOf([A], { backing: { path: PATH, size: 2n * GIB } })
    assert.equal((await target.find(NAME, op))?.size, 1_074_000_000n)
    tgtd.beginLogin(NAME, A)?.()
    await assert.rejects(target.apply(grown, op), failure('failed-precondition', /in use.*1074 MB, not 2147483648/))
    for (const session of tgtd.targets[0]?.sessions ?? []) session.closed = true
    await target.apply(grown, op)
    assert.equal((await target.find(NAME, op))?.size, 2n * GIB)
  })

  it('is never the only target, nor was: tgtd hangs up on everybody while it has none', async () => {
    const { tgtd, target } = scene()
    let isAnswered = true
    tgtd.watch(change => {
      if (!change.includes(EMPTY_TARGET)) isAnswered &&= tgtd.all.some(({ name }) => name === EMPTY_TARGET)
    })
    await target.apply(documentOf([A]), op)
    // As a driver without it left them.
    const [own] = tgtd.targets
    if (own) tgtd.all.splice(0, 2, own)
    await target.revoke(NAME, A, op)
    assert.deepEqual([isAnswered, tgtd.targets, tgtd.all.length], [true, [], 1])
  })
})
