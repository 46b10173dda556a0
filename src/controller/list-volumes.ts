// ListVolumes, ControllerGetVolume: what the pools hold, page by page.
import { type Condition, conditionOf } from '../volume/condition.ts'
import { BadToken } from '../volume/errors.ts'
import { parseVolumeId } from '../volume/ids.ts'
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
export async function listVolumes(site: ControllerSite, page: { size: number; token: string }): Promise<VolumePage> {
  if (page.token !== '' && !parseVolumeId(page.token)) {
    throw new BadToken({
      asked: 'list volumes',
      found: `starting_token "${page.token}" was not issued by this driver`,
      next: 'start again without a token',
    })
  }
  const ids = (await Promise.all([...site.pools.values()].map(pool => pool.list()))).flat().sort()
  const rest = ids.filter(id => id > page.token)
  const shown = page.size > 0 ? rest.slice(0, page.size) : rest
  const located = await Promise.all(shown.map(id => findVolume(site, id)))
  const present = located.filter(each => each !== undefined) // the others were deleted since the folder was read
  const troubles = await troublesOfTransports(site)
  return {
    entries: await Promise.all(present.map(each => describe(each, troubles))),
    nextToken: shown.length < rest.length ? (shown.at(-1) ?? '') : '',
  }
}

/** CSI spec, ControllerGetVolume. */
export async function describeVolume(site: ControllerSite, id: VolumeId): Promise<ListedVolume> {
  return await describe(await getVolume(site, `get ${id}`, id), await troublesOfTransports(site))
}

type Troubles = ReadonlyMap<string, ReadonlyMap<VolumeId, readonly string[]>>

/** Looked up once for all volumes: each transport lists its devices or exports for it. */
async function troublesOfTransports({ exporters }: ControllerSite): Promise<Troubles> {
  const found = [...exporters].map(async ([name, exporter]) => [name, await exporter.troubles()] as const)
  return new Map(await Promise.all(found))
}

async function describe({ pool, volume }: Located, troubles: Troubles): Promise<ListedVolume> {
  const { id, transport } = volume
  const [claims, inPool] = await Promise.all([pool.claims(id), pool.troublesOf(id)])
  const onTheWay = troubles.get(transport)?.get(id) ?? []
  return { volume, publishedNodes: claims.map(claim => claim.node), condition: conditionOf([...inPool, ...onTheWay]) }
}
