// The contract of targets: rights and exports that end, growth, and what others made.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { targetName } from '../../src/transports/iscsi/names.ts'
import { NotSupported } from '../../src/volume/errors.ts'
import { failure, GIB, testOp } from '../fixtures.ts'
import {
  A,
  accessOf,
  assertAgree,
  assertGone,
  assertNothing,
  assertServed,
  B,
  BOTH,
  documentOf,
  eachTarget,
  FILE,
  OTHER_ID,
  reader,
  TARGET,
  writer,
} from './target-bench.ts'

const op = testOp()
const ONLY_B = documentOf([writer(B)])

eachTarget('revoke', ({ machine, stateWith, eachDeath }) => {
  it('takes one right with its sessions, and leaves the other', async () => {
    for (const [from, document] of Object.entries({ BOTH, readers: documentOf([reader(A), reader(B)]) })) {
      const made = machine()
      await made.target.apply(document, op)
      for (const initiator of [A, B]) assert.ok(made.login(TARGET, initiator))
      await made.target.revoke(TARGET, A, op)
      assertGone(made, A, from)
      assert.equal(made.login(TARGET, A), false)
      await assertServed(made, { ...document, rights: document.rights.slice(1) }, from)
      assert.ok(made.login(TARGET, B))
    }
  })

  it('takes the last right, and again what is not there any more', async () => {
    const made = machine()
    await made.target.apply(BOTH, op)
    for (const initiator of [A, B]) assert.ok(made.login(TARGET, initiator))
    await made.target.revoke(TARGET, A, op)
    await made.target.revoke(TARGET, B, op)
    const [state, changes] = [made.state(), made.changes()]
    for (const initiator of [A, B]) {
      await made.target.revoke(TARGET, initiator, op)
      assertGone(made, initiator)
    }
    assert.deepEqual([made.state(), made.changes(), made.open(TARGET)], [state, changes, []])
    const shown = await made.target.find(TARGET, op)
    assert.deepEqual([shown?.enabled ?? false, shown?.initiators ?? []], [false, []])
    await assertAgree(made)
  })

  it('changes nothing where there is no such right, or no export', async () => {
    const made = machine()
    await made.target.revoke(TARGET, A, op)
    assert.deepEqual(made.changes(), [])
    await made.target.apply(ONLY_B, op)
    assert.ok(made.login(TARGET, B))
    const [state, changes] = [made.state(), made.changes()]
    await made.target.revoke(TARGET, A, op)
    await made.target.revoke(TARGET, `${B}b`, op)
    assert.deepEqual([made.state(), made.changes()], [state, changes])
    assert.ok(made.hasSession(TARGET, B))
  })

  it('takes the last right after a death at any change', async () => {
    const whole = machine()
    await whole.target.apply(ONLY_B, op)
    await whole.target.revoke(TARGET, B, op)
    await eachDeath({
      async before(made) {
        await made.target.apply(ONLY_B, op)
        assert.ok(made.login(TARGET, B))
      },
      work: ({ target }) => target.revoke(TARGET, B, op),
      async after(made, when) {
        await assertAgree(made, when)
        await made.target.revoke(TARGET, B, op)
        assertGone(made, B, when)
        assert.deepEqual(made.state(), whole.state(), when)
        await assertAgree(made, when)
      },
    })
  })

  it('takes one of two after a death at any change, and all is well with the next apply', async () => {
    await eachDeath({
      async before(made) {
        await made.target.apply(BOTH, op)
        for (const initiator of [A, B]) assert.ok(made.login(TARGET, initiator))
      },
      work: ({ target }) => target.revoke(TARGET, A, op),
      async after(made, when) {
        await assertAgree(made, when)
        await made.target.revoke(TARGET, A, op)
        assertGone(made, A, when)
        for (const access of made.open(TARGET)) assert.deepEqual([access], accessOf(ONLY_B), when)
        await made.target.apply(ONLY_B, op)
        await assertServed(made, ONLY_B, when)
        assert.deepEqual(made.state(), await stateWith(ONLY_B), when)
      },
    })
  })
})

eachTarget('remove', ({ machine, stateWith, eachDeath }) => {
  it('ends all sessions, leaves nothing, and can be repeated', async () => {
    const made = machine()
    await made.target.apply(BOTH, op)
    assert.equal(await made.holds(FILE), true)
    for (const initiator of [A, B]) assert.ok(made.login(TARGET, initiator))
    await made.target.remove(TARGET, op)
    for (const initiator of [A, B]) assertGone(made, initiator)
    await assertNothing(made)
    const changes = made.changes()
    await made.target.remove(TARGET, op)
    assert.deepEqual(made.changes(), changes)
    await made.target.apply(BOTH, op)
    await assertServed(made, BOTH)
  })

  it('of what never was changes nothing', async () => {
    const made = machine()
    await made.target.remove(TARGET, op)
    assert.deepEqual(made.changes(), [])
    await assertNothing(made)
  })

  it('leaves nothing after a death at any change, and room for the export', async () => {
    await eachDeath({
      async before(made) {
        await made.target.apply(BOTH, op)
        for (const initiator of [A, B]) assert.ok(made.login(TARGET, initiator))
      },
      work: ({ target }) => target.remove(TARGET, op),
      async after(made, when) {
        await assertAgree(made, when)
        await made.target.remove(TARGET, op)
        for (const initiator of [A, B]) assertGone(made, initiator, when)
        await assertNothing(made, when)
        await made.target.apply(BOTH, op)
        await assertServed(made, BOTH, when)
        assert.deepEqual(made.state(), await stateWith(BOTH), when)
      },
    })
  })

  it('leaves nothing of an export that was never finished', async () => {
    await eachDeath({
      work: ({ target }) => target.apply(BOTH, op),
      async after(made, when) {
        await made.target.remove(TARGET, op)
        await assertNothing(made, when)
      },
    })
  })
})

eachTarget('find and list', ({ machine }) => {
  it('know nothing where nothing is', async () => {
    await assertNothing(machine())
  })

  it('tell exports apart, and count their sessions', async () => {
    const made = machine()
    const other = documentOf([reader(A)], {}, OTHER_ID)
    await made.target.apply(BOTH, op)
    await made.target.apply(other, op)
    assert.ok(made.login(TARGET, A))
    for (const document of [BOTH, other]) await assertServed(made, document)
    const listed = await made.target.list(op)
    assert.deepEqual(listed.map(({ target }) => target).sort(), [TARGET, targetName(OTHER_ID)].sort())
    await made.target.remove(TARGET, op)
    await assertServed(made, other)
    assert.equal(await made.target.find(TARGET, op), undefined)
  })

  it('are of this driver, or refused', async () => {
    const made = machine()
    const name = 'iqn.2003-01.org.linux-iscsi.host:sn.1'
    await made.makeForeign(name, A)
    const state = made.state()
    const refused = failure('invalid-argument', /it is no volume/)
    await assert.rejects(made.target.apply({ ...BOTH, target: name }, op), refused)
    await assert.rejects(made.target.revoke(name, A, op), refused)
    await assert.rejects(made.target.remove(name, op), refused)
    assert.deepEqual(made.state(), state)
  })

  it('do not know what others made, and nothing touches that', async () => {
    const made = machine()
    const names = ['iqn.2003-01.org.linux-iscsi.host:sn.1', `${TARGET}.old`, 'iqn.2026-01.dev.ashlar:disk']
    for (const name of names) {
      await made.makeForeign(name, A)
      assert.ok(made.login(name, A))
    }
    const state = made.state()
    for (const act of [
      () => made.target.apply(BOTH, op),
      () => made.target.apply(ONLY_B, op),
      () => made.target.revoke(TARGET, B, op),
      () => made.target.revoke(TARGET, A, op),
      () => made.target.remove(TARGET, op),
    ]) {
      await act()
      const now = made.state()
      assert.deepEqual(
        state.filter(line => !now.includes(line)),
        [],
      )
      for (const name of names) assert.ok(made.hasSession(name, A), name)
      const listed = await made.target.list(op)
      assert.ok(
        listed.every(({ target }) => target === TARGET),
        String(act),
      )
    }
    assert.deepEqual(made.state(), state)
  })
})

const LARGER = { path: FILE, size: 2n * GIB }

eachTarget('growth', ({ machine, growsOnline }) => {
  it('is offered as docs/iscsi.md says', () => {
    assert.equal(machine().target.growsOnline, growsOnline)
  })

  it('between two publishes is shown by the second', async () => {
    const made = machine()
    await made.target.apply(BOTH, op)
    await made.target.remove(TARGET, op)
    made.files.set(FILE, LARGER.size)
    const document = documentOf([writer(A)], { backing: LARGER })
    await made.target.apply(document, op)
    await assertServed(made, document)
  })
})

eachTarget(
  'growth of what is exported',
  ({ machine, stateWith, eachDeath }) => {
    const grown = { ...BOTH, backing: LARGER }

    it('shows the size that the file has now to everybody who uses it, and again changes nothing', async () => {
      const made = machine()
      await made.target.apply(BOTH, op)
      assert.ok(made.login(TARGET, A))
      const state = made.state()
      made.files.set(FILE, LARGER.size)
      await made.target.grow(TARGET, LARGER, op)
      await assertServed(made, grown)
      assert.ok(made.hasSession(TARGET, A))
      const changes = made.changes()
      await made.target.grow(TARGET, LARGER, op)
      assert.deepEqual([made.state(), made.changes()], [state, changes])
    })

    it('is finished after a death at any change', async () => {
      await eachDeath({
        async before(made) {
          await made.target.apply(BOTH, op)
          made.files.set(FILE, LARGER.size)
        },
        work: ({ target }) => target.grow(TARGET, LARGER, op),
        async after(made, when) {
          await made.target.grow(TARGET, LARGER, op)
          await assertServed(made, grown, when)
          assert.deepEqual(made.state(), await stateWith(BOTH), when)
        },
      })
    })
  },
  ({ growsOnline }) => growsOnline,
)

eachTarget(
  'growth of what is exported',
  ({ machine }) => {
    it('is NotSupported, and nothing happens to the export', async () => {
      const made = machine()
      await assert.rejects(made.target.grow(TARGET, LARGER, op), NotSupported)
      await made.target.apply(BOTH, op)
      assert.ok(made.login(TARGET, A))
      const [state, changes] = [made.state(), made.changes()]
      made.files.set(FILE, LARGER.size)
      await assert.rejects(made.target.grow(TARGET, LARGER, op), NotSupported)
      assert.deepEqual([made.state(), made.changes()], [state, changes])
      assert.ok(made.hasSession(TARGET, A))
    })
  },
  ({ growsOnline }) => !growsOnline,
)
