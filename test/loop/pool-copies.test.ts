// Copies of volumes at rest that are held still, fail or die at the instants that count.
import assert from 'node:assert/strict'
import { readdir, truncate, utimes, writeFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { copierTo } from '../../src/volume/claim.ts'
import { VolumeInUse } from '../../src/volume/errors.ts'
import { claim, copyOf, holders, type Lab, one, places, setUp, specOf, unused } from '../copy-lab.ts'
import { failure, GIB, MIB, testOp } from '../fixtures.ts'
import { waitUntil } from '../patience.ts'

const op = testOp()
const DEAD = new Error('the process died')

/** Counts the copies of the lab, byte by byte, and holds them still until they are let go. */
const holdCopies = (lab: Lab) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  let count = 0
  lab.meddle = async () => {
    count += 1
    await promise
  }
  return { begun: () => count, open: resolve }
}

describe('a copy of a volume at rest', () => {
  it('is refused while a node has it, or anything reaches its bytes, and leaves no claim', async t => {
    const lab = await setUp(t)
    const { pool } = lab
    await pool.claim(one, claim)
    const inUse = failure('failed-precondition', /published to node n1, and pool p cannot clone.*xfs or btrfs/)
    await assert.rejects(lab.cut(), inUse)
    await assert.rejects(lab.restore('two', { kind: 'volume', id: one }), inUse)
    await pool.release(one, 'n1')
    const attached = () => Promise.reject(new VolumeInUse({ asked: 'a', found: 'attached', next: '' }))
    const wanted = { id: pool.snapshots.idFor('snap'), name: 'snap', source: one }
    await assert.rejects(pool.snapshots.create(wanted, attached, op), failure('failed-precondition', /attached/))
    const spec = copyOf('two', { kind: 'volume', id: one })
    await assert.rejects(
      pool.snapshots.createVolume(spec, 16n * MIB, attached, op),
      failure('failed-precondition', /attached/),
    )
    assert.deepEqual([await holders(lab), await pool.snapshots.list(), await pool.list()], [[], [], [one]])
  })

  for (const kind of ['snapshot', 'volume'] as const) {
    const begin = (lab: Lab) => (kind === 'snapshot' ? lab.cut() : lab.restore('two', { kind: 'volume', id: one }))
    const target = ({ pool }: Lab) => (kind === 'snapshot' ? pool.snapshots.idFor('snap') : specOf('two').id)

    it(`to a ${kind} keeps nodes, other copies, growth and deletion away while it lasts`, async t => {
      const lab = await setUp(t)
      const copying = holdCopies(lab)
      const copy = begin(lab)
      await waitUntil('the copy holds the volume', async () => (await holders(lab)).length > 0)
      const { pool } = lab
      assert.deepEqual(await holders(lab), [copierTo(target(lab))])
      await assert.rejects(pool.claim(one, claim), failure('failed-precondition', /being copied to/))
      await assert.rejects(pool.delete(one, op), failure('failed-precondition', /being copied to/))
      await assert.rejects(pool.grow(one, GIB, op), failure('aborted', /being copied to/))
      await assert.rejects(lab.cut('another'), failure('aborted', /being copied to/))
      copying.open()
      await copy
      assert.deepEqual(await holders(lab), [])
      await pool.claim(one, claim)
    })

    it(`to a ${kind} goes on when its caller has gone, is joined by a repeat, and never copies twice`, async t => {
      const lab = await setUp(t)
      const copying = holdCopies(lab)
      const gone = new AbortController()
      const wanted = { id: lab.pool.snapshots.idFor('snap'), name: 'snap', source: one }
      const spec = copyOf('two', { kind: 'volume', id: one })
      const ask = (given = op) =>
        kind === 'snapshot'
          ? lab.pool.snapshots.create(wanted, unused, given)
          : lab.pool.snapshots.createVolume(spec, 16n * MIB, unused, given)
      const first = assert.rejects(ask(testOp(gone.signal)), failure('cancelled', /the copy goes on/))
      await waitUntil('it copies', () => copying.begun() > 0)
      gone.abort()
      await first
      assert.deepEqual(await lab.pool.list(), [one])
      // Another process does not even begin.
      const other = await lab.reopen()
      if (kind === 'volume') {
        await assert.rejects(other.snapshots.createVolume(spec, 16n * MIB, unused, op), failure('aborted'))
        const larger = lab.pool.snapshots.createVolume(spec, 32n * MIB, unused, op)
        await assert.rejects(larger, failure('aborted', /another copy/))
      } else assert.equal((await other.snapshots.create(wanted, unused, op)).ready, false)
      const repeat = ask()
      copying.open()
      const made = await repeat
      assert.equal(copying.begun(), 1)
      assert.equal('ready' in made ? made.ready : made.size === 16n * MIB, true)
      assert.deepEqual([await holders(lab), await places(lab)], [[], [[], []]])
    })

    it(`to a ${kind} that is deleted ends, and leaves nothing`, async t => {
      const lab = await setUp(t)
      const copying = holdCopies(lab)
      const copy = assert.rejects(begin(lab), failure('unavailable', /deleted meanwhile/))
      await waitUntil('it copies', () => copying.begun() > 0)
      const end = kind === 'snapshot' ? lab.pool.snapshots.delete(target(lab), op) : lab.pool.delete(target(lab), op)
      copying.open() // the real cp ends when it is told to
      await Promise.all([end, copy])
      assert.deepEqual([await holders(lab), await places(lab)], [[], [[], []]])
      assert.deepEqual([await lab.pool.snapshots.list(), await lab.pool.list()], [[], [one]])
    })

    it(`to a ${kind} does not count if the volume was given away while it was read`, async t => {
      const lab = await setUp(t)
      lab.meddle = async () => {
        // As after a hand removed the claim: nodes came, wrote and went, and another copy holds it now.
        await lab.pool.release(one, copierTo(target(lab)))
        await lab.pool.claim(one, { ...claim, node: copierTo(target(lab)), nonce: 'another' })
      }
      await assert.rejects(begin(lab), failure('failed-precondition', /given away while it was copied/))
      assert.deepEqual(await lab.pool.list(), [one])
      const snapshot = await lab.pool.snapshots.find(lab.pool.snapshots.idFor('snap'))
      assert.equal(snapshot?.ready, kind === 'snapshot' ? false : undefined)
    })
  }

  it('that a dead process left is begun anew by a repeat, and its volume stays held until then', async t => {
    const lab = await setUp(t)
    lab.meddle = async ({ args }) => {
      await writeFile(String(args.at(-1)), 'half')
      throw DEAD
    }
    await assert.rejects(lab.cut(), DEAD)
    const id = lab.pool.snapshots.idFor('snap')
    const cut = await lab.pool.snapshots.find(id)
    assert.equal(cut?.ready, false)
    const other = await lab.reopen()
    assert.deepEqual(await holders(lab), [copierTo(id)])
    await assert.rejects(other.claim(one, claim), failure('failed-precondition'))
    await assert.rejects(
      other.snapshots.createVolume(copyOf('two', { kind: 'snapshot', id }), 16n * MIB, unused, op),
      failure('unavailable', /not ready/),
    )
    lab.meddle = async () => undefined
    const whole = await other.snapshots.create({ id, name: 'snap', source: one }, unused, op)
    assert.deepEqual(whole, { ...cut, ready: true })
    assert.deepEqual((await readdir(lab.at('snapshots', id))).sort(), ['data', 'snapshot.json'])
    assert.deepEqual(await holders(lab), [])
    await other.claim(one, claim)
  })

  it('of a snapshot whose volume was given away before its bytes were there is never completed', async t => {
    const lab = await setUp(t)
    lab.meddle = () => Promise.reject(DEAD)
    await assert.rejects(lab.cut(), DEAD)
    const id = lab.pool.snapshots.idFor('snap')
    await lab.pool.release(one, copierTo(id))
    lab.meddle = async () => undefined
    await assert.rejects(lab.cut(), failure('failed-precondition', /delete the snapshot/))
    assert.deepEqual(await holders(lab), [])
    await lab.pool.snapshots.delete(id, op)
    assert.equal((await lab.cut()).ready, true)
  })

  it('that died before anything came of it gives its volume back at the next start', async t => {
    const lab = await setUp(t)
    const { pool } = lab
    for (const target of [specOf('two').id, pool.snapshots.idFor('snap')]) {
      await pool.claim(one, { ...claim, node: copierTo(target) })
      await lab.reopen()
      assert.deepEqual(await holders(lab), [])
    }
    await writeFile(lab.at('volumes', one, 'claims', 'x.json'), '{')
    await lab.reopen()
  })

  it('that ends short of its size does not count', async t => {
    const lab = await setUp(t)
    lab.meddle = () => truncate(lab.at('volumes', one, 'data'), Number(MIB))
    await assert.rejects(lab.cut(), failure('internal', /1048576 of 16777216 bytes came/))
    assert.equal((await lab.pool.snapshots.find(lab.pool.snapshots.idFor('snap')))?.ready, false)
  })

  it('is not swept while it is written, however old its folder is', async t => {
    const lab = await setUp(t)
    const longAgo = new Date(Date.now() - 24 * 3600_000)
    lab.meddle = async ({ args }) => {
      await writeFile(String(args.at(-1)), 'half')
      const draft = String(args.at(-1)).replace(/\/[^/]+$/, '')
      await utimes(draft, longAgo, longAgo)
      await lab.reopen()
      await utimes(String(args.at(-1)), longAgo, longAgo)
      assert.deepEqual(
        (await lab.pool.inventory()).remains.map(({ stale }) => stale),
        [true],
      )
    }
    assert.equal((await lab.restore('two', { kind: 'volume', id: one })).size, 16n * MIB)
  })
})
