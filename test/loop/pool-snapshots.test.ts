// Snapshots and clones of the file pool, with files that can be cloned and with files that must be copied.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { markerPage, markerSpots } from '../../src/linux/format-marker.ts'
import { OperationPending } from '../../src/volume/errors.ts'
import { claim, copyOf, holders, one, places, setUp, specOf, unused } from '../copy-lab.ts'
import { failure, MIB, testOp } from '../fixtures.ts'

const op = testOp()

for (const clones of [true, false]) {
  describe(`a snapshot, ${clones ? 'cloned' : 'copied'}`, () => {
    it('keeps the bytes of its instant, is answered again as it is, and needs no source', async t => {
      const lab = await setUp(t, { clones })
      const { pool } = lab
      const first = await lab.cut()
      assert.deepEqual([first.ready, first.size, first.source, first.pool], [true, 16n * MIB, one, 'p'])
      await lab.write(one, 'late')
      await pool.grow(one, 32n * MIB, op)
      assert.deepEqual(await lab.cut(), first)
      await pool.delete(one, op)
      assert.deepEqual(await lab.cut(), first)
      const other = await lab.reopen()
      assert.deepEqual(await other.snapshots.find(first.id), first)
      assert.deepEqual([await other.snapshots.list(), await other.list()], [[first.id], []])

      const made = await lab.restore('two', { kind: 'snapshot', id: first.id }, 32n * MIB)
      assert.deepEqual(
        [made.size, made.contentSource, made.contentFrom],
        [32n * MIB, { kind: 'snapshot', id: first.id }, one],
      )
      await pool.snapshots.delete(first.id, op)
      await pool.snapshots.delete(first.id, op)
      assert.equal(await lab.read(made.id), 'then')
      assert.equal(await pool.isBlank(made.id, op), false)
      assert.deepEqual(
        [await pool.snapshots.list(), await places(lab), await holders(lab, made.id)],
        [[], [[], []], []],
      )
    })

    it('of a volume that is there no more, or never was, is not found', async t => {
      const lab = await setUp(t, { clones })
      await assert.rejects(lab.cut('x', specOf('absent').id), failure('not-found'))
      const source = { kind: 'snapshot', id: lab.pool.snapshots.idFor('absent') } as const
      await assert.rejects(lab.restore('two', source), failure('not-found', /no snapshot/))
      await assert.rejects(lab.restore('two', { kind: 'volume', id: specOf('absent').id }), failure('not-found'))
      assert.deepEqual([await places(lab), await lab.pool.list()], [[[], []], [one]])
    })

    it('of a name that another volume’s has is told to be that one', async t => {
      const lab = await setUp(t, { clones })
      const first = await lab.cut()
      await lab.pool.create(specOf('two'), MIB, op)
      assert.deepEqual(await lab.cut('snap', specOf('two').id), first)
      assert.deepEqual(await holders(lab, specOf('two').id), [])
    })

    it('counts with what it occupies, and is refused before anything is made', async t => {
      const lab = await setUp(t, { clones })
      const before = await lab.pool.room()
      const snapshot = await lab.cut()
      const { available } = await lab.pool.room()
      assert.ok(before.available - available < MIB, `${before.available - available} bytes for a page`)
      assert.ok(before.available - available > 0n)
      await lab.pool.create(specOf('all'), (available / MIB) * MIB - 2n * MIB, op)
      await assert.rejects(lab.restore('two', { kind: 'snapshot', id: snapshot.id }), failure('resource-exhausted'))
      await assert.rejects(lab.restore('two', { kind: 'volume', id: one }), failure('resource-exhausted'))
      await lab.write(one, 'x'.repeat(Number(4n * MIB)))
      await assert.rejects(lab.cut('more'), failure('resource-exhausted'))
      assert.deepEqual([await lab.pool.snapshots.list(), await places(lab)], [[snapshot.id], [[], []]])
      assert.deepEqual(await holders(lab), [])
    })

    it('of a blank volume is blank, and so is one of a format that did not finish', async t => {
      const lab = await setUp(t, { clones })
      const { id: blank } = await lab.pool.create(specOf('blank'), 16n * MIB, op)
      for (const [n, id] of [blank, one].entries()) {
        if (id === one) await lab.write(one, markerPage(one), Number(markerSpots(16n * MIB).at(-1)))
        const { id: snapshot } = await lab.cut(`of ${n}`, id)
        for (const source of [
          { kind: 'snapshot', id: snapshot },
          { kind: 'volume', id },
        ] as const) {
          const made = await lab.restore(`${source.kind} ${n}`, source, 32n * MIB)
          assert.equal(await lab.pool.isBlank(made.id, op), true, `${n} ${source.kind}`)
          // The mark of another volume would say so for ever, also when there is data.
          assert.ok(!(await readFile(lab.at('volumes', made.id, 'data'))).includes('ashlar'))
          assert.equal(made.size, 32n * MIB)
        }
      }
    })

    it('made by twenty calls of two processes at once is one, and so is a clone', async t => {
      const lab = await setUp(t, { clones })
      const other = await lab.reopen()
      const spec = copyOf('two', { kind: 'volume', id: one })
      const wanted = { id: lab.pool.snapshots.idFor('snap'), name: 'snap', source: one }
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, async (_, n) => {
          const { snapshots } = n % 2 === 0 ? lab.pool : other
          if (n % 4 < 2) await snapshots.create(wanted, unused, op)
          else await snapshots.createVolume(spec, 16n * MIB, unused, op)
        }),
      )
      for (const each of results)
        if (each.status === 'rejected') assert.ok(each.reason instanceof OperationPending, String(each.reason))
      await lab.cut()
      await lab.restore('two', { kind: 'volume', id: one })
      assert.equal(await lab.read(spec.id), 'then')
      assert.deepEqual([await lab.pool.snapshots.list(), await lab.pool.list()], [[wanted.id], [one, spec.id].sort()])
      assert.deepEqual([await holders(lab), await places(lab)], [[], [[], []]])
    })
  })
}

describe('a clone', () => {
  it('of a volume in use is made where files can be cloned', async t => {
    const lab = await setUp(t, { clones: true })
    await lab.pool.claim(one, claim)
    assert.equal((await lab.cut()).ready, true)
    await lab.restore('two', { kind: 'volume', id: one })
    assert.deepEqual(await holders(lab), ['n1'])
  })

  it('that is smaller than its source became meanwhile does not appear', async t => {
    const lab = await setUp(t, { clones: true })
    lab.meddle = async () => void (await lab.pool.grow(one, 32n * MIB, op))
    await assert.rejects(lab.restore('two', { kind: 'volume', id: one }), failure('aborted', /33554432 bytes by now/))
    assert.deepEqual([await lab.pool.list(), await places(lab)], [[one], [[], []]])
  })
})
