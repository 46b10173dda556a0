// Holds the writes to a volume on loop devices: its filesystem is frozen, and the counters of the device tell whether it held.
import type { Host } from '../host/host.ts'
import { type Device, holdersOf, liveFilesystems, writesTo } from '../linux/device.ts'
import { holdFrozen, thaw } from '../linux/freeze.ts'
import { isNodeOf, listMounts, type Mount } from '../linux/mount.ts'
import { CannotCutTogether, Unavailable } from '../volume/errors.ts'
import { type LetGo, letGoOfAll } from '../volume/let-go.ts'
import type { Op } from '../volume/op.ts'
import type { VolumeId } from '../volume/types.ts'

/**
 * Writes are held from when this answers until the answered function is called. That throws Unavailable if one came
 * through, whatever let it: a thaw by hand or by the clock, a stage meanwhile, or a writer that nobody saw.
 */
export async function pauseLoops(host: Host, id: VolumeId, find: () => Promise<Device[]>, op: Op): Promise<LetGo> {
  const frozen: LetGo[] = []
  try {
    for (const device of await find()) frozen.push(await freeze(host, id, device, op))
    const before = await traceOf(host, await find())
    return async () => {
      const after = await traceOf(host, await find()).catch((error: unknown) => String(error))
      await letGoOfAll(frozen)
      if (after !== before) throw cameThrough(id, before, after)
    }
  } catch (error) {
    await letGoOfAll(frozen).catch((cause: unknown) =>
      op.log.warn({ volume: id, cause: String(cause) }, 'a pause had ended'),
    )
    throw error
  }
}

/** Of a volume whose pause nobody ends any more. */
export async function resumeLoops(host: Host, devices: readonly Device[], op: Op): Promise<void> {
  for (const device of devices) {
    const mount = (await filesystemsOf(host, device))[0]
    if (mount && (await thaw(host, mount.path, op))) op.log.warn({ path: mount.path }, 'was left frozen; thawed it')
  }
}

/** What cannot be written to needs no hold. */
async function freeze(host: Host, id: VolumeId, device: Device, op: Op): Promise<LetGo> {
  const nothing = async () => undefined
  if (device.readonly) return nothing
  const refuse = (found: string, next: string) =>
    new CannotCutTogether({ asked: `hold the writes to ${id}`, found, next })
  const node = (await listMounts(host)).find(mount => isNodeOf(mount, device))
  if (node) {
    const found = `it is a raw block volume in use at ${node.path}`
    throw refuse(found, 'end its workload, or take it out of the group: only filesystems can be frozen')
  }
  const holders = await holdersOf(host, device)
  if (holders.length > 0) throw refuse(`${device.path} is held by ${holders.join(', ')}`, 'end what uses it')
  const [mount] = await filesystemsOf(host, device)
  if (mount) return mount.superOptions.includes('ro') ? nothing : await holdFrozen(host, mount.path, op)
  if ((await liveFilesystems(host, device)).length === 0) return nothing
  const found = `the filesystem on ${device.path} is mounted where this process cannot see it`
  throw refuse(found, 'let the controller see the mounts of the node')
}

async function filesystemsOf(host: Host, device: Device): Promise<Mount[]> {
  return (await listMounts(host)).filter(mount => mount.number === device.number)
}

/** Which devices there are, and what was written to each: the same text twice means that nothing was. */
async function traceOf(host: Host, devices: readonly Device[]): Promise<string> {
  const traces = devices.map(async device => `${device.path} (${device.sequence}): ${await writesTo(host, device)}`)
  return (await Promise.all(traces)).join('; ') || 'not attached'
}

function cameThrough(id: VolumeId, before: string, after: string): Unavailable {
  return new Unavailable({
    asked: `hold the writes to ${id}`,
    found: `it was written to meanwhile: ${before} before, ${after} after`,
    next: 'call again',
  })
}
