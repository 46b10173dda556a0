// Mutable parameters on the node: set where they can be, and told where they are not in effect. They never fail a call.
import type { Host } from '../host/host.ts'
import { queueShortfalls, tuneDiscard, tuneReadAhead } from '../linux/block-queue.ts'
import type { Device } from '../linux/device.ts'
import { type IoLimits, readLimits, setLimits } from '../linux/io-limits.ts'
import { findMount, isMountOf } from '../linux/mount.ts'
import { findPodCgroup, waitForPodCgroup } from '../linux/pod-cgroup.ts'
import type { Tuning } from '../schema/shapes/tuning.ts'
import { DriverError } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Entry, Target } from './journal.ts'
import { devicesAndViews } from './view.ts'

/** What limits are called in io.max. */
const LIMITS = {
  readIops: 'riops',
  writeIops: 'wiops',
  readBytesPerSecond: 'rbps',
  writeBytesPerSecond: 'wbps',
} as const satisfies Partial<Record<keyof Tuning, keyof IoLimits>>

/** For a device that no pod has yet: limits are of pods. */
export async function tuneDevice(host: Host, device: Device, tuning: Tuning, op: Op): Promise<void> {
  if (Object.keys(tuning).length === 0) return
  await tuneQueue(host, device, tuning, op)
  warnOf(await queueShortfalls(host, device, tuning), op)
}

/** For what is published at the target. */
export async function tuneTarget(host: Host, device: Device, tuning: Tuning, target: Target, op: Op): Promise<void> {
  if (Object.keys(tuning).length === 0) return
  const shown = await shownAt(host, device, target)
  for (const each of new Set([device, shown])) await tuneQueue(host, each, tuning, op)
  await attempt(op, () => limit(host, shown, tuning, target, op))
  warnOf(await shortfallsAt(host, device, tuning, target), op)
}

/** What of a staged volume's tuning is not in effect, in words, by what the kernel shows now. */
export async function tuningShortfalls(
  host: Host,
  device: Device,
  { tuning = {}, targets }: Pick<Entry, 'tuning' | 'targets'>,
): Promise<string[]> {
  if (Object.keys(tuning).length === 0) return []
  const ofTargets = await Promise.all(targets.map(target => shortfallsAt(host, device, tuning, target)))
  return [...new Set([...(await queueShortfalls(host, device, tuning)), ...ofTargets.flat()])]
}

async function tuneQueue(host: Host, device: Device, tuning: Tuning, op: Op): Promise<void> {
  await attempt(op, () => tuneDiscard(host, device, tuning, op))
  await attempt(op, () => tuneReadAhead(host, device, tuning, op))
}

async function limit(host: Host, device: Device, tuning: Tuning, { pod }: Target, op: Op): Promise<void> {
  const limits = limitsOf(tuning)
  if (pod === undefined || Object.keys(limits).length === 0) return
  const cgroup = await waitForPodCgroup(host, pod, op)
  if ('path' in cgroup) await setLimits(host, cgroup.path, device, limits, op)
}

async function shortfallsAt(host: Host, device: Device, tuning: Tuning, target: Target): Promise<string[]> {
  const shown = await shownAt(host, device, target)
  const ofView = shown === device ? [] : await queueShortfalls(host, shown, tuning)
  return [
    ...(await queueShortfalls(host, device, tuning)),
    ...ofView,
    ...(await unlimited(host, shown, tuning, target)),
  ]
}

async function unlimited(host: Host, device: Device, tuning: Tuning, { path, pod }: Target): Promise<string[]> {
  const wanted = Object.entries(limitsOf(tuning)) as [keyof IoLimits, string][]
  if (wanted.length === 0) return []
  const cgroup = pod === undefined ? { missing: `${path} names no pod` } : await findPodCgroup(host, pod)
  const found = 'path' in cgroup ? await readLimits(host, cgroup.path, device) : undefined
  // Where nobody can set a limit there is none.
  const other = wanted.filter(([key, value]) => (found?.[key] ?? 'max') !== value)
  if (other.length === 0) return []
  const names = Object.entries(LIMITS).flatMap(([name, key]) => (other.some(([each]) => each === key) ? [name] : []))
  const why = 'missing' in cgroup ? cgroup.missing : `${cgroup.path}/io.max shows ${JSON.stringify(found ?? {})}`
  return [`${names.join(', ')} not enforced: ${why}`]
}

function limitsOf(tuning: Tuning): IoLimits {
  return Object.fromEntries(
    Object.entries(LIMITS).flatMap(([name, key]) => {
      const value = tuning[name as keyof typeof LIMITS]
      return value === undefined ? [] : [[key, value === 'none' ? 'max' : value]]
    }),
  )
}

/** The device that the pod has: a read-only target of a block volume shows a view. */
async function shownAt(host: Host, device: Device, { path }: Target): Promise<Device> {
  const mount = await findMount(host, path)
  const devices = mount ? await devicesAndViews(host, device) : []
  return devices.find(each => mount && each !== device && isMountOf(mount, each)) ?? device
}

/** Data that can be used comes first: what fails here is said, in the log and in the condition of the volume. */
async function attempt(op: Op, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    op.log.warn({ cause: error.message }, 'could not set a mutable parameter')
  }
}

function warnOf(shortfalls: readonly string[], op: Op): void {
  if (shortfalls.length > 0) op.log.warn({ shortfalls }, 'mutable parameters are not in effect')
}
