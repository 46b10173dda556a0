// Tests of logout, troubles and secrets of the node's half: nothing is taken away that is in use, and nobody is told.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
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
  setUp,
} from '../../../test/connector-bench.ts'
import type { FakeInitiator } from '../../../test/fake-initiator.ts'
import { failure, recordingLogger, temporaryFolder, testOp } from '../../../test/fixtures.ts'
import { deriveChap, readKeys } from './chap.ts'
import { createConnector } from './connector.ts'
import { targetName } from './names.ts'

const op = testOp()

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
      const again = createConnector(patched, SETTINGS, INITIATOR, '/state/locks')
      await assert.rejects(again.disconnect(id, op), failure('failed-precondition', words))
      assert.ok(onlySession(node).disk)
      assert.equal(ran(node, '/delete') + ran(node, '--logout'), 0)
    })
  }

  it('lets go of a disk behind which there is nothing any more, unless it is in use', async () => {
    const { node, connect, connector } = setUp()
    const device = await connect({ portals: [A] })
    // As tgt answers for a LUN that it does not have.
    node.portals.set(A, good({ serial: 'beaf21187604400' }))
    node.kernel.set('/proc/self/mountinfo', mountOf(device.kname, node))
    await assert.rejects(connector.disconnect(id, op), failure('failed-precondition', /mounted at \/m/))
    node.kernel.set('/proc/self/mountinfo', '')
    await connector.disconnect(id, op)
    assert.deepEqual([node.sessions.size, node.records().size, ran(node, '--flushbufs')], [0, 0, 0])
    // Another volume in its place is another matter.
    node.portals.set(A, good())
    await connect({ portals: [A] })
    node.portals.set(A, good({ serial: 'beaf211876044017' }))
    await assert.rejects(connector.disconnect(id, op), failure('failed-precondition', /serial number beaf/))
  })

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
