// The cgroup that kubelet makes for a pod, by the pod's UID: where all its containers are below.
import type { Host } from '../host/host.ts'
import { Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import { listMounts } from './mount.ts'
import { NotYet, waitFor } from './wait.ts'

/** A folder of cgroup version 2 whose I/O controller is on; or why there is none, in words. */
export type PodCgroup = { readonly path: string } | { readonly missing: string }

/** kubelet makes the cgroup of a pod and asks for its volumes at once, each in its own time. */
const PATIENCE_MS = 5_000
const QOS_CLASSES = ['', 'burstable', 'besteffort']
/** Where kubelet has its tree: at the top, or below the root that kind gives it (--cgroup-root). */
const PARENTS = ['', 'kubelet']

/** Looks for a while if everything but the cgroup itself is there. Throws Cancelled. */
export async function waitForPodCgroup(host: Host, uid: string, op: Op, timeoutMs = PATIENCE_MS): Promise<PodCgroup> {
  const look = async () => {
    const found = await findPodCgroup(host, uid)
    if ('missing' in found && found.isEarly) throw new NotYet(found.missing)
    return found
  }
  try {
    return await waitFor({ asked: `wait for the cgroup of pod ${uid}`, timeoutMs }, look, op)
  } catch (error) {
    if (error instanceof Unavailable) return { missing: nothingFor(uid) }
    throw error
  }
}

/** `isEarly`: it may still appear. */
export async function findPodCgroup(
  host: Host,
  uid: string,
): Promise<{ readonly path: string } | { readonly missing: string; readonly isEarly: boolean }> {
  const root = await findRoot(host)
  if ('missing' in root) return { ...root, isEarly: false }
  const listed = await Promise.all(
    candidates(uid).map(async each => ({
      path: `${root.path}/${each}`,
      names: await host.files.list(`${root.path}/${each}`),
    })),
  )
  const present = listed.filter(({ names }) => names !== undefined)
  const [only, second] = present
  if (!only) return { missing: nothingFor(uid), isEarly: true }
  if (second) return { missing: `both ${only.path} and ${second.path} are there for pod ${uid}`, isEarly: false }
  if (only.names?.includes('io.max') === true) return { path: only.path }
  return { missing: `the I/O controller is off in ${only.path}`, isEarly: false }
}

function nothingFor(uid: string): string {
  return `there is no cgroup of pod ${uid}`
}

/** Where version 2 is mounted with the I/O controller. */
async function findRoot(host: Host): Promise<PodCgroup> {
  const mounts = await listMounts(host)
  for (const { fsType, path } of mounts) {
    const controllers = fsType === 'cgroup2' ? await host.files.read(`${path}/cgroup.controllers`) : undefined
    if (controllers?.trim().split(' ').includes('io') === true) return { path }
  }
  // There throttling is flat: what is set for a pod does not hold for the containers below (cgroup-v1/blkio-controller.rst).
  const isOld = mounts.some(({ fsType, superOptions }) => fsType === 'cgroup' && superOptions.includes('blkio'))
  if (isOld)
    return { missing: 'the node has cgroups of version 1, where the limits of a pod do not reach its containers' }
  return { missing: 'no cgroups with an I/O controller are to be seen' }
}

/** Below the root of the cgroups, as kubelet's drivers `cgroupfs` and `systemd` name them. */
function candidates(uid: string): string[] {
  return PARENTS.flatMap(parent =>
    QOS_CLASSES.flatMap(qos => {
      const folders = [parent, 'kubepods', qos].filter(name => name !== '')
      return [[...folders, `pod${uid}`].join('/'), sliceOf([...folders, `pod${uid.replaceAll('-', '_')}`])]
    }),
  )
}

/** A dash stands for a level: a-b.slice lies in a.slice (systemd.slice(5)). */
function sliceOf(names: readonly string[]): string {
  return names.map((_, n) => `${names.slice(0, n + 1).join('-')}.slice`).join('/')
}
