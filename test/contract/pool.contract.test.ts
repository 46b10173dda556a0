// The contract of pools: volumes and claims, as two processes see them at any instant.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failure, MIB, testOp } from '../fixtures.ts'
import { claimOf, eachPool, endsOf, readBack, specOf, write } from './pool-bench.ts'

const op = testOp()

eachPool(({ type, openTwo, debris }) => {
  describe(`pool ${type}: creating`, () => {
    it('answers what was created, to every process', async t => {
      const { a, b } = await openTwo(t)
      const spec = specOf('one')
      const created = await a.create(spec, 4n * MIB, op)
      assert.deepEqual(created, { ...spec, pool: 'p', size: 4n * MIB })
      for (const pool of [a, b]) {
        assert.deepEqual(await pool.find(spec.id), created)
        assert.deepEqual(await pool.get(spec.id), created)
      }
      assert.equal((await a.backing(spec.id)).size, 4n * MIB)
    })

    it('again answers the volume that is there, not the one that is asked for', async t => {
      const { a, b } = await openTwo(t)
      const first = await a.create(specOf('one'), 4n * MIB, op)
      const other = specOf('one', { parameters: { fsType: 'ext4' }, capabilities: [] })
      assert.deepEqual(await b.create(other, 8n * MIB, op), first)
    })

    it('twenty times at once from two processes makes one volume, and leaves nothing else', async t => {
      const { a, b, folder } = await openTwo(t)
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          (n % 2 === 0 ? a : b).create(specOf('one', { parameters: { uid: String(n) } }), BigInt(n + 1) * MIB, op),
        ),
      )
      for (const answer of answers) assert.deepEqual(answer, answers[0])
      assert.deepEqual(await a.list(), [specOf('one').id])
      assert.deepEqual(await debris(folder), [])
    })

    it('takes every name that CSI allows, and tells it back', async t => {
      const { a, b } = await openTwo(t)
      const names = [
        '/',
        '..',
        '../../escape',
        '"',
        "'",
        'a\nb',
        'a\tb',
        '\\',
        '$(id)',
        '%s',
        ' ',
        '🪨'.repeat(32),
        'é',
        'e\u0301',
        '.',
        '-rf',
      ]
      for (const name of names) await a.create(specOf(name), MIB, op)
      const found = await Promise.all((await b.list()).map(id => b.get(id)))
      assert.deepEqual(found.map(volume => volume.name).sort(), [...names].sort())
    })

    it('lists ids in ascending order', async t => {
      const { a, b } = await openTwo(t)
      assert.deepEqual(await a.list(), [])
      const specs = Array.from({ length: 12 }, (_, n) => specOf(`volume ${n}`))
      await Promise.all(specs.map((spec, n) => (n % 2 === 0 ? a : b).create(spec, MIB, op)))
      assert.deepEqual(await a.list(), specs.map(spec => spec.id).sort())
    })
  })

  describe(`pool ${type}: what is not there`, () => {
    it('is undefined to find, fine to delete, and not found for everything else', async t => {
      const { a } = await openTwo(t)
      const id = specOf('absent').id
      assert.equal(await a.find(id), undefined)
      await a.delete(id, op)
      await a.release(id, 'n1')
      assert.deepEqual(await a.claims(id), [])
      const absent = failure('not-found')
      await assert.rejects(a.get(id), absent)
      await assert.rejects(a.grow(id, MIB, op), absent)
      await assert.rejects(a.modify(id, { x: '1' }, op), absent)
      await assert.rejects(a.backing(id), absent)
      await assert.rejects(a.claim(id, claimOf('n1')), absent)
    })
  })

  describe(`pool ${type}: claims`, () => {
    it('are recorded, told apart by node, and given up one by one', async t => {
      const { a, b } = await openTwo(t)
      const { id } = await a.create(specOf('one'), MIB, op)
      const nodes = ['n1', '../n2', 'n'.repeat(192), 'n/3']
      for (const node of nodes) {
        const claim = claimOf(node, 'MULTI_NODE_READER_ONLY')
        assert.deepEqual(await a.claim(id, claim), { claim, isNew: true })
      }
      assert.deepEqual((await b.claims(id)).map(claim => claim.node).sort(), [...nodes].sort())
      await b.release(id, '../n2')
      await b.release(id, '../n2')
      assert.equal((await a.claims(id)).length, 3)
    })

    it('a second time answer the first claim, also when they ask for something else', async t => {
      const { a, b } = await openTwo(t)
      const { id } = await a.create(specOf('one'), MIB, op)
      const claim = claimOf('n1')
      await a.claim(id, claim)
      assert.deepEqual(await b.claim(id, { ...claim, readonly: true, blank: false }), { claim, isNew: false })
      const { id: other } = await a.create(specOf('two'), MIB, op)
      const both = await Promise.all([a.claim(other, claim), b.claim(other, claim)])
      assert.deepEqual(both.map(each => each.isNew).sort(), [false, true])
    })

    it('of a second node are refused by name, until the first gives up', async t => {
      const { a, b } = await openTwo(t)
      const { id } = await a.create(specOf('one'), MIB, op)
      await a.claim(id, claimOf('n1'))
      for (const mode of ['SINGLE_NODE_WRITER', 'MULTI_NODE_READER_ONLY'] as const)
        await assert.rejects(b.claim(id, claimOf('n2', mode)), failure('failed-precondition', /node n1/))
      assert.deepEqual(
        (await a.claims(id)).map(claim => claim.node),
        ['n1'],
      )
      await a.release(id, 'n1')
      assert.equal((await b.claim(id, claimOf('n2'))).isNew, true)
    })

    it('of two nodes at once: at most one holds a single-node volume, both a multi-node one', async t => {
      const { a, b } = await openTwo(t)
      for (let round = 0; round < 12; round += 1) {
        const { id } = await a.create(specOf(`round ${round}`), MIB, op)
        const ends = endsOf(await Promise.allSettled([a.claim(id, claimOf('n1')), b.claim(id, claimOf('n2'))]))
        const winners = ['n1', 'n2'].filter((_, n) => ends[n] === 'fulfilled')
        assert.ok(winners.length <= 1, `round ${round}: ${ends.join()}`)
        assert.deepEqual(
          (await a.claims(id)).map(claim => claim.node),
          winners,
        )
        // Both may lose, but then nothing stands in the way of the next.
        if (winners.length === 0) assert.equal((await b.claim(id, claimOf('n2'))).isNew, true)
      }
      const { id } = await a.create(specOf('shared'), MIB, op)
      const mode = 'MULTI_NODE_READER_ONLY'
      await Promise.all([a.claim(id, claimOf('n1', mode)), b.claim(id, claimOf('n2', mode))])
      assert.equal((await b.claims(id)).length, 2)
    })
  })

  describe(`pool ${type}: modifying`, () => {
    it('changes what is named and keeps the rest, for every process, and what was created stays known', async t => {
      const { a, b, reopen } = await openTwo(t)
      const spec = specOf('one', { mutableParameters: { x: '1', y: '1' } })
      const created = await a.create(spec, MIB, op)
      assert.deepEqual(await b.modify(spec.id, { y: '2', z: '3' }, op), {
        ...created,
        modified: { x: '1', y: '2', z: '3' },
      })
      for (const pool of [a, b, await reopen()])
        assert.deepEqual((await pool.get(spec.id)).modified, { x: '1', y: '2', z: '3' })
    })

    it('to what is so already writes nothing', async t => {
      const { a } = await openTwo(t)
      const { id } = await a.create(specOf('one', { mutableParameters: { x: '1' } }), MIB, op)
      assert.equal((await a.modify(id, { x: '1' }, op)).modified, undefined)
      assert.equal((await a.modify(id, {}, op)).modified, undefined)
    })

    it('from two processes at once loses no change', async t => {
      const { a, b, folder } = await openTwo(t)
      const { id } = await a.create(specOf('one'), MIB, op)
      const keys = Array.from({ length: 10 }, (_, n) => `k${n}`)
      await Promise.all(keys.map((key, n) => (n % 2 === 0 ? a : b).modify(id, { [key]: key }, op)))
      assert.deepEqual((await a.get(id)).modified, Object.fromEntries(keys.map(key => [key, key])))
      await b.delete(id, op)
      assert.deepEqual(await debris(folder), [])
    })
  })

  describe(`pool ${type}: deleting`, () => {
    it('leaves nothing, and room for the same name', async t => {
      const { a, b, folder } = await openTwo(t)
      const { id } = await a.create(specOf('one'), MIB, op)
      await write(a, id, 'old')
      await b.delete(id, op)
      await a.delete(id, op)
      assert.equal(await a.find(id), undefined)
      assert.deepEqual([await a.list(), await debris(folder)], [[], []])
      assert.equal((await a.create(specOf('one'), 2n * MIB, op)).size, 2n * MIB)
      assert.equal(await a.isBlank(id, op), true)
    })

    it('is refused while a node holds the volume, and the bytes stay', async t => {
      const { a, b } = await openTwo(t)
      const { id } = await a.create(specOf('one'), MIB, op)
      await write(a, id, 'precious')
      await a.claim(id, claimOf('n1'))
      await assert.rejects(b.delete(id, op), failure('failed-precondition', /node n1/))
      assert.equal(await readBack(b, id, 8), 'precious')
      await a.release(id, 'n1')
      await b.delete(id, op)
      assert.equal(await a.find(id), undefined)
    })

    it('while another process claims: the claim holds and the volume is whole, or it is gone and nobody holds it', async t => {
      const { a, b, folder } = await openTwo(t)
      const seen = new Set<string>()
      for (let round = 0; round < 30; round += 1) {
        const { id } = await a.create(specOf(`round ${round}`), MIB, op)
        await write(a, id, `round ${round}`)
        const late = round % 6
        const pause = async () => {
          for (let turn = 0; turn < late; turn += 1) await new Promise(resolve => setImmediate(resolve))
        }
        const [deleted, first, second] = endsOf(
          await Promise.allSettled([
            pause().then(() => b.delete(id, op)),
            a.claim(id, claimOf('n1')),
            a.claim(id, claimOf('n2')),
          ]),
        )
        const holders = ['n1', 'n2'].filter((_, n) => [first, second][n] === 'fulfilled')
        seen.add(deleted === 'fulfilled' ? 'deleted' : holders.length > 0 ? 'held' : 'neither')
        const words = `round ${round}: delete ${deleted}, claims ${first} ${second}`
        assert.ok(holders.length <= 1, words)
        if (deleted === 'fulfilled') {
          assert.deepEqual(holders, [], words)
          assert.equal(await a.find(id), undefined, words)
          continue
        }
        assert.equal(await readBack(b, id, `round ${round}`.length), `round ${round}`, words)
        for (const holder of holders)
          assert.ok(
            (await b.claims(id)).some(claim => claim.node === holder),
            words,
          )
      }
      assert.ok(seen.has('deleted') || seen.has('held'), [...seen].join())
      assert.deepEqual(await debris(folder), [])
    })
  })
})
