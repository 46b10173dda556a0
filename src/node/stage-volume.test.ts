// Tests of staging a raw block volume again: what the journal says of a volume in use is not this call's to change.
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { BLOCK, deviceOf, failure, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { nodeSiteWith } from '../../test/node-site.ts'
import { fakeHost, type Line } from '../host/fake.ts'
import type { Device } from '../linux/device.ts'
import type { Connector } from '../transports/transport.ts'
import { Unavailable } from '../volume/errors.ts'
import { type Entry, type Journal, openJournal } from './journal.ts'
import { type StageRequest, stageAlone } from './stage-volume.ts'

const op = testOp()
const device = deviceOf()
const FAILED = new Unavailable({ asked: 'connect v', found: 'its session is FAILED', next: 'call again' })

/** A node with this entry; `found` is the device that is there before, `connect` how connecting goes. */
async function setUp(t: TestContext, rest: Partial<Entry>, found: Device | undefined, connect: () => Promise<Device>) {
  const folder = await temporaryFolder(t)
  const stagingPath = join(folder, 'stage')
  await mkdir(stagingPath)
  const script: Line[] = [
    { run: /^realpath /, stdout: `${folder}\n`, repeats: true },
    { run: /^stat /, stdout: 'directory\n', repeats: true },
  ]
  const host = fakeHost(script, { '/proc/self/mountinfo': '' })
  const real = openJournal(host, join(folder, 'state'))
  const entry: Entry = {
    id: 'v',
    stagingPath,
    capability: BLOCK,
    readonly: false,
    targets: [{ path: '/pods/1', readonly: false }],
    ...rest,
  }
  await real.write(entry)
  /** What was made durable, in order: after each of these the driver may be killed. */
  const written: (Entry | 'removed')[] = []
  const journal: Journal = {
    ...real,
    async write(each) {
      written.push(each)
      await real.write(each)
    },
    async remove(id) {
      written.push('removed')
      await real.remove(id)
    },
  }
  const did: string[] = []
  const connector = {
    find: async () => found,
    async connect() {
      did.push('connect')
      return await connect()
    },
    disconnect: async () => void did.push('disconnect'),
  } as unknown as Connector
  const site = nodeSiteWith(host, journal, connector)
  const request: StageRequest = {
    id: 'v',
    stagingPath,
    capability: BLOCK,
    publishContext: { transport: 'x' },
    volumeContext: {},
  }
  return { entry, written, did, left: () => real.find('v'), stage: () => stageAlone(site, request, op) }
}

describe('staging a raw block volume again', () => {
  it('proves the device of a volume in use, and does not touch its entry, not even for a moment', async t => {
    const { entry, written, did, left, stage } = await setUp(t, {}, device, async () => device)
    await stage()
    assert.deepEqual([did, written, await left()], [['connect'], [], entry])
  })

  it('leaves the entry and the device of a volume in use when the device cannot be proved', async t => {
    const { entry, written, did, left, stage } = await setUp(t, {}, device, () => Promise.reject(FAILED))
    await assert.rejects(stage(), failure('unavailable', /FAILED/))
    assert.deepEqual([did, written, await left()], [['connect'], [], entry])
  })

  it('puts back the entry of a volume whose device has gone and does not come: its targets are still there', async t => {
    const { entry, did, left, stage } = await setUp(t, {}, undefined, () => Promise.reject(FAILED))
    await assert.rejects(stage(), failure('unavailable', /FAILED/))
    assert.deepEqual([did, await left()], [['connect', 'disconnect'], entry])
  })

  it('starts over what was begun, and forgets it when that fails', async t => {
    const begun: Partial<Entry> = { doing: 'stage', targets: [] }
    const once = await setUp(t, begun, device, async () => device)
    await once.stage()
    const { doing: _, ...atRest } = once.entry
    assert.deepEqual([once.did, once.written, await once.left()], [['connect'], [once.entry, atRest], atRest])
    const never = await setUp(t, begun, undefined, () => Promise.reject(FAILED))
    await assert.rejects(never.stage(), failure('unavailable', /FAILED/))
    assert.equal(await never.left(), undefined)
  })
})
