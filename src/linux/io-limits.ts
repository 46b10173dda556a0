// Limits of what a cgroup may read and write of one device, in io.max (Documentation/admin-guide/cgroup-v2.rst).
import type { Host } from '../host/host.ts'
import type { Op } from '../volume/op.ts'
import { writeControl } from './control-file.ts'
import type { Device } from './device.ts'

/** Per second; `max` is no limit, and what is absent stays as it is. */
export type IoLimits = Readonly<Partial<Record<(typeof KEYS)[number], string>>>

export const KEYS = ['rbps', 'wbps', 'riops', 'wiops'] as const
const NOTHING = { rbps: 'max', wbps: 'max', riops: 'max', wiops: 'max' } as const

/** Of the cgroup at this path. Throws Unavailable when the kernel refuses. */
export async function setLimits(host: Host, cgroup: string, { number }: Device, limits: IoLimits, op: Op) {
  const wanted = KEYS.flatMap(key => (limits[key] === undefined ? [] : [`${key}=${limits[key]}`]))
  const remedy = 'check that the node plugin sees the cgroups of the host, and may write to them'
  await writeControl(host, `${cgroup}/io.max`, `${number} ${wanted.join(' ')}`, remedy, op)
}

/** What the kernel holds it to: a device without a line has no limits. undefined when there is no such cgroup. */
export async function readLimits(
  host: Host,
  cgroup: string,
  { number }: Device,
): Promise<Required<IoLimits> | undefined> {
  const text = await host.files.read(`${cgroup}/io.max`)
  const line = text?.split('\n').find(each => each.startsWith(`${number} `))
  if (text === undefined) return undefined
  const pairs = [...(line ?? '').matchAll(/\b([a-z]+)=(\S+)/g)].map(([, key, value]) => [key, value])
  return { ...NOTHING, ...Object.fromEntries(pairs) }
}
