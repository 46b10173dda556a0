// The only file that constructs things: read it to see the whole object graph.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ephemeralHome } from '../controller/ephemeral.ts'
import { abandonGroups } from '../controller/group-snapshots.ts'
import { ledgerOf } from '../controller/ledger.ts'
import { createPoolMetrics } from '../controller/pool-metrics.ts'
import { restoreExports } from '../controller/restore-exports.ts'
import type { ControllerSite } from '../controller/site.ts'
import type { Host } from '../host/host.ts'
import { localHost } from '../host/local.ts'
import { sshHost } from '../host/ssh.ts'
import { withWholePaths } from '../linux/loop-paths.ts'
import { resolveParents } from '../linux/path.ts'
import { openJournal } from '../node/journal.ts'
import { recover } from '../node/recover.ts'
import type { NodeSite } from '../node/site.ts'
import { createWatch } from '../node/watch.ts'
import { POOLS } from '../pools/index.ts'
import type { Pool } from '../pools/pool.ts'
import { bindService, bindStreams, type Pipe } from '../rpc/bind.ts'
import { controllerService } from '../rpc/controller-service.ts'
import { groupControllerService } from '../rpc/group-controller-service.ts'
import { identityService } from '../rpc/identity-service.ts'
import { createLimit } from '../rpc/middleware/limit.ts'
import { createLock } from '../rpc/middleware/lock.ts'
import { log } from '../rpc/middleware/log.ts'
import { createCallMetrics } from '../rpc/middleware/metrics.ts'
import { requireFields } from '../rpc/middleware/require-fields.ts'
import { nodeService } from '../rpc/node-service.ts'
import { csi } from '../rpc/proto.ts'
import { selfPublishing } from '../rpc/self-publish.ts'
import { type Server, type ServiceDefinition, serve } from '../rpc/serve.ts'
import { snapshotMetadataService } from '../rpc/snapshot-metadata-service.ts'
import { connectorsOf, exportersOf } from '../transports/index.ts'
import { initiatorName } from '../transports/iscsi/names.ts'
import { requireSoleTarget } from '../transports/iscsi/targets.ts'
import type { Measured } from '../volume/metric.ts'
import { encodeNodeId } from '../volume/node-id.ts'
import { type Logger, SILENT, steady } from '../volume/op.ts'
import { nodeSegments } from '../volume/topology.ts'
import type { Settings } from './config.ts'
import type { Lifetime } from './lifetime.ts'
import { processMetrics, serveMetrics } from './metrics.ts'
import { repeat } from './repeat.ts'

/** How often exports and staged volumes are looked at; initiators try a lost session again every 2 s. */
const WATCH_MS = 5000

export type Role = 'controller' | 'node' | 'all-in-one'

/** Builds what the role needs and serves it; answers when calls are accepted. */
export async function startDriver(role: Role, settings: Settings, logger: Logger, lifetime: Lifetime): Promise<Server> {
  const controller = role === 'node' ? undefined : await openController(storageHostOf(settings), settings, logger)
  const node =
    role === 'controller'
      ? undefined
      : nodeSite(hostOf(settings), settings, controller ?? (await scratchSite(hostOf(settings), settings)))
  const calls = createCallMetrics()
  const pipe: Pipe = {
    log: logger,
    middleware: [calls.measure, log, requireFields, createLock(), createLimit(settings.maxConcurrentCalls)],
    stop: lifetime.stop,
    draining: lifetime.draining,
    track: lifetime.track,
  }
  const copying =
    controller && [...controller.pools.values()].some(({ snapshots }) => snapshots) ? controller : undefined
  const product = { driver: settings.driverName, version: version() }
  const identity = identityService({
    name: product.driver,
    version: product.version,
    ready: () => !lifetime.draining(),
    snapshotMetadata: copying !== undefined,
  })
  type Methods = Parameters<typeof bindService>[1]
  const offer = (name: string, { service }: { service: ServiceDefinition }, methods: Methods) => ({
    definition: service,
    implementation: bindService(name, methods, pipe),
  })
  const halves = servicesOf(controller, node, settings)
  const server = await serve({
    endpoint: settings.address,
    socketMode: Number.parseInt(settings.socketMode, 8),
    services: [
      offer('identity', csi.Identity, identity),
      ...(halves.controller ? [offer('controller', csi.Controller, halves.controller)] : []),
      ...(controller ? [offer('group', csi.GroupController, groupControllerService(controller))] : []),
      ...(copying ? [snapshotMetadata(copying, pipe)] : []),
      ...(halves.node ? [offer('node', csi.Node, halves.node)] : []),
    ],
  })
  // Beside the first calls, not before them: one volume that hangs must not keep the driver from serving the others.
  const op = { log: logger, signal: lifetime.stop }
  if (node) lifetime.track(recover(node, op))
  const watch = node && createWatch(node)
  if (watch) repeat(() => watch.look(op), WATCH_MS, lifetime)
  if (controller) lifetime.track(abandonGroups(controller, op))
  if (controller) repeat(() => restoreExports(controller, op), WATCH_MS, lifetime)
  const measurePools = controller && createPoolMetrics(controller)
  const collect = async (): Promise<Measured[]> => [
    ...processMetrics({ role, ...product }),
    ...calls.metrics(),
    ...(watch?.metrics() ?? []),
    ...((await measurePools?.(op)) ?? []),
  ]
  if (settings.metricsAddress !== undefined) await serveMetrics(settings.metricsAddress, collect, logger)
  return server
}

function servicesOf(site: ControllerSite | undefined, nodeSite: NodeSite | undefined, settings: Settings) {
  const selfPublish = settings.selfPublish && nodeSite !== undefined
  const controller = site && controllerService(site, { getSnapshot: settings.offerGetSnapshot, selfPublish })
  const node = nodeSite && nodeService(nodeSite)
  if (!controller || !node || !selfPublish) return { controller, node }
  const isNoted = async (id: string) => (await nodeSite.journal.find(id)) !== undefined
  return selfPublishing({ controller, node, nodeId: nodeSite.nodeId, isNoted })
}

/** Of a driver that serves; operators' commands must work also where this refuses. */
export async function openController(host: Host, settings: Settings, log: Logger): Promise<ControllerSite> {
  // A node has no portals to offer, and no target.
  if (settings.iscsi && settings.iscsi.portals.length > 0)
    await requireSoleTarget(host, settings.iscsi, steady({ log }))
  return await controllerSite(host, settings)
}

function snapshotMetadata(site: ControllerSite, pipe: Pipe) {
  const implementation = bindStreams('snapshot-metadata', snapshotMetadataService(site), pipe)
  return { definition: csi.SnapshotMetadata.service, implementation }
}

/** The kernel shows a loop device's file by its real path; a pool may have been given by way of a symbolic link. */
export async function resolvePools(settings: Settings): Promise<Settings> {
  const pools = Object.entries(settings.pools)
  const inside = pools.map(([, { path }]) => join(path, 'volumes'))
  const real = await resolveParents(storageHostOf(settings), inside, steady({ log: SILENT }))
  const resolved = pools.map(([name, pool], n) => [name, { ...pool, path: dirname(real[n] ?? pool.path) }])
  return { ...settings, pools: Object.fromEntries(resolved) as Settings['pools'] }
}

/** Pools and the node's own notes lie on disks that can die one by one. */
export function hostOf({ pools, stateDir }: Settings): Host {
  const host = localHost([stateDir, ...Object.values(pools).map(pool => pool.path)])
  return withWholePaths(host, pools)
}

/** Where pools and targets are: this machine, or one that is reached with ssh. */
export function storageHostOf(settings: Settings): Host {
  return settings.storage ? sshHost(settings.storage) : hostOf(settings)
}

/** `opened`: pools that are to be used instead of being opened as the driver does. */
export async function controllerSite(
  host: Host,
  settings: Settings,
  opened?: ReadonlyMap<string, Pool>,
): Promise<ControllerSite> {
  const { nodeId, defaultPool, defaultTransport, maxVolumesPerNode } = settings
  const pools = opened ?? (await openPools(host, settings))
  const exporters = [...exportersOf(host, settings, ledgerOf(pools))]
  return {
    pools,
    exporters: new Map(exporters.filter(([, each]) => !(settings.storage && each.isLocal))),
    defaultPool,
    defaultTransport,
    segments: segmentsOf(settings),
    nodeId,
    maxVolumesPerNode,
  }
}

/** Of a node whose controller is elsewhere, but which makes volumes for its own pods. */
async function scratchSite(host: Host, settings: Settings): Promise<ControllerSite | undefined> {
  return settings.ephemeral && (await controllerSite(host, settings))
}

/** `beside`: the pools on this very machine, if there are any. */
export function nodeSite(host: Host, settings: Settings, beside?: ControllerSite): NodeSite {
  const { nodeId: name, iscsi, stateDir, maxVolumesPerNode } = settings
  const initiator = iscsi && (iscsi.initiatorName ?? initiatorName(name))
  return {
    host,
    connectors: connectorsOf(host, settings),
    journal: openJournal(host, stateDir),
    nodeId: encodeNodeId({ name, ...(initiator !== undefined && { initiator }) }),
    segments: segmentsOf(settings),
    maxVolumesPerNode,
    ...(beside && !settings.storage && { ephemeral: ephemeralHome(beside, settings.ephemeral) }),
  }
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
