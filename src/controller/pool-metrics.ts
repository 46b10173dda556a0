// What the pools promised and what is left in them, for whoever watches that they do not fill up.
import type { Pool } from '../pools/pool.ts'
import { gauge, type Measured, type Sample } from '../volume/metric.ts'
import type { Op } from '../volume/op.ts'
import { endsWithin } from '../volume/within.ts'
import type { ControllerSite } from './site.ts'

/** By name: what it says, and where it is in a look at a pool. */
const NUMBERS = {
  ashlar_pool_size_bytes: ['Size of the filesystem that the pool is on.', ({ room }) => room.size],
  ashlar_pool_free_bytes: ['What is left in that filesystem.', ({ room }) => room.free],
  ashlar_pool_promised_bytes: ['What volumes and snapshots may come to occupy.', ({ room }) => room.promised],
  ashlar_pool_promisable_bytes: ['What the pool may promise in all (overcommit).', ({ room }) => room.total],
  ashlar_pool_volumes: ['Volumes in the pool.', ({ volumes }) => volumes],
  ashlar_pool_snapshots: ['Snapshots in the pool, those of groups included.', ({ snapshots }) => snapshots],
} as const satisfies Readonly<Record<string, readonly [string, (look: Look) => bigint | number]>>

interface Look {
  readonly room: Awaited<ReturnType<Pool['room']>>
  readonly volumes: number
  readonly snapshots: number
}

/** Below the patience of those who ask (Prometheus: 10 s), who would be told nothing at all otherwise. */
const PATIENCE_MS = 5000

/**
 * Answers a look at all pools. One that does not answer, or not in time, shows in `ashlar_pool_answers`, and keeps nobody from
 * seeing the others; it is not asked again before it has answered. Never throws.
 */
export function createPoolMetrics(
  { pools }: ControllerSite,
  patienceMs = PATIENCE_MS,
): (op: Op) => Promise<Measured[]> {
  const begun = new Map<string, Promise<Look | undefined>>()
  const lookAt = async (name: string, pool: Pool, op: Op): Promise<Look | undefined> => {
    const work = begun.get(name) ?? look(pool, op).finally(() => begun.delete(name))
    begun.set(name, work)
    return (await endsWithin(work, patienceMs)) ? await work : undefined
  }
  return async op => {
    const looks = await Promise.all(
      [...pools].map(async ([name, pool]) => ({ pool: name, found: await lookAt(name, pool, op) })),
    )
    const answers = looks.map(({ pool, found }) => ({ labels: { pool }, value: found ? 1 : 0 }))
    const samples = (read: (look: Look) => bigint | number): Sample[] =>
      looks.flatMap(({ pool, found }) => (found ? [{ labels: { pool }, value: Number(read(found)) }] : []))
    return [
      gauge('ashlar_pool_answers', '1, or 0 when the place of the pool could not be read.', answers),
      ...Object.entries(NUMBERS).map(([name, [help, read]]) => gauge(name, help, samples(read))),
    ]
  }
}

async function look(pool: Pool, op: Op): Promise<Look | undefined> {
  try {
    const [room, volumes, snapshots] = await Promise.all([pool.room(), pool.list(), pool.snapshots?.list() ?? []])
    return { room, volumes: volumes.length, snapshots: snapshots.length }
  } catch (error) {
    op.log.warn({ pool: pool.name, cause: String(error) }, 'could not measure a pool')
    return undefined
  }
}
