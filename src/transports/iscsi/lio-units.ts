// The units below the targets of nodes, as LIO shows them: what other volumes must not lose, and what is to be taken away.
import { basename } from 'node:path'
import type { Host } from '../../host/host.ts'
import { accessTo, backstorePath, type Group, listGroups, listLuns, listNames } from '../../linux/lio.ts'
import { parseVolumeId } from '../../volume/ids.ts'
import type { VolumeId } from '../../volume/types.ts'
import { poolOfNodeTarget } from './names.ts'
import type { ShownUnit } from './target.ts'

/** The units of all targets of nodes, or those of one volume. */
export async function listUnits(host: Host, id?: VolumeId): Promise<ShownUnit[]> {
  const pool = id === undefined ? undefined : parseVolumeId(id)?.pool
  const names = (await listNames(host)).targets.filter(name => {
    const own = poolOfNodeTarget(name)
    return own !== undefined && (pool === undefined || own === pool)
  })
  const found: ShownUnit[] = []
  // One after the other: all at once would only wait for each other.
  for (const name of names.sort()) found.push(...((await unitsOf(host, name, id)) ?? []))
  return found
}

/** Those of one target; undefined when there is no such target. */
export async function unitsOf(host: Host, target: string, id?: VolumeId): Promise<ShownUnit[] | undefined> {
  const groups = await listGroups(host, target)
  if (!groups) return undefined
  return (await Promise.all(groups.map(group => unitsOfGroup(host, target, group, groups.length === 1, id)))).flat()
}

async function unitsOfGroup(
  host: Host,
  target: string,
  { path, enabled, authenticates, acls }: Group,
  isOnly: boolean,
  only: VolumeId | undefined,
): Promise<ShownUnit[]> {
  const [acl, stranger] = acls
  const units = (await listLuns(host, path)).map(async ({ name, shows = '' }) => {
    const id = basename(shows)
    if (shows !== backstorePath(id) || !parseVolumeId(id) || (only !== undefined && id !== only)) return []
    const access = acl ? await accessTo(host, acl.path, name) : 'none'
    const admits = isOnly && enabled && acl !== undefined && !stranger && (!authenticates || acl.user !== '')
    const initiator = access === 'none' ? undefined : acl?.initiator
    return [{ target, id, lun: Number(name.slice(4)), initiator, readonly: access === 'read-only', enabled: admits }]
  })
  return (await Promise.all(units)).flat()
}
