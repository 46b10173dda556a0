// The only file that constructs things: read it to see the whole object graph.
import { readFileSync } from 'node:fs'
import type { ControllerSite } from '../controller/site.ts'
import type { Host } from '../host/host.ts'
import { localHost } from '../host/local.ts'
import { openRecords } from '../node/record.ts'
import type { NodeSite } from '../node/site.ts'
import { POOLS } from '../pools/index.ts'
import type { Pool } from '../pools/pool.ts'
import { bindService, type Pipe } from '../rpc/bind.ts'
import { controllerService } from '../rpc/controller-service.ts'
import { identityService } from '../rpc/identity-service.ts'
import { createLimit } from '../rpc/middleware/limit.ts'
import { createLock } from '../rpc/middleware/lock.ts'
import { log } from '../rpc/middleware/log.ts'
import { requireFields } from '../rpc/middleware/require-fields.ts'
import { nodeService } from '../rpc/node-service.ts'
import { csi } from '../rpc/proto.ts'
import { type Server, serve } from '../rpc/serve.ts'
import { TRANSPORTS } from '../transports/index.ts'
import type { Logger } from '../volume/op.ts'
import { nodeSegments } from '../volume/topology.ts'
import type { Settings } from './config.ts'
import type { Lifetime } from './lifetime.ts'

export type Role = 'controller' | 'node' | 'all-in-one'

/** Builds what the role needs and serves it; answers when calls are accepted. */
export async function startDriver(role: Role, settings: Settings, logger: Logger, lifetime: Lifetime): Promise<Server> {
  const host = localHost()
  const services = [await controllerOf(role, host, settings), nodeOf(role, host, settings)].filter(
    each => each !== undefined,
  )
  const pipe: Pipe = {
    log: logger,
    middleware: [log, requireFields, createLock(), createLimit(settings.maxConcurrentCalls)],
    stop: lifetime.stop,
    draining: lifetime.draining,
    track: lifetime.track,
  }
  const identity = identityService({ name: settings.driverName, version: version(), ready: () => !lifetime.draining() })
  return await serve({
    endpoint: settings.address,
    socketMode: Number.parseInt(settings.socketMode, 8),
    services: [
      { definition: csi.Identity.service, implementation: bindService('identity', identity, pipe) },
      ...services.map(({ name, definition, methods }) => ({
        definition,
        implementation: bindService(name, methods, pipe),
      })),
    ],
  })
}

async function controllerOf(role: Role, host: Host, settings: Settings) {
  if (role === 'node') return undefined
  const site: ControllerSite = {
    pools: await openPools(host, settings),
    exporters: new Map(
      Object.entries(TRANSPORTS).map(([name, each]) => [name, each.exporter(host, { nodeId: settings.nodeId })]),
    ),
    defaultPool: settings.defaultPool,
    defaultTransport: settings.defaultTransport,
    segments: segmentsOf(settings),
    nodeId: settings.nodeId,
    maxVolumesPerNode: settings.maxVolumesPerNode,
  }
  return { name: 'controller', definition: csi.Controller.service, methods: controllerService(site) }
}

function nodeOf(role: Role, host: Host, settings: Settings) {
  if (role === 'controller') return undefined
  const site: NodeSite = {
    host,
    connectors: new Map(Object.entries(TRANSPORTS).map(([name, each]) => [name, each.connector(host)])),
    records: openRecords(host, settings.stateDir),
    nodeId: settings.nodeId,
    segments: segmentsOf(settings),
    maxVolumesPerNode: settings.maxVolumesPerNode,
  }
  return { name: 'node', definition: csi.Node.service, methods: nodeService(site) }
}

async function openPools(host: Host, settings: Settings): Promise<Map<string, Pool>> {
  const pools = new Map<string, Pool>()
  for (const [name, config] of Object.entries(settings.pools)) {
    const kind = POOLS[config.type]
    if (!kind) throw new Error(`pool ${name}: there is no pool type ${config.type}`)
    pools.set(name, await kind.open(host, name, config))
  }
  return pools
}

function segmentsOf({ driverName, nodeId, zone, region }: Settings) {
  return nodeSegments(driverName, {
    node: nodeId,
    ...(zone !== undefined && { zone }),
    ...(region !== undefined && { region }),
  })
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
