// Tests of measuring pools: each number under its name, and one pool that cannot be read beside others.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { testOp } from '../../test/fixtures.ts'
import type { Pool } from '../pools/pool.ts'
import { poolMetrics } from './pool-metrics.ts'
import type { ControllerSite } from './site.ts'

const whole = {
  room: async () => ({ available: 1n, total: 20n, promised: 19n, size: 30n, free: 4n }),
  list: async () => ['a', 'b'],
  snapshots: { list: async () => ['s'] },
} as unknown as Pool
const dead = {
  room: async () => {
    throw new Error('EIO')
  },
  list: async () => [],
} as unknown as Pool

it('a pool that cannot be read has no numbers, and the others have theirs', async () => {
  const site = { pools: new Map(Object.entries({ whole, dead })) } as unknown as ControllerSite
  const found = (await poolMetrics(site, testOp())).flatMap(each =>
    each.type === 'histogram' ? [] : each.samples.map(({ labels, value }) => `${each.name} ${labels['pool']} ${value}`),
  )
  assert.deepEqual(found, [
    'ashlar_pool_answers whole 1',
    'ashlar_pool_answers dead 0',
    'ashlar_pool_size_bytes whole 30',
    'ashlar_pool_free_bytes whole 4',
    'ashlar_pool_promised_bytes whole 19',
    'ashlar_pool_promisable_bytes whole 20',
    'ashlar_pool_volumes whole 2',
    'ashlar_pool_snapshots whole 1',
  ])
})
