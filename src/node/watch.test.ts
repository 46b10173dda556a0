// Tests of the watch: one line when a volume falls ill, one when it is well again, and none in between.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { deviceOf, kernelOf, MOUNT, recordingLogger, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { nodeSiteWith } from '../../test/node-site.ts'
import { fakeHost } from '../host/fake.ts'
import type { Connector } from '../transports/transport.ts'
import type { VolumeId } from '../volume/types.ts'
import { type Entry, openJournal } from './journal.ts'
import { createWatch } from './watch.ts'

const device = deviceOf()
const entry: Entry = {
  id: 'a',
  stagingPath: '/stage/a',
  capability: { ...MOUNT, fsType: 'ext4' },
  readonly: false,
  targets: [],
}
const mountinfo = (superOptions: string) => `40 25 ${device.number} / /stage/a rw - ext4 /dev/loop7 ${superOptions}\n`

async function setUp(t: TestContext) {
  const host = fakeHost([], { '/proc/self/mountinfo': mountinfo('rw'), ...kernelOf(device, '/f') })
  const journal = openJournal(host, await temporaryFolder(t))
  await journal.write(entry)
  const state = { connected: true, troubles: [] as string[], failure: undefined as Error | undefined }
  const connector = {
    find: async (id: VolumeId) => (id === 'a' && state.connected ? device : undefined),
    troublesOf: async () => {
      if (state.failure) throw state.failure
      return state.troubles
    },
  } as unknown as Connector
  const site = nodeSiteWith(host, journal, connector)
  const lines: string[] = []
  const watch = createWatch(site)
  /** The events of one look. */
  const look = async () => {
    lines.length = 0
    await watch.look({ ...testOp(), log: recordingLogger(lines) })
    return lines
      .map(line => JSON.parse(line) as { event?: string; volume?: string; condition?: string })
      .map(({ event, volume, condition }) => `${event} ${volume} ${condition}`)
  }
  return { host, journal, state, look, watch }
}

describe('the watch over staged volumes', () => {
  it('says once that a volume fell ill, again when its trouble is another, and once that it is well', async t => {
    const { state, look } = await setUp(t)
    assert.deepEqual(await look(), [])
    state.troubles = ['its session is lost']
    assert.deepEqual(await look(), ['VolumeConditionAbnormal a its session is lost'])
    assert.deepEqual(await look(), [])
    state.troubles = ['its disk is offline']
    assert.deepEqual(await look(), ['VolumeConditionAbnormal a its disk is offline'])
    state.troubles = []
    assert.deepEqual(await look(), ['VolumeConditionNormal a its disk is offline'])
    assert.deepEqual(await look(), [])
  })

  it('counts what is staged, and names what is ill, for as long as it is', async t => {
    const { state, look, watch } = await setUp(t)
    const numbers = () =>
      watch
        .metrics()
        .map(each => (each.type === 'histogram' ? [] : each.samples.map(({ labels, value }) => [labels, value])))
    assert.deepEqual(numbers(), [[[{}, 0]], []])
    state.troubles = ['its disk is offline']
    await look()
    assert.deepEqual(numbers(), [[[{}, 1]], [[{ volume: 'a' }, 1]]])
    state.troubles = []
    await look()
    assert.deepEqual(numbers(), [[[{}, 1]], []])
  })

  it('notices a lost device, a filesystem made read-only, and a device that was connected anew below it', async t => {
    const { host, state, look } = await setUp(t)
    state.connected = false
    assert.match((await look()).join(), /its device is gone/)
    state.connected = true
    host.kernel.set('/proc/self/mountinfo', mountinfo('ro'))
    assert.match((await look()).join(), /made read-only/)
    host.kernel.set('/proc/self/mountinfo', mountinfo('rw').replace(device.number, '8:0'))
    assert.match((await look()).join(), /connected anew/)
  })

  it('does not look at what is under way, tells what it could not look at, and forgets what is gone', async t => {
    const { journal, state, look } = await setUp(t)
    state.failure = new Error('EIO')
    assert.deepEqual(await look(), ['VolumeConditionAbnormal a EIO'])
    await journal.write({ ...entry, doing: 'unstage' })
    assert.deepEqual(await look(), [])
    await journal.remove('a')
    assert.deepEqual(await look(), [])
    await journal.write(entry)
    assert.deepEqual(await look(), ['VolumeConditionAbnormal a EIO'])
  })
})
