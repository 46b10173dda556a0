// Where controller flows work: the pools and exporters of one host, and what the operator decided about them.
import type { Pool, RequireUnused, Snapshots } from '../pools/pool.ts'
import type { Exporter } from '../transports/transport.ts'
import { InvalidRequest, NotSupported, Unavailable, VolumeNotFound } from '../volume/errors.ts'
import { parseEphemeralId, parseVolumeId } from '../volume/ids.ts'
import type { Op } from '../volume/op.ts'
import type { NodeId, Segments, Volume, VolumeId } from '../volume/types.ts'

export interface ControllerSite {
  readonly pools: ReadonlyMap<string, Pool>
  readonly exporters: ReadonlyMap<string, Exporter>
  readonly defaultPool: string
  readonly defaultTransport: string
  /** Where the pools are reachable. */
  readonly segments: Segments
  readonly nodeId: NodeId
  /** 0: no limit. */
  readonly maxVolumesPerNode: number
  /** These flows work on ephemeral volumes and on no others. Absent: never on those. See ephemeral.ts. */
  readonly isEphemeral?: true
}

export interface Located {
  readonly pool: Pool
  readonly volume: Volume
}

/** undefined also for ids that this driver never issued, or whose pool is not configured here. */
export async function findVolume(site: ControllerSite, id: VolumeId): Promise<Located | undefined> {
  const pool = site.pools.get((site.isEphemeral ? parseEphemeralId : parseVolumeId)(id)?.pool ?? '')
  const volume = await pool?.find(id)
  if (!pool || !volume) return undefined
  requireOwnKind(site, id, volume)
  return { pool, volume }
}

/** The id and the record were both fixed at its creation, and must agree: what ends with its pod is known by both, or not touched. */
function requireOwnKind({ isEphemeral }: ControllerSite, id: VolumeId, volume: Volume): void {
  if (volume.id === id && (volume.ephemeral !== undefined) === (isEphemeral === true)) return
  const kind = volume.ephemeral ? 'an ephemeral' : 'a persistent'
  throw new Unavailable({
    asked: `use volume ${id}`,
    found: `its record is that of ${kind} volume, ${volume.id}`,
    next: 'nothing was touched; see ashlar doctor, and find out who moved or changed the record',
  })
}

export async function getVolume(site: ControllerSite, asked: string, id: VolumeId): Promise<Located> {
  const located = await findVolume(site, id)
  if (located) return located
  throw new VolumeNotFound({
    asked,
    found: `there is no volume ${id} in ${poolNames(site)}`,
    next: 'check the volume id',
  })
}

export function getPool(site: ControllerSite, asked: string, name: string | undefined): Pool {
  const pool = site.pools.get(name ?? site.defaultPool)
  if (pool) return pool
  throw new InvalidRequest({
    asked,
    found: `there is no pool "${name}"`,
    next: `use one of the pools: ${[...site.pools.keys()].join(', ')}`,
  })
}

export function getSnapshots(asked: string, { name, snapshots }: Pool): Snapshots {
  if (snapshots) return snapshots
  throw new NotSupported({ asked, found: `pool ${name} cannot copy volumes`, next: 'use a pool that can' })
}

export function getExporter(site: ControllerSite, asked: string, transport: string): Exporter {
  const exporter = site.exporters.get(transport)
  if (exporter) return exporter
  throw new InvalidRequest({
    asked,
    found: `there is no transport "${transport}"`,
    next: `use one of the transports: ${[...site.exporters.keys()].join(', ')}`,
  })
}

/**
 * Of those who change who may use a volume, in whatever process, one works at a time: restoring an export must not give
 * back a right that is being taken away. Local exports are never restored.
 */
export async function changeRights<T>(
  { isLocal }: Exporter,
  { pool, volume }: Located,
  op: Op,
  work: () => Promise<T>,
): Promise<T> {
  return isLocal ? await work() : await pool.alone(volume.id, op, work)
}

/** For whoever copies the bytes of a volume at rest. Looks for the volume only when it is called: it may be gone by now. */
export function unusedVolume(site: ControllerSite, asked: string, id: VolumeId, op: Op): RequireUnused {
  return async () => {
    const { volume } = await getVolume(site, asked, id)
    await getExporter(site, asked, volume.transport).requireUnused(id, op)
  }
}

export function poolNames(site: ControllerSite): string {
  return `the pools ${[...site.pools.keys()].join(', ')}`
}
