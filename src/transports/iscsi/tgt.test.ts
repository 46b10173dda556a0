// Tests of target `tgt` against a tgtd that lives here: exact exports, rights that end, and a driver killed after any command.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type FakeTarget, type FakeTgtd, fakeTgtd, Killed } from '../../../test/fake-tgtd.ts'
import { failure, GIB, MIB, testOp } from '../../../test/fixtures.ts'
import { Secret } from '../../volume/secret.ts'
import type { ExportDocument, Target } from './target.ts'
import { tgt } from './tgt.ts'

const SERIAL = '0123456789abcdef'.repeat(2)
const NAME = `iqn.2026-01.dev.ashlar:vol-fast-${SERIAL}`
const PATH = '/srv/pool/data'
const A = 'iqn.2026-01.dev.ashlar:node.a'
const B = 'iqn.2026-01.dev.ashlar:node.b'
const op = testOp()

function documentOf(
  initiators: readonly string[],
  rest: Partial<ExportDocument> = {},
  readonly = false,
): ExportDocument {
  const rights = initiators.map(initiator => ({ initiator, readonly }))
  const backing = { path: PATH, size: GIB }
  return { target: NAME, serial: SERIAL, backing, sectorSize: 4096, portals: ['10.77.0.1:3260'], rights, ...rest }
}

function scene(): { tgtd: FakeTgtd; target: Target; files: Map<string, bigint> } {
  const files = new Map([
    [PATH, GIB],
    ['/srv/other', 5n * MIB],
  ])
  const tgtd = fakeTgtd(path => files.get(path))
  return { tgtd, files, target: tgt.open(tgtd.host) }
}

/** What is there, without numbers that are drawn. */
function facts(target: FakeTarget | undefined) {
  if (!target) return undefined
  const unit = target.units.get(1)
  return {
    ...target,
    tid: 0,
    acl: [...target.acl],
    nop: { ...target.nop },
    unit: { ...unit },
    units: [...target.units.keys()],
    sessions: target.sessions.length,
  }
}

const whole = (acl: readonly string[], readonly = false) => ({
  tid: 0,
  name: NAME,
  nop: { nop_interval: '5', nop_count: '2' },
  units: [1],
  unit: { path: PATH, sn: SERIAL, id: SERIAL, blockSize: '4096', flags: 'sync', readonly, thin: true, size: GIB },
  acl,
  sessions: 0,
})

async function untilDone(tgtd: FakeTgtd, act: () => Promise<void>): Promise<number> {
  for (let n = 1; ; n += 1) {
    tgtd.killAfter(n)
    try {
      await act()
      return n
    } catch (error) {
      if (!(error instanceof Killed)) throw error
    } finally {
      tgtd.killAfter(undefined)
    }
  }
}

describe('an export', () => {
  it('is all that the document says, and shows it', async () => {
    const { tgtd, target } = scene()
    await target.apply(documentOf([A, B]), op)
    assert.deepEqual(facts(tgtd.targets[0]), whole([A, B]))
    assert.equal(tgtd.portals.length, 2, 'a portal for all addresses is enough')
    const none = { readonly: false, sessions: 0 }
    const initiators = [A, B].map(name => ({ name, ...none }))
    const shown = { target: NAME, serial: SERIAL, backing: PATH, size: GIB, enabled: true, initiators }
    assert.deepEqual(await target.find(NAME, op), shown)
    assert.deepEqual(await target.list(op), [shown])
  })

  it('lets nobody in before all of it is true', async () => {
    const { tgtd, target } = scene()
    const binds: unknown[] = []
    tgtd.watch(change => {
      if (change.includes('bind')) binds.push(facts(tgtd.targets[0]))
    })
    await target.apply(documentOf([A], {}, true), op)
    assert.deepEqual(binds, [whole([], true)])
  })

  it('is made once: a second call changes nothing', async () => {
    const { tgtd, target } = scene()
    await target.apply(documentOf([A]), op)
    const before = tgtd.changes.length
    await target.apply(documentOf([A]), op)
    assert.equal(tgtd.changes.length, before)
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

  it('changes its right in place', async () => {
    const { tgtd, target } = scene()
    await target.apply(documentOf([A]), op)
    await target.apply(documentOf([A], {}, true), op)
    assert.deepEqual(facts(tgtd.targets[0]), whole([A], true))
    assert.equal((await target.find(NAME, op))?.initiators[0]?.readonly, true)
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

  it('is refused where tgt cannot serve it', async () => {
    const { tgtd, target, files } = scene()
    const chap = { user: 'u', password: new Secret('p') }
    const withChap = documentOf([], { rights: [{ initiator: A, readonly: false, chap }] })
    await assert.rejects(target.apply(withChap, op), failure('invalid-argument', /CHAP/))
    const mixed = [A, B].map((initiator, n) => ({ initiator, readonly: n === 0 }))
    await assert.rejects(target.apply(documentOf([], { rights: mixed }), op), failure('failed-precondition'))
    files.set(PATH, GIB + 1n)
    await assert.rejects(target.apply(documentOf([A]), op), failure('failed-precondition', /1073741825/))
    files.delete(PATH)
    await assert.rejects(target.apply(documentOf([A]), op), failure('failed-precondition', /does not exist/))
    await assert.rejects(target.grow(NAME, { path: PATH, size: GIB }, op), failure('unimplemented'))
    assert.deepEqual(tgtd.changes, [])
  })

  it('of another file or serial is never changed', async () => {
    for (const other of [{ backing: { path: '/srv/other', size: 5n * MIB } }, { serial: 'f'.repeat(32) }]) {
      const { tgtd, target } = scene()
      await target.apply(documentOf([A], other), op)
      const before = structuredClone(tgtd.targets)
      await assert.rejects(target.apply(documentOf([A]), op), failure('failed-precondition', /it shows/))
      assert.deepEqual(tgtd.targets, before)
    }
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

  it('leaves targets of others alone, and does not list them', async () => {
    const { tgtd, target } = scene()
    const run = (...args: string[]) =>
      tgtd.host.run({ file: 'tgtadm', args: ['--lld', 'iscsi', ...args], timeoutMs: 1, onAbort: 'kill' }, op)
    await run('--op', 'new', '--mode', 'target', '--tid', '1', '--targetname', 'iqn.2001-04.com.example:disk')
    await run('--op', 'bind', '--mode', 'target', '--tid', '1', '--initiator-address', 'ALL')
    const before = structuredClone(tgtd.targets)
    await target.apply(documentOf([A]), op)
    await target.revoke(NAME, A, op)
    assert.deepEqual(tgtd.targets, before)
    assert.deepEqual(await target.list(op), [])
  })
})

describe('a right that is taken away', () => {
  it('ends its sessions and its last write, and with the last right the target goes', async () => {
    const { tgtd, target } = scene()
    await target.apply(documentOf([A]), op)
    const session = tgtd.beginLogin(NAME, A)?.()
    assert.ok(session)
    session.writes = 5
    await target.revoke(NAME, A, op)
    assert.deepEqual([session.writes, tgtd.targets], [0, []])
    await target.revoke(NAME, A, op)
    await target.remove(NAME, op)
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
  it('finishes an export at the next call', async () => {
    const { tgtd, target } = scene()
    assert.ok((await untilDone(tgtd, () => target.apply(documentOf([A, B]), op))) > 5)
    assert.deepEqual(facts(tgtd.targets[0]), whole([A, B]))
  })

  it('takes a right away at the next call, also from a login that began before', async () => {
    for (const others of [[], [B]]) {
      const { tgtd, target } = scene()
      await target.apply(documentOf([A, ...others]), op)
      tgtd.beginLogin(NAME, A)?.()
      const finish = tgtd.beginLogin(NAME, A)
      assert.ok((await untilDone(tgtd, () => target.revoke(NAME, A, op))) > 2)
      assert.equal(finish?.(), undefined)
      assert.equal(
        tgtd.targets.some(({ acl, sessions }) => acl.includes(A) || sessions.length > 0),
        false,
      )
    }
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
      { numRuns: 60 },
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
    tgtd.targets.splice(0)
    await target.apply(documentOf([A]), op)
    assert.deepEqual(facts(tgtd.targets[0]), whole([A]))
  })
})
