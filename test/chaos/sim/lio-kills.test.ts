// The target of the kernel, stopped between any two changes: it is never open too wide, and the next call completes it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  A,
  assertExported,
  B,
  CORE,
  chapOf,
  DOCUMENTS,
  documentOf,
  ID,
  isKilled,
  MUTUAL,
  machine,
  op,
  PASSWORDS,
  reader,
  TARGET,
  writer,
} from '../../lio-fixtures.ts'

describe('lio: after a kill', () => {
  it('completes what a kill left, at whichever change, and lets nobody in before', async () => {
    for (const document of Object.values(DOCUMENTS)) {
      for (let n = 0; ; n += 1) {
        const { fake, target } = machine()
        if (!(await isKilled(fake, n, () => target.apply(document, op)))) break
        assert.deepEqual(fake.open(TARGET), [], `killed before change ${n}: ${fake.changes.at(-1)}`)
        assert.notEqual((await target.find(TARGET, op))?.enabled, true)
        await target.apply(document, op)
        await assertExported(fake, target, document)
      }
    }
  })

  it('turns any export into any other, over any kill, and is never open wider than the one or the other', async () => {
    let pairs = 0
    for (const [from, first] of Object.entries(DOCUMENTS)) {
      for (const [to, second] of Object.entries(DOCUMENTS)) {
        pairs += 1
        // A third of the instants of each pair: its neighbours have the others.
        for (let n = pairs % 3; ; n += 3) {
          const { fake, target } = machine()
          await target.apply(first, op)
          for (const { initiator } of first.rights) assert.ok(fake.login(TARGET, initiator))
          const isEnd = !(await isKilled(fake, n, () => target.apply(second, op)))
          const union = fake.open(TARGET).map(({ initiator }) => initiator)
          for (const open of fake.open(TARGET)) {
            const before = first.rights.find(each => each.initiator === open.initiator)
            const after = second.rights.find(each => each.initiator === open.initiator)
            const names = [before?.chap?.user ?? '', after?.chap?.user ?? '']
            const context = `${from} -> ${to}, killed before change ${n}, after ${fake.changes.at(-1)}`
            assert.ok(before ?? after, `${context}: ${union.join()}`)
            assert.ok(names.includes(open.user), context)
            if (open.user !== '') assert.equal(open.password, PASSWORDS.get(open.user), context)
            assert.ok(
              open.access !== 'read-write' || !(before?.readonly ?? true) || !(after?.readonly ?? true),
              context,
            )
          }
          await target.apply(second, op)
          await assertExported(fake, target, second)
          for (const { initiator } of first.rights)
            if (!second.rights.some(each => each.initiator === initiator))
              assert.equal(fake.login(TARGET, initiator), false)
          if (isEnd) break
        }
      }
    }
  })

  it('takes a right away after a kill at whichever change', async () => {
    for (let n = 0; ; n += 1) {
      const { fake, target } = machine()
      await target.apply(documentOf({ rights: [writer(A)] }), op)
      fake.login(TARGET, A)
      const isEnd = !(await isKilled(fake, n, () => target.revoke(TARGET, A, op)))
      await target.revoke(TARGET, A, op)
      assert.equal(fake.login(TARGET, A), false)
      assert.equal(fake.sessions(TARGET), 0)
      assert.deepEqual((await target.find(TARGET, op))?.initiators, [])
      if (isEnd) break
    }
  })
  it('leaves nothing, also of what a kill left of the making and of the removal', async () => {
    const nothing = machine()
    const document = documentOf({ rights: [MUTUAL, { ...reader(B), chap: chapOf('two') }] })
    await nothing.fake.host.files.makeDirectory('/sys/kernel/config/target/iscsi')
    await nothing.fake.host.files.makeDirectory(`${CORE}/fileio_1095977042`)
    for (let n = 0; ; n += 1) {
      const { fake, target } = machine()
      const isMade = !(await isKilled(fake, n, () => target.apply(document, op)))
      if (n > 0 && fake.changes.some(change => change.includes(ID))) {
        assert.deepEqual(
          (await target.list(op)).map(each => each.target),
          [TARGET],
          fake.changes.at(-1),
        )
      }
      await target.remove(TARGET, op)
      assert.deepEqual(
        fake.dump().filter(line => line.includes(ID)),
        [],
      )
      assert.equal(await target.find(TARGET, op), undefined)
      assert.deepEqual(await target.list(op), [])
      if (isMade) break
    }
    for (let n = 0; ; n += 1) {
      const { fake, target } = machine()
      await target.apply(document, op)
      fake.login(TARGET, A)
      const isEnd = !(await isKilled(fake, n, () => target.remove(TARGET, op)))
      if (n > 0) assert.deepEqual(fake.open(TARGET), [])
      // Both what goes on with the removal and what wants the export back.
      if (n % 2 === 0) {
        await target.apply(document, op)
        await assertExported(fake, target, document)
      }
      await target.remove(TARGET, op)
      assert.deepEqual(fake.dump(), nothing.fake.dump())
      if (isEnd) break
    }
  })

  it('over any history of it, end in the last document', async () => {
    const step = fc.record({
      document: fc.constantFrom(...Object.values(DOCUMENTS)),
      verb: fc.constantFrom('apply' as const, 'apply' as const, 'revoke' as const, 'remove' as const),
      kill: fc.nat({ max: 45 }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(...Object.values(DOCUMENTS)),
        async (steps, last) => {
          const { fake, target } = machine()
          for (const { document, verb, kill } of steps) {
            await isKilled(fake, kill, async () => {
              if (verb === 'apply') await target.apply(document, op)
              if (verb === 'revoke') await target.revoke(TARGET, A, op)
              if (verb === 'remove') await target.remove(TARGET, op)
            })
          }
          await target.apply(last, op)
          await assertExported(fake, target, last)
        },
      ),
      { numRuns: 20 },
    )
  })
})
