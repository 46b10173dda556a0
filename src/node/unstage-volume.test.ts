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
