// A file that somebody else made becomes a volume: an operator's command, no RPC leads here.
import { encodeParameters } from '../schema/parameters.ts'
import type { FsType } from '../volume/capability.ts'
import { IncompatibleExists, InvalidRequest, NotSupported } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Volume, VolumeId } from '../volume/types.ts'
import { type ControllerSite, getExporter, getPool } from './site.ts'

export interface Adoption {
  /** Absolute path of the file. */
  readonly from: string
  readonly name: string
  readonly pool: string | undefined
  readonly transport: string | undefined
  /** What is in it, and its UUID; undefined: it is used as a raw block volume. */
  readonly filesystem: { readonly type: FsType; readonly uuid: string } | undefined
}

/** The id that the volume has, or will have. Throws IncompatibleExists for a filesystem that two volumes would bear. */
export async function idOfAdopted(site: ControllerSite, asked: string, wanted: Adoption): Promise<VolumeId> {
  const pool = getPool(site, asked, wanted.pool)
  const id = pool.idFor(wanted.name)
  const uuid = wanted.filesystem?.uuid
  for (const other of uuid === undefined ? [] : await pool.list()) {
    const volume = await pool.find(other)
    if (other === id || volume?.adopted?.uuid !== uuid) continue
    const next =
      'two filesystems with one UUID cannot be told apart; give one of them another (tune2fs -U, xfs_admin -U)'
    throw new IncompatibleExists({ asked, found: `${other} bears a filesystem with the UUID ${uuid} already`, next })
  }
  return id
}

/** `requireUnused` throws while anything uses the file at this path. The file keeps every byte, and is never formatted. */
export async function adoptVolume(
  site: ControllerSite,
  wanted: Adoption,
  requireUnused: (path: string) => Promise<void>,
  op: Op,
): Promise<Volume> {
  const asked = `adopt ${wanted.from} as "${wanted.name}"`
  const { from, name, filesystem } = wanted
  if (name === '' || Buffer.byteLength(name) > 128)
    throw new InvalidRequest({ asked, found: 'the name is empty or longer than 128 bytes', next: 'use another name' })
  const pool = getPool(site, asked, wanted.pool)
  const { adopt } = pool
  if (!adopt)
    throw new NotSupported({ asked, found: `pool ${pool.name} cannot adopt files`, next: 'use a pool that can' })
  const transport = wanted.transport ?? site.defaultTransport
  const segments = getExporter(site, asked, transport).isLocal ? site.segments : {}
  const id = await idOfAdopted(site, asked, wanted)
  const mode = 'SINGLE_NODE_WRITER'
  await adopt(
    {
      id,
      name,
      capabilities: filesystem
        ? [{ access: 'mount', mode, fsType: filesystem.type, mountFlags: [] }]
        : [{ access: 'block', mode, mountFlags: [] }],
      parameters: encodeParameters(filesystem ? { fsType: filesystem.type } : {}),
      transport,
      sectorSize: pool.sectorSize,
      segments,
      adopted: { from, ...(filesystem && { uuid: filesystem.uuid }) },
    },
    from,
    requireUnused,
    op,
  )
  return await pool.get(id)
}
