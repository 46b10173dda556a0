// Snapshots and clones of the file pool on a host whose cp is held still, fails, or dies, at the instants that count.
import assert from 'node:assert/strict'
import { open, readdir, readFile, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { failure, GIB, MIB, MOUNT, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { waitUntil } from '../../test/patience.ts'
import type { Command, Host } from '../host/host.ts'
import { localHost } from '../host/local.ts'
import { markerPage, markerSpots } from '../linux/format-marker.ts'
import { copierTo } from '../volume/claim.ts'
import { OperationPending, VolumeInUse } from '../volume/errors.ts'
import { encodeVolumeId } from '../volume/ids.ts'
import type { Claim, ContentSource, VolumeId, VolumeSpec } from '../volume/types.ts'
import { filePool } from './file.ts'
import type { CopySpec, Pool, Snapshots } from './pool.ts'

const op = testOp()
const one = encodeVolumeId('p', 'one')
const specOf = (name: string): VolumeSpec => ({
  id: encodeVolumeId('p', name),
  name,
  capabilities: [MOUNT],
  parameters: {},
  transport: 'loop',
  sectorSize: 512,
  segments: {},
})
const copyOf = (name: string, contentSource: ContentSource): CopySpec => ({ ...specOf(name), contentSource })
const claim: Claim = { node: 'n1', readonly: false, capability: MOUNT, blank: false }
const unused = async () => undefined

/** What happens instead of, or before, a copy byte by byte. */
type Meddler = (command: Command) => Promise<void>

interface Lab {
  pool: Pool & { snapshots: Snapshots }
  at(...more: string[]): string
  /** Another process. */
  reopen(): Promise<Pool & { snapshots: Snapshots }>
  meddle: Meddler
  /** As FICLONE would do it, or refuse to. */
  clones: boolean
  cut(name?: string, source?: VolumeId): ReturnType<Snapshots['create']>
  restore(name: string, source: ContentSource, size?: bigint): ReturnType<Snapshots['createVolume']>
  read(id: VolumeId, length?: number, position?: number): Promise<string>
  write(id: VolumeId, text: string, position?: number): Promise<void>
}

async function setUp(t: TestContext, { clones = false } = {}): Promise<Lab> {
  const folder = await temporaryFolder(t)
  const real = localHost()
  const lab = { clones, meddle: async () => undefined } as unknown as Lab
  // Whatever else the disk of this machine is used for.
  const space = async () => ({ total: 64n * GIB, available: 64n * GIB })
  const host: Host = {
    ...real,
    files: { ...real.files, space },
    async run(command, given) {
      if (command.file !== 'cp') return await real.run(command, given)
      const isClone = command.args[0] === '--reflink=always'
      if (isClone && !lab.clones) return { code: 1, stdout: '', stderr: `cp: failed to clone: Operation not supported` }
      await lab.meddle(command)
      return await real.run(
        { ...command, args: ['--reflink=never', '--sparse=always', ...command.args.slice(-3)] },
        given,
      )
    },
  }
  const config = { type: 'file', path: folder, overcommit: 1, sectorSize: 512 } as const
  const reopen = async () => (await filePool.open(host, 'p', config)) as Lab['pool']
  const pool = await reopen()
  await pool.create(specOf('one'), 16n * MIB, op)
  const at = (...more: string[]) => join(folder, ...more)
  Object.assign(lab, {
    pool,
    at,
    reopen,
    cut: (name = 'snap', source = one) =>
      pool.snapshots.create({ id: pool.snapshots.idFor(name), name, source }, unused, op),
    restore: (name: string, source: ContentSource, size = 16n * MIB) =>
      pool.snapshots.createVolume(copyOf(name, source), size, unused, op),
    read: async (id: VolumeId, length = 4, position = 0) =>
      (await readFile(at('volumes', id, 'data'))).subarray(position, position + length).toString(),
    async write(id: VolumeId, text: string, position = 0) {
      const file = await open(at('volumes', id, 'data'), 'r+')
      await file.write(text, position)
      await file.close()
    },
  } satisfies Partial<Lab>)
  await lab.write(one, 'then')
  return lab
}

const holders = async ({ pool }: Lab, id = one) => (await pool.claims(id)).map(({ node }) => node)
const places = async ({ at }: Lab) => [await readdir(at('drafts')), await readdir(at('trash'))]
const DEAD = new Error('the process died')

/** A copy byte by byte that waits until it is let go. */
const gate = () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { wait: () => promise, open: resolve }
}

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
      const copying = gate()
      lab.meddle = copying.wait
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
      const copying = gate()
      let copies = 0
      lab.meddle = async () => {
        copies += 1
        await copying.wait()
      }
      const gone = new AbortController()
      const wanted = { id: lab.pool.snapshots.idFor('snap'), name: 'snap', source: one }
      const spec = copyOf('two', { kind: 'volume', id: one })
      const ask = (given = op) =>
        kind === 'snapshot'
          ? lab.pool.snapshots.create(wanted, unused, given)
          : lab.pool.snapshots.createVolume(spec, 16n * MIB, unused, given)
      const first = assert.rejects(ask(testOp(gone.signal)), failure('cancelled', /the copy goes on/))
      await waitUntil('it copies', () => copies > 0)
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
      assert.equal(copies, 1)
      assert.equal('ready' in made ? made.ready : made.size === 16n * MIB, true)
      assert.deepEqual([await holders(lab), await places(lab)], [[], [[], []]])
    })

    it(`to a ${kind} that is deleted ends, and leaves nothing`, async t => {
      const lab = await setUp(t)
      const copying = gate()
      let copies = 0
      lab.meddle = async () => {
        copies += 1
        await copying.wait()
      }
      const copy = assert.rejects(begin(lab), failure('aborted'))
      await waitUntil('it copies', () => copies > 0)
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
