// GetCapacity: how many bytes a new volume could get, for the scheduler.
import { parseParameters } from '../schema/parameters.ts'
import { type Capability, refusal } from '../volume/capability.ts'
import { MIB } from '../volume/capacity.ts'
import { isServed } from '../volume/topology.ts'
import type { Bytes, Parameters, Segments } from '../volume/types.ts'
import { smallestFor } from './create-volume.ts'
import { type ControllerSite, getExporter, getPool } from './site.ts'

export interface CapacityRequest {
  readonly capabilities: readonly Capability[]
  /** As in the StorageClass, metadata keys included. */
  readonly parameters: Parameters
  /** undefined: anywhere. */
  readonly topology: Segments | undefined
}

export interface Capacity {
  readonly available: Bytes
  /** Of one volume. */
  readonly maximum: Bytes
  readonly minimum: Bytes
}

/** CSI spec, GetCapacity. A place or a capability that cannot be served has 0 bytes; it is not an error. */
export async function getCapacity(site: ControllerSite, request: CapacityRequest): Promise<Capacity> {
  const none = { available: 0n, maximum: 0n, minimum: MIB }
  if (request.capabilities.some(each => refusal(each) !== undefined)) return none
  const asked = 'get the capacity'
  const parameters = parseParameters(asked, request.parameters)
  const { pool: name, transport = site.defaultTransport } = parameters
  const pool = getPool(site, asked, name)
  const { isLocal } = getExporter(site, asked, transport)
  if (isLocal && request.topology && !isServed(site.segments, [request.topology])) return none
  const { available } = await pool.room()
  const whole = (available / pool.granularity) * pool.granularity
  const minimum = smallestFor(request.capabilities, parameters)
  // Less than the smallest volume is room for none.
  return { available: whole, maximum: whole < minimum ? 0n : whole, minimum }
}
