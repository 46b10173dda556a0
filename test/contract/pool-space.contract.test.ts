// The contract of pools: growth, room, blankness, and what a crash or a later version leaves.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failure, MIB, testOp } from '../fixtures.ts'
import { eachPool, endsOf, readBack, specOf, write } from './pool-bench.ts'

const op = testOp()

eachPool(({ type, openTwo, crash, debris, outdate }) => {
  describe(`pool ${type}: growing`, () => {
    it('lengthens, never shortens, keeps every byte, and is told by every process', async t => {
      const { a, b } = await openTwo(t)
      const { id } = await a.create(specOf('one'), 2n * MIB, op)
      await write(a, id, 'begin')
      await write(a, id, 'end', Number(2n * MIB) - 3)
      assert.equal((await b.grow(id, 5n * MIB, op)).size, 5n * MIB)
      for (const smaller of [5n * MIB, 3n * MIB, 0n]) assert.equal((await a.grow(id, smaller, op)).size, 5n * MIB)
      assert.equal((await a.get(id)).size, 5n * MIB)
      assert.equal(await readBack(b, id, 5), 'begin')
      assert.equal(await readBack(b, id, 4, Number(2n * MIB) - 3), 'end\0')
    })

    it('from two processes to different sizes ends at the larger one', async t => {
      const { a, b } = await openTwo(t)
      for (let round = 0; round < 8; round += 1) {
        const { id } = await a.create(specOf(`round ${round}`), MIB, op)
        const [first, second] = round % 2 === 0 ? [a, b] : [b, a]
        const grown = await Promise.all([first.grow(id, 64n * MIB, op), second.grow(id, 3n * MIB, op)])
        assert.equal((await a.get(id)).size, 64n * MIB)
        assert.deepEqual([grown[0].size, grown[1].size >= 3n * MIB], [64n * MIB, true])
      }
    })
  })

  describe(`pool ${type}: room`, () => {
    it('is what was promised and no more; a refusal leaves nothing', async t => {
      const { a, b, folder } = await openTwo(t, { available: 100n * MIB })
      await a.create(specOf('one'), 60n * MIB, op)
      assert.ok((await b.room()).available <= 40n * MIB)
      await assert.rejects(b.create(specOf('two'), 50n * MIB, op), failure('resource-exhausted'))
      await assert.rejects(a.grow(specOf('one').id, 99n * MIB + 100n * MIB, op), failure('out-of-range'))
      assert.equal(await a.find(specOf('two').id), undefined)
      assert.deepEqual(await debris(folder), [])
      await b.create(specOf('three'), 30n * MIB, op)
      await assert.rejects(a.grow(specOf('one').id, 80n * MIB, op), failure('resource-exhausted'))
      assert.equal((await a.get(specOf('one').id)).size, 60n * MIB)
      await a.delete(specOf('three').id, op)
      assert.equal((await a.grow(specOf('one').id, 80n * MIB, op)).size, 80n * MIB)
    })

    it('is multiplied by the overcommit', async t => {
      const { a } = await openTwo(t, { available: 100n * MIB, overcommit: 2.5 })
      assert.equal((await a.room()).total, 250n * MIB)
      await a.create(specOf('one'), 240n * MIB, op)
      await assert.rejects(a.create(specOf('two'), 20n * MIB, op), failure('resource-exhausted'))
    })

    it('is never promised twice, however many ask at once', async t => {
      const { a, b } = await openTwo(t, { available: 100n * MIB })
      const results = await Promise.allSettled(
        Array.from({ length: 12 }, (_, n) => (n % 2 === 0 ? a : b).create(specOf(`volume ${n}`), 30n * MIB, op)),
      )
      const ends = endsOf(results)
      assert.ok(ends.every(end => end === 'fulfilled' || end === 'resource-exhausted'))
      assert.ok(ends.filter(end => end === 'fulfilled').length <= 3, ends.join())
      assert.equal((await a.list()).length, ends.filter(end => end === 'fulfilled').length)
    })

    it('never suffices for a size that no filesystem can hold', async t => {
      const { a, folder } = await openTwo(t)
      for (const size of [2n ** 53n + MIB, 2n ** 62n])
        await assert.rejects(a.create(specOf('one'), size, op), failure('resource-exhausted'))
      assert.deepEqual(await debris(folder), [])
    })
  })

  describe(`pool ${type}: blankness`, () => {
    it('ends with the first byte, be it zero, and outlives growth', async t => {
      const { a, b } = await openTwo(t)
      for (const [name, byte, position] of [
        ['x', 'x', 0],
        ['zero', '\0', 0],
        ['last', 'x', Number(MIB) - 1],
      ] as const) {
        const { id } = await a.create(specOf(name), MIB, op)
        assert.equal(await b.isBlank(id, op), true)
        await a.grow(id, 2n * MIB, op)
        assert.equal(await b.isBlank(id, op), true, 'after growth')
        await write(a, id, byte, position)
        assert.equal(await b.isBlank(id, op), false, name)
        await a.grow(id, 3n * MIB, op)
        assert.equal(await b.isBlank(id, op), false, 'after growth with data')
      }
    })
  })

  describe(`pool ${type}: crashes and versions`, () => {
    it('what a dead process left half-done does not show, and is swept', async t => {
      const { a, folder, reopen } = await openTwo(t)
      const { id } = await a.create(specOf('whole'), MIB, op)
      const half = specOf('half').id
      await crash(folder, half)
      assert.ok((await debris(folder)).length > 0)
      assert.equal(await a.find(half), undefined)
      assert.deepEqual(await a.list(), [id])
      const pool = await reopen()
      assert.deepEqual(await debris(folder), [])
      assert.equal((await pool.create(specOf('half'), MIB, op)).size, MIB)
      assert.deepEqual((await pool.list()).length, 2)
    })

    it('a record of a later version is refused, not guessed, and not taken for absent', async t => {
      const { a, b, folder } = await openTwo(t)
      const { id } = await a.create(specOf('one'), MIB, op)
      await outdate(folder, id)
      const refused = failure('unavailable', /version 2/)
      await assert.rejects(b.find(id), refused)
      await assert.rejects(b.get(id), refused)
      await assert.rejects(b.create(specOf('one'), MIB, op), refused)
    })
  })
})
