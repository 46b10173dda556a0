// Tests of unstaging where nothing is to be seen of a volume any more.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { temporaryFolder, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import type { Connector } from '../transports/transport.ts'
import { openJournal } from './journal.ts'
import type { NodeSite } from './site.ts'
import { withdrawStage } from './unstage-volume.ts'

it('asks every transport to let go of a volume: a killed login may have left a session without a disk', async t => {
  const host = fakeHost([], { '/proc/self/mountinfo': '' })
  const asked: string[] = []
  const connector = (name: string) =>
    ({
      find: async () => undefined,
      disconnect: async (id: string) => void asked.push(`${name} ${id}`),
    }) as unknown as Connector
  const site: NodeSite = {
    host,
    journal: openJournal(host, await temporaryFolder(t)),
    connectors: new Map(['x', 'y'].map(name => [name, connector(name)])),
    nodeId: 'n',
    segments: {},
    maxVolumesPerNode: 0,
  }
  await withdrawStage(site, 'unstage v', 'v', '/stage/v', testOp())
  assert.deepEqual(asked, ['x v', 'y v'])
})

it('keeps the entry until what must go first has gone: a crash before that must not hide it', async t => {
  const host = fakeHost([], { '/proc/self/mountinfo': '' })
  const journal = openJournal(host, await temporaryFolder(t))
  const site: NodeSite = { host, journal, connectors: new Map(), nodeId: 'n', segments: {}, maxVolumesPerNode: 0 }
  const capability = { access: 'mount', mode: 'SINGLE_NODE_WRITER', mountFlags: [] } as const
  await journal.write({ id: 'v', stagingPath: '/stage/v', capability, readonly: false, targets: [] })
  const dies = withdrawStage(site, 'unstage v', 'v', '/stage/v', testOp(), async () => {
    throw new Error('killed')
  })
  await assert.rejects(dies, /killed/)
  assert.equal((await journal.find('v'))?.doing, 'unstage')
  await withdrawStage(site, 'unstage v', 'v', '/stage/v', testOp(), async () => undefined)
  assert.equal(await journal.find('v'), undefined)
})
