// Tests of the node's half: portals at once, one disk, and proofs before use.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
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
  setUp,
} from '../../../test/connector-bench.ts'
import type { Portal } from '../../../test/fake-initiator.ts'
import { failure, GIB, testOp } from '../../../test/fixtures.ts'
import type { Device } from '../../linux/device.ts'
import { serialOf, targetName } from './names.ts'

const op = testOp()

describe('connect', () => {
  it('answers the disk of the one portal, and makes a record that is for this driver only', async () => {
    const { node, connector, connect } = setUp()
    const device = await connect({ portals: [A] })
    assert.deepEqual([device.size, device.readonly, device.sectorSize], [GIB, false, 512])
    assert.deepEqual(await connector.find(id, op), device)
    assert.equal(await connector.identify(device), id)
    const [record = ''] = node.records().values()
    for (const line of [
      `iface.iscsi_ifacename = default\niface.initiatorname = ${INITIATOR}\n`,
      'node.startup = manual\n',
      'node.session.scan = manual\n',
      'node.session.initial_login_retry_max = 1\n',
      'node.conn[0].timeo.login_timeout = 7\n',
      'node.session.timeo.replacement_timeout = 33\n',
      'node.conn[0].timeo.noop_out_interval = 3\n',
      'node.conn[0].timeo.noop_out_timeout = 4\n',
      'node.session.auth.authmethod = None\n',
    ])
      assert.ok(record.includes(line), line)
  })

  it('is done once, however often and at once it is asked, also by a driver that has just begun', async () => {
    const { node, anew, connect } = setUp()
    const devices = await Promise.all([connect(), connect(), connect()])
    devices.push(await anew().connect(id, routeOf(), op))
    assert.equal(new Set(devices.map(({ sequence }) => sequence)).size, 1)
    assert.equal(ran(node, `-p ${A},1 --login`), 1)
    onlySession(node)
  })

  it('does not take the disk of an earlier publish for this one: it may hold what was written before another node had it', async () => {
    const { node, connector, connect } = setUp()
    const { kname } = await connect({ lun: 5 })
    node.kernel.set('/proc/self/mountinfo', mountOf(kname, node))
    await assert.rejects(connect({ lun: 6 }), failure('failed-precondition', /mounted at \/m/))
    assert.equal((await connector.find(id, op))?.kname, kname)
    node.kernel.set('/proc/self/mountinfo', '')
    const device = await connect({ lun: 6 })
    assert.notEqual(device.kname, kname)
    assert.deepEqual(await connector.find(id, op), device)
    onlySession(node)
  })

  it('runs in the namespaces of the host what belongs there, and nothing else', async () => {
    const { node, connector } = setUp({}, { inHostNamespaces: true })
    await assert.rejects(connector.connect(id, routeOf(), op))
    const outside = node.said.filter(text => text.startsWith('nsenter -t 1 -m -n -- '))
    assert.deepEqual(
      node.said.filter(text => /iscsiadm|modprobe/.test(text)),
      outside,
    )
    assert.ok(outside.length > 0)
  })

  it('finds a session without a disk, as a crash leaves it, and begins anew', async () => {
    const { node, connect } = setUp()
    node.sessions.set(77, { target: targetName(id), portal: A, state: 'LOGGED_IN' })
    node.refresh()
    await connect()
    assert.equal(node.sessions.has(77), false)
    onlySession(node)
  })

  it('waits for no session that is lost, and uses no disk that takes no commands', async () => {
    const { node, connect, connector } = setUp()
    await connect()
    onlySession(node).state = 'FAILED'
    node.refresh()
    await assert.rejects(connect(), failure('unavailable', /lost.*iscsid tries/))
    await assert.rejects(connector.disconnect(id, op), failure('unavailable', /lost.*network/))
    onlySession(node)
  })

  it('replaces a session that is beyond hope, unless its disk is in use', async () => {
    const { node, connect } = setUp()
    const { kname } = await connect()
    Object.assign(onlySession(node), { state: 'FREE' })
    node.refresh()
    node.kernel.set('/proc/self/mountinfo', mountOf(kname, node))
    await assert.rejects(connect(), failure('failed-precondition', /mounted at \/m/))
    node.kernel.set('/proc/self/mountinfo', '')
    await connect()
    assert.equal(onlySession(node).state, 'LOGGED_IN')
  })

  it('logs in nowhere with less proof than the node is set to want', async () => {
    const settings = { chap: 'mutual', chapKeyFile: '/key' } as const
    const rest = { nonce: 'a'.repeat(32), key: 'b'.repeat(8) }
    for (const chap of [{ mode: 'none' } as const, { mode: 'one-way', ...rest } as const]) {
      const { node, connect } = setUp(undefined, settings)
      await assert.rejects(connect({ chap }), failure('failed-precondition', /at least "mutual"/))
      assert.deepEqual(node.said, [])
    }
  })

  it('makes a half-written record anew', async () => {
    const { node, connect } = setUp()
    node.kernel.set(`/proc/self/root/etc/iscsi/nodes/${targetName(id)}/10.0.0.1,3260,1/default`, '')
    await connect({ portals: [A] })
    assert.match([...node.records().values()].join(), /BEGIN RECORD/)
  })
})

describe('portals', () => {
  it('that are dead keep nobody waiting, and are left again when they come to life', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const { node, connector, connect } = setUp({ [A]: good({ until: promise }), [B]: good() })
    const device = await connect()
    assert.equal(onlySession(node).portal, B)
    const gone = connector.disconnect(id, op)
    for (let n = 0; n < 20; n += 1) await pause()
    assert.deepEqual(await connector.find(id, op), device, 'it waits for the attempt that is under way')
    resolve()
    await gone
    assert.equal(node.sessions.size, 0)
    assert.equal(node.records().size, 0)
  })

  it('that come later never show a second disk', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const { node, connect } = setUp({ [A]: good({ until: promise }), [B]: good() })
    await connect()
    resolve()
    while (ran(node, '--logout') === 0) await pause()
    assert.equal(ran(node, '/scan '), 1)
    assert.equal(onlySession(node).portal, B)
    assert.ok(onlySession(node).disk)
  })

  it('both alive: exactly one is kept', async () => {
    const { node, connect } = setUp({ [A]: good(), [B]: good() })
    await connect()
    while (ran(node, '--logout') === 0) await pause()
    assert.ok(onlySession(node).disk)
    assert.equal(ran(node, '/scan '), 1)
  })

  it('all failing are named, each with its reason, and nothing is left', async () => {
    const { node, connector, connect } = setUp({ [A]: good({ login: 24 }), [B]: good({ login: 8 }) })
    const words = new RegExp(`${A}: the target does not admit.*fd00::2]:3260: it cannot be reached`)
    await assert.rejects(connect(), failure('unavailable', words))
    await connector.disconnect(id, op)
    assert.deepEqual([node.sessions.size, node.records().size], [0, 0])
  })

  it('say that iscsid is not running', async () => {
    const { connect } = setUp({ [A]: good({ login: 20 }), [B]: good({ login: 20 }) })
    await assert.rejects(connect(), failure('unavailable', /iscsid is not running.*start it/))
  })
})

describe('a disk that is not the volume', () => {
  const wrongs: Record<string, [Partial<Portal>, RegExp]> = {
    'by its serial number': [{ serial: serialOf(other) }, new RegExp(`${serialOf(other)}.*${serialOf(id)}`)],
    'by its sectors': [{ sectorSize: 4096 }, /sectors of 4096 bytes, the volume of 512/],
    'by its size': [{ size: GIB - 512n }, /1073741312 bytes, the volume has 1073741824/],
    'by its write protection': [{ readonly: true }, /read-only, and the volume is published writable/],
  }
  for (const [what, [rest, words]] of Object.entries(wrongs)) {
    it(`${what} is refused, and its session is ended`, async () => {
      const { node, connect } = setUp({ [A]: good(rest), [B]: good(rest) })
      await assert.rejects(connect(), failure('failed-precondition', words))
      while (ran(node, '--logout') < 2) await pause()
      assert.equal(node.sessions.size, 0)
    })

    it(`${what} is refused when it was there before, and stays for people to look at`, async () => {
      const { node, connect, connector } = setUp()
      await connect()
      Object.assign(node.portals.get(A) ?? {}, rest)
      await assert.rejects(connect(), failure('failed-precondition', words))
      onlySession(node)
      if (rest.serial !== undefined)
        await assert.rejects(connector.disconnect(id, op), failure('failed-precondition', words))
    })
  }

  it('is told by a fresh look: what the kernel read before does not count', async () => {
    const { node, connect, connector } = setUp()
    const device = await connect()
    await connector.verify(id, device, op)
    Object.assign(node.portals.get(A) ?? {}, { serial: serialOf(other) })
    assert.equal(await connector.identify(device), id, 'nobody has asked the disk')
    const words = failure('failed-precondition', new RegExp(`${serialOf(other)}.*${serialOf(id)}`))
    await assert.rejects(connector.verify(id, device, op), words)
    await assert.rejects(connector.rescan(device, op), words)
    assert.equal(await connector.identify(device), undefined)
    const [attachment] = await connector.list()
    assert.ok(attachment)
    assert.match((await connector.doubts(attachment, op)).join(), new RegExp(serialOf(other)))
    assert.equal(attachment.backing, `${targetName(id)} LUN 0`)
    Object.assign(node.portals.get(A) ?? {}, { serial: serialOf(id) })
    assert.equal(await connector.identify(device), id, 'what was put right is seen without help')
  })

  it('is a later disk of the same name, one of another volume, and one that shrank', async () => {
    const { node, connect, connector } = setUp()
    const device = await connect()
    const later: Device = { ...device, sequence: '999' }
    await assert.rejects(connector.verify(id, later, op), failure('failed-precondition', /disk 999, and is disk/))
    await assert.rejects(
      connector.verify(other, device, op),
      failure('failed-precondition', new RegExp(targetName(id))),
    )
    Object.assign(node.portals.get(A) ?? {}, { size: GIB / 2n })
    await assert.rejects(connector.verify(id, device, op), failure('failed-precondition', /has only 536870912 now/))
  })

  it('is one of two: two page caches for the same bytes', async () => {
    const { node, connect, connector } = setUp({ [A]: good(), [B]: good() })
    await connect({ portals: [A] })
    const disk = onlySession(node).disk
    assert.ok(disk)
    node.sessions.set(50, { ...onlySession(node), portal: B, disk: { ...disk, kname: 'sdz', sequence: '50' } })
    node.refresh()
    for (const ends of [connector.find(id, op), connect()])
      await assert.rejects(ends, failure('failed-precondition', /both \/dev\/sd. and \/dev\/sdz/))
  })
})
