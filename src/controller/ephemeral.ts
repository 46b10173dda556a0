// Ephemeral volumes beside the bytes: made, given to this node and removed by the flows of persistent volumes, on a site of their own.
import { type Capability, refusal } from '../volume/capability.ts'
import { GIB, MIB } from '../volume/capacity.ts'
import { AttachLimitReached, InvalidRequest, NotSupported, PoolFull, SizeOutOfRange } from '../volume/errors.ts'
import { encodeEphemeralId, isEphemeralHandle, parseEphemeralId } from '../volume/ids.ts'
import { isSameNode } from '../volume/node-id.ts'
import { type Op, steady } from '../volume/op.ts'
import { createQueue } from '../volume/queue.ts'
import type { Bytes, Parameters, Route, Volume, VolumeId } from '../volume/types.ts'
import { createVolume } from './create-volume.ts'
import { deleteVolume } from './delete-volume.ts'
import { publishVolume, unpublishVolume } from './publish-volume.ts'
import { type ControllerSite, findVolume, getPool } from './site.ts'

/** What the operator allows on this node. */
export interface EphemeralLimits {
  /** Absent: the default pool. */
  readonly pool?: string
  readonly maxVolumes: number
  readonly maxVolumeMiB: number
  readonly maxTotalMiB: number
}

export interface EphemeralRequest {
  /** As kubelet calls it: what an ephemeral volume is the volume of. */
  readonly handle: string
  /** undefined: 1 GiB, or less if that is all that one may have. */
  readonly size: Bytes | undefined
  readonly capability: Capability
}

export interface Provided {
  readonly route: Route
  readonly volumeContext: Parameters
}

/** The only transport that reaches a file of this node. */
const TRANSPORT = 'loop'

/** `limits` undefined: none are made any more, and those that there are can be removed. */
export function ephemeralHome(everything: ControllerSite, limits: EphemeralLimits | undefined) {
  const site: ControllerSite = { ...everything, isEphemeral: true, defaultTransport: TRANSPORT }
  /** Counting and making the next one is one step within a process. */
  const queue = createQueue()

  /** The one that exists, or the one that would be made: the operator may have changed the pool meanwhile. */
  const idFor = async (handle: string): Promise<VolumeId> => {
    const ids = [...site.pools.keys()].map(pool => encodeEphemeralId(pool, handle))
    for (const id of ids) if (await findVolume(site, id)) return id
    return encodeEphemeralId(limits?.pool ?? site.defaultPool, handle)
  }

  /** Takes it away from this node and removes the bytes; fine if it is gone. Throws VolumeInUse while anything uses it. */
  const remove = async (id: VolumeId, op: Op): Promise<void> => {
    const located = await findVolume(site, id)
    if (!located) return
    requireOwn(`remove ${id}`, located.volume, located.volume.name)
    await unpublishVolume(site, id, undefined, op)
    await deleteVolume(site, id, op)
    op.log.info({ id }, 'ephemeral volume removed')
  }

  return {
    idFor,

    /** Idempotent: makes the volume unless it exists, and gives it to this node. */
    async provide(request: EphemeralRequest, op: Op): Promise<Provided> {
      const { handle, capability } = request
      const asked = `make the ephemeral volume ${handle}`
      const id = await idFor(handle)
      const located = await findVolume(site, id)
      const volume = located?.volume ?? (await queue(() => make(site, asked, limits, request, op)))
      requireOwn(asked, volume, handle)
      const route = await publishVolume(site, { id, node: site.nodeId, capability, readonly: false }, op)
      return { route, volumeContext: volume.parameters }
    },

    remove,

    /** The same if it holds nothing: one that a pod may have had is for its unpublish. */
    async discard(id: VolumeId, op: Op): Promise<void> {
      const pool = (await findVolume(site, id))?.pool
      if (pool && (await pool.isBlank(id, op))) await remove(id, op)
      else if (pool) op.log.warn({ id }, 'an ephemeral volume holds data, and no pod is known to have it; it stays')
    },

    /** Those of this node. */
    list: async (): Promise<VolumeId[]> => (await own(site)).map(({ id }) => id),
  }
}

/** The id follows from the handle; a record that says otherwise is somebody else's. */
function requireOwn(asked: string, { id, name, ephemeral }: Volume, handle: string): void {
  const isOwn = isEphemeralHandle(handle) && id === encodeEphemeralId(parseEphemeralId(id)?.pool ?? '', handle)
  if (isOwn && name === handle && ephemeral) return
  throw new InvalidRequest({
    asked,
    found: `${id} is the volume "${name}"`,
    next: 'nothing was touched; see ashlar doctor',
  })
}

async function make(
  site: ControllerSite,
  asked: string,
  limits: EphemeralLimits | undefined,
  { handle, size, capability }: EphemeralRequest,
  op: Op,
): Promise<Volume> {
  if (!limits) {
    const next = 'set ephemeral in the configuration of the driver on this node, or use a PersistentVolumeClaim'
    throw new NotSupported({ asked, found: 'this node offers no ephemeral volumes', next })
  }
  const reason = refusal(capability)
  if (reason !== undefined) throw new InvalidRequest({ asked, found: reason, next: 'use another access mode' })
  const largest = BigInt(limits.maxVolumeMiB) * MIB
  if (size !== undefined && size > largest)
    throw new SizeOutOfRange({ asked, found: `${size} bytes, and one may have ${largest}`, next: 'ask for less' })
  const wanted = size ?? (largest < GIB ? largest : GIB)
  const pool = getPool(site, asked, limits.pool)
  await requireAllowed(asked, site, limits, { volumes: 1, bytes: wanted })
  const volume = await createVolume(
    site,
    {
      name: handle,
      range: { required: wanted, limit: largest },
      capabilities: [capability],
      parameters: { pool: pool.name, transport: TRANSPORT, ...(capability.fsType && { fsType: capability.fsType }) },
      requisite: [],
      ephemeral: { node: site.nodeId },
    },
    op,
  )
  try {
    // Another process may have made one in the same instant: of the two at least one sees both.
    await requireAllowed(asked, site, limits, { volumes: 0, bytes: 0n })
    return volume
  } catch (error) {
    await deleteVolume(site, volume.id, steady(op))
    throw error
  }
}

async function requireAllowed(
  asked: string,
  site: ControllerSite,
  { maxVolumes, maxTotalMiB }: EphemeralLimits,
  more: { volumes: number; bytes: Bytes },
): Promise<void> {
  const present = await own(site)
  const count = present.length + more.volumes
  const total = present.reduce((sum, { size }) => sum + size, more.bytes)
  const next = 'end pods that have ephemeral volumes, use another node, or raise the limit'
  if (count > maxVolumes)
    throw new AttachLimitReached({ asked, found: `the node may have ${maxVolumes} ephemeral volumes`, next })
  const most = BigInt(maxTotalMiB) * MIB
  if (total <= most) return
  const found = `the ephemeral volumes of the node may have ${most} bytes, they would have ${total}`
  throw new PoolFull({ asked, found, next })
}

async function own(site: ControllerSite): Promise<Volume[]> {
  const ids = (await Promise.all([...site.pools.values()].map(pool => pool.list()))).flat()
  const located = await Promise.all(ids.filter(parseEphemeralId).map(id => findVolume(site, id)))
  return located.flatMap(each =>
    each?.volume.ephemeral && isSameNode(each.volume.ephemeral.node, site.nodeId) ? [each.volume] : [],
  )
}
