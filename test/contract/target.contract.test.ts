// The contract of targets: who gets what of a volume, at any instant and after any death of the driver.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { LUNS } from '../../src/transports/iscsi/names.ts'
import type { Shown } from '../../src/transports/iscsi/target.ts'
import { WrongDevice } from '../../src/volume/errors.ts'
import { GIB, testOp } from '../fixtures.ts'
import {
  A,
  accessOf,
  assertAgree,
  assertGone,
  assertNothing,
  assertServed,
  B,
  BOTH,
  DOCUMENTS,
  documentOf,
  eachTarget,
  FILE,
  fileOf,
  OTHER_ID,
  SERIAL,
  TARGET,
  writer,
} from './target-bench.ts'
import type { Access, Disk } from './target-fixtures.ts'

const op = testOp()
/** Under the same name, with one thing that is another volume's; `of`: does what is there bear that of this one? */
const OTHERS = {
  'serial number': {
    other: documentOf([writer(A)], { serial: 'f'.repeat(32) }),
    of: (shown: Shown) => shown.serial === SERIAL,
  },
  file: {
    other: documentOf([writer(A)], { backing: { path: fileOf(OTHER_ID), size: GIB } }),
    of: (shown: Shown) => shown.backing === FILE,
  },
}

/** Whoever is new may come before the disk and find none, and whoever is to write may still be a reader. */
function isWithin(access: Access, { initiator, chap, disks: [disk] }: Access): boolean {
  const isRight = (each: Disk) => {
    const isSame = isDeepStrictEqual({ ...each, readonly: disk?.readonly }, disk)
    return isSame && (each.readonly || disk?.readonly === false)
  }
  return initiator === access.initiator && isDeepStrictEqual(chap, access.chap) && access.disks.every(isRight)
}

eachTarget('apply', ({ machine, served, refuses, stateWith, eachDeath }) => {
  for (const [name, document] of served) {
    it(`makes an export with ${name}: what is shown, what is enforced, and what the document says are one`, async () => {
      const made = machine()
      await made.target.apply(document, op)
      await assertServed(made, document)
    })

    it(`lets nobody in to an export with ${name} before all is there`, async () => {
      const made = machine()
      const whole = await stateWith(document)
      made.watch(() => {
        const open = made.open(TARGET)
        if (open.length === 0) return
        const lines = made.state()
        // Those of whom nothing is said yet may be missing themselves.
        const names = document.rights.map(({ initiator }) => initiator)
        const absent = names.filter(each => !open.some(({ initiator }) => initiator === each))
        const missing = whole.filter(line => !lines.includes(line) && !absent.some(each => line.includes(each)))
        assert.deepEqual(missing, [], open.map(({ initiator }) => initiator).join())
      })
      await made.target.apply(document, op)
    })

    it(`changes nothing in an export with ${name} when it is there`, async () => {
      const made = machine()
      await made.target.apply(document, op)
      for (const { initiator } of document.rights) assert.ok(made.login(TARGET, initiator))
      const [state, changes] = [made.state(), made.changes()]
      await made.target.apply(document, op)
      assert.deepEqual([made.state(), made.changes()], [state, changes])
      await assertServed(made, document)
      for (const { initiator } of document.rights) assert.ok(made.hasSession(TARGET, initiator))
    })

    it(`finishes an export with ${name} after a death at any change`, async () => {
      await eachDeath({
        work: ({ target }) => target.apply(document, op),
        async after(made, when) {
          await assertAgree(made, when)
          await made.target.apply(document, op)
          await assertServed(made, document, when)
          assert.deepEqual(made.state(), await stateWith(document), when)
        },
      })
    })
  }

  for (const [name, reason] of Object.entries(refuses)) {
    it(`refuses ${name}, and changes nothing`, async () => {
      const [document, made] = [DOCUMENTS[name], machine()]
      assert.ok(document)
      await assert.rejects(made.target.apply(document, op), reason)
      assert.deepEqual(made.changes(), [])
      await made.target.apply(BOTH, op)
      const [state, changes] = [made.state(), made.changes()]
      await assert.rejects(made.target.apply(document, op), reason)
      assert.deepEqual([made.state(), made.changes()], [state, changes])
    })
  }
})

eachTarget('apply, then remove', ({ machine }) => {
  it('come to their end though the driver dies again and again', async () => {
    const made = machine()
    const untilDone = async (work: () => Promise<unknown>) => {
      for (let n = 1; await made.isKilled(n, work); n += 1) await assertAgree(made)
    }
    await untilDone(() => made.target.apply(BOTH, op))
    await assertServed(made, BOTH)
    for (const initiator of [A, B]) assert.ok(made.login(TARGET, initiator))
    await untilDone(() => made.target.remove(TARGET, op))
    await assertNothing(made)
  })
})

eachTarget('apply over another export', ({ machine, served, stateWith, eachDeath }) => {
  const pairs = served.flatMap(from => served.filter(to => to !== from).map(to => [from, to] as const))

  it('leaves what the new document says, and ends the sessions of those who lose their right', async () => {
    for (const [[from, first], [to, second]] of pairs) {
      const made = machine()
      await made.target.apply(first, op)
      for (const { initiator } of first.rights) assert.ok(made.login(TARGET, initiator))
      await made.target.apply(second, op)
      await assertServed(made, second, `${from} -> ${to}`)
      for (const { initiator } of first.rights)
        if (!second.rights.some(right => right.initiator === initiator)) assertGone(made, initiator, `${from} -> ${to}`)
    }
  })

  it('gives nobody at any instant what neither document gives', async () => {
    for (const [[from, first], [to, second]] of pairs) {
      const made = machine()
      await made.target.apply(first, op)
      const rightful = [...accessOf(first), ...accessOf(second)]
      made.watch(() => {
        for (const access of made.open(TARGET))
          assert.ok(
            rightful.some(each => isWithin(access, each)),
            `${from} -> ${to}: ${access.initiator}`,
          )
      })
      await made.target.apply(second, op)
    }
  })

  it('finishes after a death at any change', async () => {
    // To what follows it and to what precedes it: with all others these are too many.
    const [, second, third] = served
    for (const [first, last] of pairs.filter(([, to]) => to === second || to === third)) {
      await eachDeath({
        before: ({ target }) => target.apply(first[1], op),
        work: ({ target }) => target.apply(last[1], op),
        async after(made, when) {
          await assertAgree(made, when)
          await made.target.apply(last[1], op)
          await assertServed(made, last[1], `${first[0]} -> ${last[0]}, ${when}`)
          assert.deepEqual(made.state(), await stateWith(last[1]), when)
        },
      })
    }
  })
})

eachTarget('an export of something else', ({ machine, eachDeath }) => {
  for (const [what, { other, of }] of Object.entries(OTHERS)) {
    it(`with another ${what} is WrongDevice, says what it found, and stays as it is`, async () => {
      const made = machine()
      await made.target.apply(BOTH, op)
      assert.ok(made.login(TARGET, A))
      const [state, changes] = [made.state(), made.changes()]
      await assert.rejects(made.target.apply(other, op), (error: unknown) => {
        assert.ok(error instanceof WrongDevice)
        assert.match(error.message, new RegExp(`${SERIAL}|it shows ${FILE}`))
        return true
      })
      assert.deepEqual([made.state(), made.changes()], [state, changes])
      assert.ok(made.hasSession(TARGET, A))
      await assertServed(made, BOTH)
    })

    it(`with another ${what} is never made into this one, however far it came`, async () => {
      const ends: string[] = []
      await eachDeath({
        work: ({ target }) => target.apply(BOTH, op),
        async after(made, when) {
          const shown = await made.target.find(TARGET, op)
          const state = made.state()
          if (shown && of(shown)) {
            await assert.rejects(made.target.apply(other, op), WrongDevice, when)
            assert.deepEqual(made.state(), state, when)
            ends.push('refused')
          } else {
            await made.target.apply(other, op)
            await assertServed(made, other, when)
            ends.push('served')
          }
        },
      })
      assert.ok(ends.includes('refused') && ends.includes('served'))
    })
  }
})

eachTarget('chooseLun', ({ machine, ownLuns }) => {
  const drawn = (draw: () => number) => new Set(Array.from({ length: 20 }, draw))

  it('draws a number for each publish that initiators can be given', () => {
    const numbers = drawn(() => machine().target.chooseLun([]))
    // So many of 20 are never the same: tgt draws among 16,000.
    assert.ok(numbers.size > 15, [...numbers].join())
    for (const lun of numbers) assert.ok(Number.isSafeInteger(lun) && lun > 0 && lun < LUNS, String(lun))
  })

  it('draws no number that Linux makes no disk of', () => {
    const { target } = machine()
    // One in 256 would be: of 10,000 none is by chance once in 10^17 times.
    for (let round = 0; round < 10_000; round += 1) assert.notEqual((target.chooseLun([]) >> 8) & 0xff, 0xc1)
  })

  it('shows a volume that is published anew under the new number only', async () => {
    const made = machine()
    const { target } = made
    const numbers = [...drawn(() => target.chooseLun([]))]
    assert.ok(numbers.length > 1)
    for (const lun of numbers) {
      const document = documentOf([writer(A, lun)])
      await target.apply(document, op)
      await assertServed(made, document)
      await target.revoke(TARGET, A, op)
    }
  })

  it('draws a number beside others, under which all of them are served', async () => {
    for (let round = 0; round < 5; round += 1) {
      const made = machine()
      const first = made.target.chooseLun([])
      const second = made.target.chooseLun([first])
      await made.target.apply(documentOf([writer(A, first)]), op)
      const document = documentOf([writer(A, first), writer(B, second)])
      await made.target.apply(document, op)
      await assertServed(made, document)
    }
    const { target } = machine()
    const numbers = drawn(() => target.chooseLun([20_000]))
    assert.equal(numbers.size > 1, ownLuns)
    assert.equal(numbers.has(20_000), !ownLuns)
  })
})
