// A driver on a simulated machine: the sites that the real mains build, called through the services of the RPC layer.
import { ephemeralHome } from '../../../src/controller/ephemeral.ts'
import { ledgerOf } from '../../../src/controller/ledger.ts'
import type { ControllerSite } from '../../../src/controller/site.ts'
import type { Host } from '../../../src/host/host.ts'
import { openJournal } from '../../../src/node/journal.ts'
import type { NodeSite } from '../../../src/node/site.ts'
import { POOLS } from '../../../src/pools/index.ts'
import type { Pool } from '../../../src/pools/pool.ts'
import { controllerService } from '../../../src/rpc/controller-service.ts'
import { nodeService } from '../../../src/rpc/node-service.ts'
import { connectorsOf, exportersOf } from '../../../src/transports/index.ts'
import { type Op, SILENT } from '../../../src/volume/op.ts'
import { nodeSegments } from '../../../src/volume/topology.ts'

export const POOL_PATH = '/pool'
export const POOL_NAME = 'p'

export interface Place {
  readonly nodeId: string
  readonly stateDir: string
}

export type Reply = Readonly<Record<string, unknown>>

export interface Driver {
  call(rpc: string, request: object): Promise<Reply>
  readonly controller: ControllerSite
  readonly node: NodeSite
}

type AnyMethod = (request: never, op: Op) => Promise<object>

/** As `src/app/wire.ts` does at the start of a process. */
export async function startDriver(host: Host, { nodeId, stateDir }: Place, op: Op = newOp()): Promise<Driver> {
  const pools = new Map<string, Pool>()
  for (const [type, kind] of Object.entries(POOLS))
    pools.set(POOL_NAME, await kind.open(host, POOL_NAME, { type, path: POOL_PATH, overcommit: 1, sectorSize: 512 }))
  // Volumes keep the place that they were made for, also when another node takes over the pool.
  const base = { nodeId, segments: nodeSegments('csi.example.org', { node: 'anywhere' }), maxVolumesPerNode: 0 }
  const controller: ControllerSite = {
    ...base,
    pools,
    exporters: exportersOf(host, { nodeId, stateDir }, ledgerOf(pools)),
    defaultPool: POOL_NAME,
    defaultTransport: 'loop',
  }
  const node: NodeSite = {
    ...base,
    host,
    connectors: connectorsOf(host, { nodeId, stateDir }),
    journal: openJournal(host, stateDir),
    ephemeral: ephemeralHome(controller, { maxVolumes: 2, maxVolumeMiB: 1024, maxTotalMiB: 1024 }),
  }
  const methods = { ...controllerService(controller), ...nodeService(node) } as Record<string, AnyMethod>
  return {
    controller,
    node,
    async call(rpc, request) {
      const method = methods[rpc]
      if (!method) throw new Error(`there is no ${rpc}`)
      return (await method(request as never, op)) as Reply
    },
  }
}

export function newOp(): Op {
  return { log: SILENT, signal: new AbortController().signal }
}
