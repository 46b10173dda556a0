// What the operator's commands work with: the same sites as the driver's, beside it, without making or changing anything.
import type { Sites, Unseen } from '../doctor/survey.ts'
import type { Host } from '../host/host.ts'
import { THREADS } from '../host/isolated-files.ts'
import { POOLS } from '../pools/index.ts'
import type { Pool, PoolConfig } from '../pools/pool.ts'
import { DriverError } from '../volume/errors.ts'
import { readConfig, type Settings, USAGE } from './config.ts'
import { controllerSite, hostOf, nodeSite, resolvePools, storageHostOf } from './wire.ts'

export const DRIVER_FLAGS = USAGE

/** Nothing is served, and the node may have no name: what the driver demands of its settings need not be there. */
const UNUSED = { endpoint: 'unix:///unused.sock', nodeId: 'unused' }

/** From the flags of the driver. Throws ConfigError; a pool that cannot be opened is listed as unseen. */
export async function openSites(
  flags: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Sites> {
  // libuv reads this when the first file call needs a thread.
  process.env['UV_THREADPOOL_SIZE'] ??= String(THREADS)
  const settings = await resolvePools(readConfig(flags, env, { presets: UNUSED }))
  const [host, storage] = [hostOf(settings), storageHostOf(settings)]
  const { pools, unseen } = await visitPools(storage, await poolsHere(storage, settings))
  // Opening the pools as the driver does would make what is missing, and sweep what doctor came to see.
  const controller = await controllerSite(storage, settings, pools)
  return { controller, node: nodeSite(host, settings, controller), unseen }
}

/** A node that reaches its volumes over a network has no pools, though its settings name a default one. */
async function poolsHere({ files }: Host, { pools, iscsi }: Settings): Promise<Settings['pools']> {
  if (!iscsi || iscsi.portals.length > 0) return pools
  const present = await Promise.all(
    Object.entries(pools).map(async ([name, pool]) => ((await files.facts(pool.path)) ? [[name, pool] as const] : [])),
  )
  return Object.fromEntries(present.flat())
}

async function visitPools(host: Host, configs: Readonly<Record<string, PoolConfig>>) {
  const pools = new Map<string, Pool>()
  const unseen: Unseen[] = []
  for (const [name, config] of Object.entries(configs)) {
    try {
      const pool = await POOLS[config.type]?.visit(host, name, config)
      if (pool) pools.set(name, pool)
    } catch (error) {
      if (!(error instanceof DriverError || (error instanceof Error && 'code' in error))) throw error
      unseen.push({ what: `pool ${name} in ${config.path}`, why: error.message })
    }
  }
  return { pools, unseen }
}
