// Tests of measuring pools: each number under its name, and one pool that cannot be read beside others.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { testOp } from '../../test/fixtures.ts'
import type { Pool, Room } from '../pools/pool.ts'
import { createPoolMetrics } from './pool-metrics.ts'
import type { ControllerSite } from './site.ts'

async function measure(measurePools: ReturnType<typeof createPoolMetrics>): Promise<string[]> {
  return (await measurePools(testOp())).flatMap(each =>
    each.type === 'histogram' ? [] : each.samples.map(({ labels, value }) => `${each.name} ${labels['pool']} ${value}`),
  )
}

const siteOf = (pools: Readonly<Record<string, Pool>>) =>
  ({ pools: new Map(Object.entries(pools)) }) as unknown as ControllerSite

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
  assert.deepEqual(await measure(createPoolMetrics(siteOf({ whole, dead }))), [
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

it('a pool that hangs is told of in time, is asked no second time meanwhile, and has its numbers when it answers', async () => {
  const { promise, resolve } = Promise.withResolvers<Room>()
  let asked = 0
  const hanging: Pool = {
    ...whole,
    room: () => {
      asked += 1
      return promise
    },
  }
  const measurePools = createPoolMetrics(siteOf({ hanging }), 5)
  for (let round = 0; round < 3; round += 1)
    assert.deepEqual(await measure(measurePools), ['ashlar_pool_answers hanging 0'])
  assert.equal(asked, 1)
  resolve(await whole.room())
  await promise
  assert.equal((await measure(measurePools)).length, 7)
})
