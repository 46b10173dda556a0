// Tests of the node's half: portals at once, one disk, proofs before use, and nothing taken away that is in use.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type FakeInitiator, fakeInitiator, type Portal, portalOf } from '../../../test/fake-initiator.ts'
import { failure, GIB, recordingLogger, temporaryFolder, testOp } from '../../../test/fixtures.ts'
import type { Device } from '../../linux/device.ts'
import type { IscsiSettings } from '../../schema/config.ts'
import { encodeVolumeId } from '../../volume/ids.ts'
import { deriveChap, readKeys } from './chap.ts'
import { createConnector } from './connector.ts'
import { serialOf, targetName } from './names.ts'
import { encodeIscsiRoute, type IscsiRoute } from './route.ts'

const op = testOp()
const id = encodeVolumeId('p', 'one')
const other = encodeVolumeId('p', 'two')
const [A, B] = ['10.0.0.1:3260', '[fd00::2]:3260'] as const
const INITIATOR = 'iqn.2026-01.dev.ashlar:node.n1'
const SETTINGS: IscsiSettings = {
  target: 'lio',
  portals: [],
  chap: 'none',
  inHostNamespaces: false,
  loginTimeoutSeconds: 7,
  replacementTimeoutSeconds: 33,
  noopIntervalSeconds: 3,
  noopTimeoutSeconds: 4,
}
const good = (rest: Partial<Portal> = {}) => portalOf(serialOf(id), rest)

function routeOf(rest: Partial<IscsiRoute> = {}) {
  return encodeIscsiRoute({
    target: targetName(id),
    lun: 0,
    portals: [A, B],
    serial: serialOf(id),
    size: GIB,
    sectorSize: 512,
    readonly: false,
    chap: { mode: 'none' },
    ...rest,
  })
}

function setUp(portals: Readonly<Record<string, Portal>> = { [A]: good() }, settings: Partial<IscsiSettings> = {}) {
  const node = fakeInitiator(portals)
  const connector = createConnector(node.host, { ...SETTINGS, ...settings }, INITIATOR)
  const anew = () => createConnector(node.host, { ...SETTINGS, ...settings }, INITIATOR)
  return { node, connector, anew, connect: (rest?: Partial<IscsiRoute>) => connector.connect(id, routeOf(rest), op) }
}

/** Its disk, as if another process had connected it. */
function onlySession(node: FakeInitiator) {
  const [first] = node.sessions.values()
  assert.ok(first && node.sessions.size === 1, `${node.sessions.size} sessions`)
  return first
}

const ran = (node: FakeInitiator, part: string) => node.said.filter(text => text.includes(part)).length
const pause = () => new Promise(resolve => setImmediate(resolve))

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

function mountOf(kname: string, node: FakeInitiator): string {
  const number = node.kernel.get(`/sys/block/${kname}/dev`)?.trim()
  return `30 1 ${number} / /m rw - ext4 /dev/${kname} rw\n`
}

describe('disconnect', () => {
  it('flushes, takes the disk, the session and the record away, in this order, and is safe to repeat', async () => {
    const { node, connect, connector } = setUp()
    await connect()
    while (node.sessions.size > 1) await pause()
    node.said.length = 0
    await connector.disconnect(id, op)
    const steps = ['/rescan', '--flushbufs', '--setbsz', '/delete', '--logout', '-o delete']
    assert.deepEqual(
      node.said.map(text => steps.find(step => text.includes(step))),
      steps,
    )
    assert.equal(await connector.find(id, op), undefined)
    node.said.length = 0
    await connector.disconnect(id, op)
    assert.deepEqual(node.said, [])
  })

  const users: Record<string, [(node: FakeInitiator, kname: string) => void, RegExp]> = {
    mounted: [(node, kname) => node.kernel.set('/proc/self/mountinfo', mountOf(kname, node)), /mounted at \/m/],
    'held by a mapper': [(node, kname) => node.kernel.set(`/sys/block/${kname}/holders/dm-3`, ''), /held by dm-3/],
    'below a loop device': [
      (node, kname) => node.kernel.set('/sys/block/loop9/loop/backing_file', `/dev/${kname}\n`),
      /loop9 is backed by it/,
    ],
    'mounted in another namespace': [node => node.faults.set('--setbsz', 1), /another namespace/],
  }
  for (const [what, [use, words]] of Object.entries(users)) {
    it(`is refused while the disk is ${what}`, async () => {
      const { node, connect } = setUp()
      const { kname } = await connect({ portals: [A] })
      // Not by way of refresh, which shows what the fake knows only.
      const run = node.host.run
      const patched = {
        ...node.host,
        run: async (...args: Parameters<typeof run>) => {
          const output = await run(...args)
          use(node, kname)
          return output
        },
      }
      use(node, kname)
      const again = createConnector(patched, SETTINGS, INITIATOR)
      await assert.rejects(again.disconnect(id, op), failure('failed-precondition', words))
      assert.ok(onlySession(node).disk)
      assert.equal(ran(node, '/delete') + ran(node, '--logout'), 0)
    })
  }

  it('lets go of a disk whose session is beyond hope: what it did not get is lost already', async () => {
    const { node, connect, connector } = setUp()
    await connect()
    while (node.sessions.size > 1) await pause()
    const session = onlySession(node)
    assert.ok(session.disk)
    session.disk.state = 'transport-offline'
    node.refresh()
    await connector.disconnect(id, op)
    assert.equal(ran(node, '--flushbufs'), 0)
    assert.equal(node.sessions.size, 0)
  })

  it('touches no session of another volume', async () => {
    const { node, connect, connector } = setUp()
    await connect({ portals: [A] })
    const foreign = { target: targetName(other), portal: A, state: 'LOGGED_IN' }
    node.sessions.set(99, foreign)
    node.refresh()
    await connector.disconnect(id, op)
    assert.deepEqual([...node.sessions.values()], [foreign])
  })
})

describe('troubles', () => {
  it('are none while all is well, and tell each when not', async () => {
    const { node, connect, connector } = setUp()
    const device = await connect({ portals: [A] })
    assert.deepEqual(await connector.troublesOf(device), [])
    const session = onlySession(node)
    assert.ok(session.disk)
    const states: [string, string, RegExp][] = [
      ['FAILED', 'blocked', /is lost, and iscsid tries to get it back; I\/O fails if it is away for 120 s/],
      ['FREE', 'transport-offline', /is FREE: it was away for too long.*stage the volume again/],
      ['LOGGED_IN', 'offline', /is offline though its session is there.*echo running/],
      ['LOGGED_IN', 'blocked', /is blocked though/],
    ]
    for (const [state, diskState, words] of states) {
      Object.assign(session, { state })
      session.disk.state = diskState
      node.refresh()
      const troubles = await connector.troublesOf(device)
      assert.equal(troubles.length, 1)
      assert.match(troubles.join(), words)
      await assert.rejects(connector.verify(id, device, op), failure('unavailable', words))
    }
    node.sessions.clear()
    node.refresh()
    assert.match((await connector.troublesOf(device)).join(), /is gone/)
    await assert.rejects(connector.verify(id, device, op), failure('failed-precondition', /no session any more/))
  })
})

describe('CHAP secrets', () => {
  const chap = { mode: 'mutual', nonce: 'ab'.repeat(16) } as const

  async function withKey(t: TestContext) {
    const file = join(await temporaryFolder(t), 'keys')
    await writeFile(file, `${'k'.repeat(40)}\n`)
    const { node, connector } = setUp({ [A]: good(), [B]: good({ login: 24 }) }, { chap: 'mutual', chapKeyFile: file })
    const keys = await readKeys(node.host.files, file)
    const [key = ''] = keys.keys()
    const derived = deriveChap(keys, { ...chap, key }, { target: targetName(id), initiator: INITIATOR })
    assert.ok(derived?.mutual)
    return { node, connector, key, secrets: [derived.password.reveal(), derived.mutual.password.reveal()], derived }
  }

  it('stand in the record, and in no argument, log line or message', async t => {
    const { node, connector, key, secrets, derived } = await withKey(t)
    const lines: string[] = []
    const logged = { ...op, log: recordingLogger(lines) }
    await connector.connect(id, routeOf({ chap: { ...chap, key } }), logged)
    const [record = ''] = node.records().values()
    for (const line of [
      'node.session.auth.authmethod = CHAP',
      `node.session.auth.username = ${derived.user}`,
      `node.session.auth.password = ${secrets[0]}`,
      `node.session.auth.username_in = ${derived.mutual?.user}`,
      `node.session.auth.password_in = ${secrets[1]}`,
    ])
      assert.ok(record.includes(`\n${line}\n`), line)
    await connector.disconnect(id, logged)
    for (const secret of secrets) assert.ok(![...node.said, ...lines].join('\n').includes(secret))
    assert.equal(node.records().size, 0)
  })

  it('of a key that this node lacks: nothing is begun', async t => {
    const { node, connector } = await withKey(t)
    const ends = connector.connect(id, routeOf({ chap: { ...chap, key: '00000000' } }), op)
    await assert.rejects(ends, failure('unavailable', /no key 00000000/))
    assert.equal(ran(node, 'iscsiadm'), 0)
  })
})
