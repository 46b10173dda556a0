// Tests of the node's half where one session serves several volumes: each comes and goes without the others noticing.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import {
  A,
  B,
  good,
  INITIATOR,
  id,
  mountOf,
  onlySession,
  other,
  pause,
  ran,
  routeOf,
  SETTINGS,
} from '../../../test/connector-bench.ts'
import { fakeInitiator, type Portal, portalOf } from '../../../test/fake-initiator.ts'
import { failure, GIB, temporaryFolder, testOp } from '../../../test/fixtures.ts'
import { encodeVolumeId } from '../../volume/ids.ts'
import { createConnector } from './connector.ts'
import { lunOf, nodeTargetName, serialOf, targetName } from './names.ts'
import type { IscsiRoute } from './route.ts'
import { createTurns } from './turns.ts'

const op = testOp()
const TARGET = nodeTargetName('p', INITIATOR)
const third = encodeVolumeId('p', 'three')
const [LUN, OTHER_LUN] = [lunOf(id, 'n'), lunOf(other, 'n')]

const shownAs = (volume: string, rest: Partial<Portal> = {}) => portalOf(serialOf(volume), rest)
const sharedRoute = (volume: string, rest: Partial<IscsiRoute> = {}) =>
  routeOf({ target: TARGET, lun: lunOf(volume, 'n'), serial: serialOf(volume), portals: [A], ...rest })

async function setUp(t: TestContext, portals: readonly Partial<Portal>[] = [{}]) {
  const units = new Map([id, other, third].map(each => [String(lunOf(each, 'n')), shownAs(each)] as const))
  const names = [A, B]
  const node = fakeInitiator(Object.fromEntries(portals.map((rest, n) => [names[n], portalOf('', { ...rest, units })])))
  const locks = join(await temporaryFolder(t), 'locks')
  const anew = () => createConnector(node.host, SETTINGS, INITIATOR, locks)
  const connector = anew()
  return {
    node,
    units,
    connector,
    anew,
    connect: (volume: string) => connector.connect(volume, sharedRoute(volume), op),
  }
}

const onlyOther = (said: readonly string[]) => said.filter(text => text.includes('/delete')).length

describe('one session for several volumes', () => {
  it('is made once, and looks for one unit at a time', async t => {
    const { node, connector, anew, connect } = await setUp(t)
    const [one, two] = await Promise.all([connect(id), connect(other)])
    assert.notEqual(one.kname, two.kname)
    assert.equal(ran(node, '--login'), 1)
    assert.equal(ran(node, '/scan'), 2)
    assert.equal(onlySession(node).target, TARGET)
    assert.deepEqual(await anew().connect(id, sharedRoute(id), op), one, 'also by a driver that has just begun')
    for (const [volume, device] of [
      [id, one],
      [other, two],
    ] as const) {
      assert.deepEqual(await connector.find(volume, op), device)
      assert.equal(await connector.identify(device), volume)
      await connector.verify(volume, device, op)
      assert.deepEqual(await connector.rescan(device, op), device)
    }
    await assert.rejects(connector.verify(id, two, op), failure('failed-precondition'))
    const attached = (await connector.list()).map(each => [each.id, each.backing])
    assert.deepEqual(
      attached.sort(),
      [
        [id, `${TARGET} LUN ${LUN}`],
        [other, `${TARGET} LUN ${OTHER_LUN}`],
      ].sort(),
    )
    assert.ok(!(await connector.find(third, op)))
  })

  it('ends with its last volume: before that only the one disk goes', async t => {
    const { node, connector, connect } = await setUp(t)
    await connect(id)
    const kept = await connect(other)
    node.said.length = 0
    await connector.disconnect(id, op)
    assert.deepEqual(
      node.said.map(text =>
        ['/rescan', '--flushbufs', '--setbsz', '/delete', '--logout', '-o delete'].find(step => text.includes(step)),
      ),
      ['/rescan', '--flushbufs', '--setbsz', '/delete'],
    )
    assert.deepEqual([await connector.find(id, op), await connector.find(other, op)], [undefined, kept])
    assert.equal(node.records().size, 1)
    await connector.disconnect(id, op)
    assert.equal(onlyOther(node.said), 1)
    await connector.disconnect(other, op)
    assert.deepEqual([node.sessions.size, node.records().size], [0, 0])
  })

  it('bears volumes that come and go at once', async t => {
    const { node, connector, connect } = await setUp(t)
    await connect(id)
    await Promise.all([connector.disconnect(id, op), connect(other), connect(third)])
    assert.ok((await connector.find(other, op)) && (await connector.find(third, op)))
    await Promise.all([connector.disconnect(other, op), connect(id), connector.disconnect(third, op)])
    assert.ok(await connector.find(id, op))
    await Promise.all([connector.disconnect(id, op), connector.disconnect(other, op)])
    assert.deepEqual([node.sessions.size, node.records().size], [0, 0])
  })

  it('is made once by two processes too, and not left by one while the other begins', async t => {
    const { node, connector, anew, connect } = await setUp(t)
    // As flock does it: the fake lets everybody through.
    const turns = createTurns()
    node.host.hold = async ({ args }) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      await new Promise<void>(start => {
        const wait = async () => {
          start()
          await promise
        }
        void turns(String(args.at(-1)), wait)
      })
      return async () => resolve()
    }
    const second = anew()
    await Promise.all([connect(id), second.connect(other, sharedRoute(other), op)])
    assert.equal(ran(node, '--login'), 1)
    await Promise.all([connector.disconnect(id, op), second.disconnect(other, op), connect(third)])
    assert.ok(await second.find(third, op))
    onlySession(node)
  })

  it('takes nothing away that is in use, and no disk of another volume', async t => {
    const { node, connector, connect } = await setUp(t)
    const { kname } = await connect(id)
    await connect(other)
    node.kernel.set('/proc/self/mountinfo', mountOf(kname, node))
    await assert.rejects(connector.disconnect(id, op), failure('failed-precondition', /mounted at \/m/))
    await connector.disconnect(other, op)
    assert.ok(await connector.find(id, op))
    onlySession(node)
  })

  it('that a crash left without a disk, or a record without a session, goes with the next call', async t => {
    const { node, connector, connect } = await setUp(t)
    node.sessions.set(77, { target: TARGET, portal: A, state: 'LOGGED_IN' })
    node.refresh()
    await connect(id)
    assert.equal(node.sessions.has(77), false)
    node.sessions.clear()
    node.refresh()
    await connector.disconnect(other, op)
    assert.equal(node.records().size, 0)
  })

  it('is not waited for when it is lost, and not ended either', async t => {
    const { node, connector, connect } = await setUp(t)
    await connect(other)
    for (const state of ['FAILED', 'FREE']) {
      onlySession(node).state = state
      node.refresh()
      await assert.rejects(connect(id), failure('unavailable', /the session with .* is/))
      assert.equal(ran(node, '--logout'), 0)
    }
    assert.ok(await connector.find(other, op))
  })

  it('leaves nothing of a unit that is not the volume, and the others alone', async t => {
    const wrongs: [Partial<Portal>, RegExp][] = [
      [{ serial: serialOf(third) }, /serial number/],
      [{ size: GIB / 2n }, /bytes, the volume has/],
      [{ readonly: true }, /read-only, and the volume is published writable/],
    ]
    for (const [rest, words] of wrongs) {
      const { node, units, connector, connect } = await setUp(t)
      const kept = await connect(other)
      units.set(String(LUN), shownAs(id, rest))
      await assert.rejects(connect(id), failure('failed-precondition', words))
      assert.equal(onlySession(node).others?.size, 0)
      assert.deepEqual(await connector.find(other, op), kept)
      assert.equal(ran(node, '--logout'), 0)
    }
  })

  it('keeps nobody waiting for a dead portal, not the second volume either', async t => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const { node, connector } = await setUp(t, [{ until: promise }, {}])
    const routes = (volume: string) => sharedRoute(volume, { portals: [A, B] })
    await connector.connect(id, routes(id), op)
    await connector.connect(other, routes(other), op)
    await connector.disconnect(other, op)
    assert.equal(onlySession(node).portal, B)
    resolve()
    await connector.disconnect(id, op)
    while (ran(node, '--logout') < 2) await pause()
    assert.deepEqual([node.sessions.size, node.records().size], [0, 0])
  })
})

describe('a disk of an earlier publish', () => {
  it('goes before the volume is connected anew, unless it is in use', async t => {
    const { node, units, connector, connect } = await setUp(t)
    const { kname } = await connect(id)
    await connect(other)
    units.delete(String(LUN))
    const again = lunOf(id, 'another publish')
    units.set(String(again), shownAs(id))
    const connectAgain = () => connector.connect(id, sharedRoute(id, { lun: again }), op)
    node.kernel.set('/proc/self/mountinfo', mountOf(kname, node))
    await assert.rejects(connectAgain(), failure('failed-precondition', /mounted at \/m/))
    node.kernel.set('/proc/self/mountinfo', '')
    const device = await connectAgain()
    assert.notEqual(device.kname, kname)
    assert.deepEqual(await connector.find(id, op), device)
    assert.equal((await connector.list()).length, 2)
  })

  it('of the other layout is found, and goes the same way', async t => {
    const { node, connector, connect } = await setUp(t)
    node.portals.set(B, good())
    const own = routeOf({ target: targetName(id), portals: [B] })
    const before = await connector.connect(id, own, op)
    await connect(other)
    assert.equal(node.sessions.size, 2)
    assert.deepEqual(await connector.find(id, op), before)
    const after = await connect(id)
    assert.notEqual(after.sequence, before.sequence)
    assert.equal(onlySession(node).target, TARGET)
    await connector.connect(id, own, op)
    assert.equal(node.sessions.size, 2)
    assert.equal((await connector.list()).length, 2)
    for (const volume of [id, other]) await connector.disconnect(volume, op)
    assert.deepEqual([node.sessions.size, node.records().size], [0, 0])
  })

  it('of another initiator name is left as well', async t => {
    const { node, connector } = await setUp(t)
    const target = nodeTargetName('p', 'iqn.2026-01.dev.ashlar:node.before')
    const disk = { lun: '7', kname: 'sdx', sequence: '70', state: 'running', seen: shownAs(id) }
    node.portals.set(A, portalOf('', { units: new Map([['7', shownAs(id)]]) }))
    node.sessions.set(70, { target, portal: A, state: 'LOGGED_IN', disk })
    node.refresh()
    await connector.disconnect(id, op)
    assert.equal(node.sessions.size, 0)
  })
})
