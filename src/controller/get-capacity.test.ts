// Tests of GetCapacity: the smallest and largest volume follow from pool, capabilities and parameters, by place.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { MIB } from '../../test/fixtures.ts'
import { loopSite } from '../../test/loop-site.ts'
import type { Pool } from '../pools/pool.ts'
import type { Exporter } from '../transports/transport.ts'
import type { Capability } from '../volume/capability.ts'
import { getCapacity } from './get-capacity.ts'

const mount = (fsType?: 'ext4' | 'xfs'): Capability => ({
  access: 'mount',
  mode: 'SINGLE_NODE_WRITER',
  mountFlags: [],
  ...(fsType && { fsType }),
})
const block: Capability = { access: 'block', mode: 'SINGLE_NODE_WRITER', mountFlags: [] }

const capacity = async (capabilities: Capability[], parameters = {}, available = 1024n * MIB + 5n, at?: string) => {
  const pool = { granularity: MIB, room: async () => ({ available, total: available }) } as unknown as Pool
  const site = loopSite(new Map([['p', pool]]), { isLocal: true } as Exporter)
  const here = { ...site, segments: { 'd/node': 'n1', 'd/zone': 'z' } }
  const topology = at === undefined ? undefined : { 'd/zone': at }
  const found = await getCapacity(here, { capabilities, parameters, topology })
  return [found.available, found.minimum, found.maximum].map(each => each / MIB)
}

it('the smallest volume is what the filesystem needs, of a block volume a granule', async () => {
  assert.deepEqual(await capacity([mount('ext4')]), [1024n, 16n, 1024n])
  assert.deepEqual(await capacity([mount()], { fsType: 'xfs' }), [1024n, 300n, 1024n])
  assert.deepEqual(await capacity([block], { fsType: 'xfs' }), [1024n, 1n, 1024n])
  assert.deepEqual(await capacity([], { 'csi.storage.k8s.io/fstype': 'xfs' }), [1024n, 1n, 1024n])
})

it('there is no largest volume where less than the smallest is left', async () =>
  assert.deepEqual(await capacity([mount('xfs')], {}, 299n * MIB), [299n, 300n, 0n]))

it('another place has nothing, a larger one that contains the pool has all', async () => {
  assert.deepEqual(await capacity([mount('ext4')], {}, 1024n * MIB, 'z'), [1024n, 16n, 1024n])
  assert.deepEqual((await capacity([mount('ext4')], {}, 1024n * MIB, 'other'))[0], 0n)
})
