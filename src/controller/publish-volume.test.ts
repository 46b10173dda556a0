// Tests of publishing beside what other nodes have.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { failure, testOp } from '../../test/fixtures.ts'
import { NODE, networkSite } from '../../test/network-site.ts'
import { unpublishVolume } from './publish-volume.ts'

const TWIN = NODE.replace('a/', 'b/')

it('a node whose initiator name another node has gets no volume at all: it could log in to the other one’s', async t => {
  const { site, fake, pool, make, publish } = await networkSite(t)
  const [one, two] = [await make('one'), await make('two')]
  await publish(one)
  const before = [...fake.documents.keys()]
  await assert.rejects(
    publish(two, TWIN),
    failure('failed-precondition', /node a has volumes under the same initiator name .*name of its own/),
  )
  assert.deepEqual([await pool.claims(two), [...fake.documents.keys()]], [[], before])
  // The same node may have as many as it likes, and the name is free when it has none.
  await publish(two)
  for (const id of [one, two]) await unpublishVolume(site, id, NODE, testOp())
  await publish(two, TWIN)
})
