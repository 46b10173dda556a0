// NodeExpandVolume: the device sees its new size, the filesystem fills it, while the workload goes on.
import type { Device } from '../linux/device.ts'
import { type Growable, growFilesystem } from '../linux/grow.ts'
import { refreshLoopSize } from '../linux/losetup.ts'
import type { CapacityRange } from '../volume/capacity.ts'
import { DriverError, InvalidRequest, SizeOutOfRange, VolumeNotFound } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Bytes, VolumeId } from '../volume/types.ts'
import { tuneDevice } from './apply-tuning.ts'
import { findConnected, mountsOf, type NodeSite } from './site.ts'
import { devicesAndViews } from './view.ts'

export interface ExpandRequest {
  readonly id: VolumeId
  /** Any path where the volume is; the device is found by the volume's identity, so a stale path does no harm. */
  readonly volumePath: string
  readonly range: CapacityRange | undefined
  /** undefined when the orchestrator does not say. */
  readonly access: 'mount' | 'block' | undefined
}

/** CSI spec, NodeExpandVolume. Large enough already is OK; the answer is the size of the device in bytes. */
export async function expandVolume(site: NodeSite, request: ExpandRequest, op: Op): Promise<Bytes> {
  return await site.journal.alone(request.id, op, () => expand(site, request, op))
}

async function expand(site: NodeSite, { id, volumePath, range, access }: ExpandRequest, op: Op): Promise<Bytes> {
  const asked = `expand ${id} at ${volumePath}`
  const connected = await findConnected(site, id, op)
  if (!connected) {
    throw new VolumeNotFound({
      asked,
      found: 'no device of the volume is connected to this node',
      next: 'stage the volume first',
    })
  }
  await connected.connector.verify(id, connected.device, op)
  const device = await connected.connector.rescan(connected.device, op)
  requireInRange(asked, device, range)
  const mounts = await mountsOf(site.host, device)
  const filesystem = mounts.find(mount => mount.number === device.number)
  if (access === 'mount' && !filesystem) {
    throw new VolumeNotFound({ asked, found: 'its filesystem is not mounted', next: 'stage the volume first' })
  }
  if (access === 'block' && filesystem) {
    throw new InvalidRequest({
      asked,
      found: `it is a mounted filesystem at ${filesystem.path}`,
      next: 'ask for access type mount',
    })
  }
  if (filesystem) {
    await connected.connector.verify(id, device, op)
    await growNoted(site, id, { device, path: filesystem.path, fsType: filesystem.fsType }, op)
  }
  const [, ...views] = await devicesAndViews(site.host, device)
  for (const view of views) await refreshLoopSize(site.host, view, op)
  // Growth is a look at the device anew: whatever the kernel forgets by that is said again.
  await tuneDevice(site.host, device, (await site.journal.find(id))?.tuning ?? {}, op)
  op.log.info({ size: String(device.size) }, 'volume expanded on this node')
  return device.size
}

/** A failure is told to the caller, and shows in the volume's condition until a later growth succeeds. */
async function growNoted({ host, journal }: NodeSite, id: VolumeId, target: Growable, op: Op): Promise<void> {
  const note = async (growthFailure: string | undefined) => {
    const { growthFailure: before, ...entry } = (await journal.find(id)) ?? {}
    if (!('id' in entry) || before === growthFailure) return
    await journal.write({ ...entry, ...(growthFailure !== undefined && { growthFailure }) })
  }
  try {
    await growFilesystem(host, target, op)
  } catch (error) {
    if (error instanceof DriverError) await note(error.message)
    throw error
  }
  await note(undefined)
}

function requireInRange(asked: string, device: Device, range: CapacityRange | undefined): void {
  if (!range) return
  if (device.size < range.required) {
    throw new SizeOutOfRange({
      asked,
      found: `${device.path} has ${device.size} bytes, asked for ${range.required}`,
      next: 'call ControllerExpandVolume first',
    })
  }
  if (range.limit > 0n && device.size > range.limit) {
    throw new SizeOutOfRange({
      asked,
      found: `${device.path} has ${device.size} bytes, above limit_bytes ${range.limit}`,
      next: 'volumes cannot shrink; raise limit_bytes',
    })
  }
}
