// The pools as exporters ask them where one target serves several volumes.
import type { Pool } from '../pools/pool.ts'
import type { Ledger } from '../transports/transport.ts'
import { Unavailable } from '../volume/errors.ts'
import { parseVolumeId } from '../volume/ids.ts'

export function ledgerOf(pools: ReadonlyMap<string, Pool>): Ledger {
  const get = (name: string): Pool => {
    const pool = pools.get(name)
    if (pool) return pool
    throw new Unavailable({ asked: `look at pool ${name}`, found: 'it is not open', next: 'check the setting pools' })
  }
  return {
    async claims(name) {
      const pool = get(name)
      const read = (await pool.list()).map(async id => [id, await pool.claims(id)] as const)
      return new Map(await Promise.all(read))
    },
    claimsOf: async id => await get(parseVolumeId(id)?.pool ?? '').claims(id),
    alone: (name, what, op, work) => get(name).alone(what, op, work),
  }
}
