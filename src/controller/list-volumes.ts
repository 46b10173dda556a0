// ListVolumes, ControllerGetVolume: what the pools hold, page by page.
import type { Exported, Exporter } from '../transports/transport.ts'
import { isNodeName } from '../volume/claim.ts'
import { type Condition, conditionOf } from '../volume/condition.ts'
import { BadToken } from '../volume/errors.ts'
import { parseVolumeId } from '../volume/ids.ts'
import type { Op } from '../volume/op.ts'
import type { NodeId, Volume, VolumeId } from '../volume/types.ts'
import { type ControllerSite, findVolume, getVolume, type Located } from './site.ts'

export interface ListedVolume {
  readonly volume: Volume
  readonly publishedNodes: readonly NodeId[]
  readonly condition: Condition
}

export interface VolumePage {
  readonly entries: readonly ListedVolume[]
  /** Empty on the last page. */
  readonly nextToken: string
}

/**
 * CSI spec, ListVolumes. The token is the last id of the page before, and ids are listed in order: entries that vanish
 * or appear between two pages move nobody else.
 */
export async function listVolumes(
  site: ControllerSite,
  page: { size: number; token: string },
  op: Op,
): Promise<VolumePage> {
  if (page.token !== '' && !parseVolumeId(page.token)) {
    throw new BadToken({
      asked: 'list volumes',
      found: `starting_token "${page.token}" was not issued by this driver`,
      next: 'start again without a token',
    })
  }
  const ids = (await Promise.all([...site.pools.values()].map(pool => pool.list()))).flat().filter(parseVolumeId).sort()
  const rest = ids.filter(id => id > page.token)
  const shown = page.size > 0 ? rest.slice(0, page.size) : rest
  const located = await Promise.all(shown.map(id => findVolume(site, id)))
  const present = located.filter(each => each !== undefined) // the others were deleted since the folder was read
  const ways = await lookAtWays(site, op)
  return {
    entries: await Promise.all(present.map(each => describe(each, ways))),
    nextToken: shown.length < rest.length ? (shown.at(-1) ?? '') : '',
  }
}

/** CSI spec, ControllerGetVolume. */
export async function describeVolume(site: ControllerSite, id: VolumeId, op: Op): Promise<ListedVolume> {
  return await describe(await getVolume(site, `get ${id}`, id), await lookAtWays(site, op, id))
}

interface WayOut {
  readonly exporter: Exporter
  readonly exports: ReadonlyMap<VolumeId, Exported>
}

/** Looked up once for all volumes, or for one, by transport: each lists its devices or exports for it. */
async function lookAtWays({ exporters }: ControllerSite, op: Op, only?: VolumeId): Promise<Map<string, WayOut>> {
  const found = [...exporters].map(
    async ([name, exporter]) => [name, { exporter, exports: await exporter.exports(op, only) }] as const,
  )
  return new Map(await Promise.all(found))
}

async function describe({ pool, volume }: Located, ways: ReadonlyMap<string, WayOut>): Promise<ListedVolume> {
  const { id, transport } = volume
  const [claims, inPool] = await Promise.all([pool.claims(id), pool.troublesOf(id)])
  const way = ways.get(transport)
  const exported = way?.exports.get(id)
  const isCutOff = way?.exporter.isLocal === false && !exported && claims.some(({ node }) => way.exporter.reaches(node))
  const onTheWay = isCutOff
    ? ['it is published, but no target exports it: the driver tries to restore that, see its log']
    : (exported?.troubles ?? [])
  return {
    volume,
    publishedNodes: claims.map(claim => claim.node).filter(isNodeName),
    condition: conditionOf([...inPool, ...onTheWay]),
  }
}
