// Read-only views of a device: loop devices whose backing is the device itself, because a bind of a node stops no writes.
import type { Host } from '../host/host.ts'
import { type Device, findDevice } from '../linux/device.ts'
import { attachLoop, detachLoop, findLoop, loopsBackedBy } from '../linux/losetup.ts'
import { isNodeOf, listMounts } from '../linux/mount.ts'
import type { Op } from '../volume/op.ts'

/** The device itself if it is read-only already. Idempotent. */
export async function ensureView(host: Host, device: Device, op: Op): Promise<Device> {
  if (device.readonly) return device
  const [, ...views] = await devicesAndViews(host, device)
  // Not the first best: kubelet holds a writable loop device on the volume as its lock.
  const present = views.find(view => view.readonly)
  if (present) return present
  const { path, sectorSize } = device
  return await attachLoop(host, { path, readonly: true, sectorSize, shared: true }, op)
}

/** The device first, then what stands on it. */
export async function devicesAndViews(host: Host, device: Device): Promise<Device[]> {
  const views = await Promise.all((await loopsBackedBy(host, device.path)).map(loop => findDevice(host, loop.kname)))
  return [device, ...views.filter(view => view !== undefined)]
}

/** The device that a view shows; undefined if it is none. */
export async function viewedDevice(host: Host, view: Device): Promise<Device | undefined> {
  const backing = (await findLoop(host, view.kname))?.backingFile
  return backing?.startsWith('/dev/') ? await findDevice(host, backing.slice('/dev/'.length)) : undefined
}

/** Detaches views that are bound nowhere. */
export async function detachIdleViews(host: Host, device: Device, op: Op): Promise<void> {
  const [, ...views] = await devicesAndViews(host, device)
  const mounts = await listMounts(host)
  for (const view of views) {
    // Loop devices that others put on the volume are not ours: kubelet holds a writable one as its lock.
    if (view.readonly && !mounts.some(mount => isNodeOf(mount, view))) await detachLoop(host, view, op)
  }
}
