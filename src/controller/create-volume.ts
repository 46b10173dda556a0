// CreateVolume: one name, one volume, however often and from wherever it is asked for.
import { isDeepStrictEqual } from 'node:util'
import type { Pool } from '../pools/pool.ts'
import { encodeParameters, parseParameters } from '../schema/parameters.ts'
import type { StorageParameters } from '../schema/shapes/parameters.ts'
import { encodeTuning, parseTuning } from '../schema/tuning.ts'
import { type Capability, isSameCapability, refusal } from '../volume/capability.ts'
import { type CapacityRange, chooseSize, GIB, MIB, SMALLEST_FILESYSTEM, satisfies } from '../volume/capacity.ts'
import { IncompatibleExists, InvalidRequest, PoolFull } from '../volume/errors.ts'
import { encodeEphemeralId } from '../volume/ids.ts'
import { firstRefusedOption } from '../volume/mount-options.ts'
import type { Op } from '../volume/op.ts'
import { isServed } from '../volume/topology.ts'
import type {
  Bytes,
  ContentSource,
  EphemeralMark,
  Parameters,
  Segments,
  Volume,
  VolumeId,
  VolumeSpec,
} from '../volume/types.ts'
import { getSource, poolFor, requireFitting } from './content-source.ts'
import { type ControllerSite, getExporter, getSnapshots, unusedVolume } from './site.ts'

export interface CreateVolumeRequest {
  readonly name: string
  readonly range: CapacityRange | undefined
  readonly capabilities: readonly Capability[]
  readonly parameters: Parameters
  readonly mutableParameters?: Parameters
  /** Empty: anywhere. */
  readonly requisite: readonly Segments[]
  /** What its bytes begin as; undefined: nothing. */
  readonly source?: ContentSource | undefined
  /** No RPC of the controller says so: see ephemeral.ts. */
  readonly ephemeral?: EphemeralMark
}

/**
 * CSI spec, CreateVolume. The id derives from the name, so a repeat finds the volume of the first call; it is answered
 * with OK if size, capabilities, parameters, topology and source are compatible, else with ALREADY_EXISTS. Of mutable
 * parameters those count that it was created with: what was changed since makes a late repeat no other request.
 */
export async function createVolume(site: ControllerSite, request: CreateVolumeRequest, op: Op): Promise<Volume> {
  const asked = `create volume "${request.name}"`
  const parameters = parseParameters(asked, request.parameters)
  const mutableParameters = encodeTuning(parseTuning(asked, request.mutableParameters ?? {}))
  requireServable(asked, request.capabilities, parameters)
  const pool = poolFor(site, asked, parameters.pool, request.source)
  const transport = parameters.transport ?? site.defaultTransport
  const segments = getExporter(site, asked, transport).isLocal ? site.segments : {}
  const id = idIn(pool, request)
  // Of a volume that exists the source may be gone.
  const source = request.source && !(await pool.find(id)) ? await getSource(site, asked, request.source) : undefined
  if (source) requireFitting(asked, source, request, parameters)
  const { limit, required } = request.range ?? { limit: 0n, required: 0n }
  const smallest = smallestFor(request.capabilities, parameters)
  const size = chooseSize(asked, request.range, {
    minimum: source && source.size > smallest ? source.size : smallest,
    fallback: source?.size ?? GIB,
    granularity: pool.granularity,
  })
  await requireNewName(asked, site, pool, request)
  if (!isServed(segments, request.requisite)) {
    throw new PoolFull({
      asked,
      found: `no requisite topology contains ${JSON.stringify(segments)}, where pool ${pool.name} is`,
      next: 'provision on the node of the pool, or widen allowedTopologies',
    })
  }
  const spec: VolumeSpec = {
    id,
    name: request.name,
    capabilities: request.capabilities,
    parameters: encodeParameters(parameters),
    transport,
    sectorSize: source?.origin.sectorSize ?? pool.sectorSize,
    segments,
    ...(request.source && { contentSource: request.source }),
    ...(Object.keys(mutableParameters).length > 0 && { mutableParameters }),
    ...(request.ephemeral && { ephemeral: request.ephemeral }),
  }
  const volume = await make(site, asked, pool, spec, size, op)
  requireCompatible(asked, volume, spec, { limit, required })
  return volume
}

function idIn(pool: Pool, { name, ephemeral }: CreateVolumeRequest): VolumeId {
  return ephemeral ? encodeEphemeralId(pool.name, name) : pool.idFor(name)
}

async function make(
  site: ControllerSite,
  asked: string,
  pool: Pool,
  spec: VolumeSpec,
  size: Bytes,
  op: Op,
): Promise<Volume> {
  const { contentSource } = spec
  if (!contentSource) return await pool.create(spec, size, op)
  const unused = unusedVolume(site, asked, contentSource.id, op)
  return await getSnapshots(asked, pool).createVolume({ ...spec, contentSource }, size, unused, op)
}

/** The id carries the pool, so the same name in another pool, or for another place, would be a second volume. */
async function requireNewName(
  asked: string,
  site: ControllerSite,
  wanted: Pool,
  request: CreateVolumeRequest,
): Promise<void> {
  for (const pool of site.pools.values()) {
    const existing = await pool.find(idIn(pool, request))
    if (!existing || (pool === wanted && isServed(existing.segments, request.requisite))) continue
    const where = pool === wanted ? `at ${JSON.stringify(existing.segments)}` : `in pool ${pool.name}`
    throw new IncompatibleExists({
      asked,
      found: `it exists ${where} as ${existing.id}`,
      next: 'choose another name or ask for the same',
    })
  }
}

function requireServable(asked: string, capabilities: readonly Capability[], parameters: StorageParameters): void {
  const invalid = (found: string, next: string) => new InvalidRequest({ asked, found, next })
  for (const capability of capabilities) {
    const reason = refusal(capability)
    if (reason !== undefined)
      throw invalid(reason, 'use access mode ReadWriteOnce, ReadWriteOncePod or ReadOnlyMany, or volumeMode Block')
    if (capability.access === 'block') continue
    const wanted = capability.fsType ?? parameters.fsType
    if (wanted !== undefined && parameters.fsType !== undefined && wanted !== parameters.fsType) {
      throw invalid(
        `the capability asks for ${wanted}, the parameters for ${parameters.fsType}`,
        'name one filesystem type',
      )
    }
    const option = firstRefusedOption(capability.mountFlags, wanted ?? 'ext4')
    if (option !== undefined)
      throw invalid(`mount option "${option}" is not allowed for ${wanted ?? 'ext4'}`, 'remove it from mountOptions')
  }
}

/** Without a capability nobody knows whether there will be a filesystem. */
export function smallestFor(capabilities: readonly Capability[], { fsType }: StorageParameters): Bytes {
  const sizes = capabilities.map(each =>
    each.access === 'block' ? MIB : SMALLEST_FILESYSTEM[each.fsType ?? fsType ?? 'ext4'],
  )
  return sizes.reduce((largest, size) => (size > largest ? size : largest), MIB)
}

function requireCompatible(asked: string, volume: Volume, spec: VolumeSpec, range: CapacityRange): void {
  const differs = (what: string) =>
    new IncompatibleExists({
      asked,
      found: `it exists as ${volume.id} with ${what}`,
      next: 'choose another name or ask for the same',
    })
  if (!satisfies(volume.size, range)) {
    throw differs(
      `${volume.size} bytes, which does not fit required_bytes ${range.required}, limit_bytes ${range.limit}`,
    )
  }
  if (JSON.stringify(volume.parameters) !== JSON.stringify(spec.parameters)) {
    throw differs(`parameters ${JSON.stringify(volume.parameters)}, asked ${JSON.stringify(spec.parameters)}`)
  }
  if (!isDeepStrictEqual(volume.mutableParameters, spec.mutableParameters)) {
    const [have, want] = [volume, spec].map(each => JSON.stringify(each.mutableParameters ?? {}))
    throw differs(`mutable parameters ${have}, asked ${want}`)
  }
  if (volume.transport !== spec.transport) throw differs(`transport ${volume.transport}`)
  if (!isSameSet(volume.capabilities, spec.capabilities)) throw differs('other volume capabilities')
  if (!isDeepStrictEqual(volume.contentSource, spec.contentSource))
    throw differs(`the bytes of ${volume.contentSource?.id ?? 'nothing'}, asked ${spec.contentSource?.id ?? 'nothing'}`)
  if (!isDeepStrictEqual(volume.ephemeral, spec.ephemeral)) throw differs('another lifetime')
  if (JSON.stringify(volume.segments) !== JSON.stringify(spec.segments))
    throw differs(`topology ${JSON.stringify(volume.segments)}`)
}

function isSameSet(a: readonly Capability[], b: readonly Capability[]): boolean {
  const includes = (set: readonly Capability[], one: Capability) => set.some(each => isSameCapability(each, one))
  return a.every(each => includes(b, each)) && b.every(each => includes(a, each))
}
