// Control groups of a node's pods, apart from those of others on the machine.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const CGROUPS = '/sys/fs/cgroup'
/** By what kubelet limits pods: of those that the kernel has, it wants all in the group that it is given. */
const CONTROLLERS = ['cpu', 'cpuset', 'hugetlb', 'memory', 'pids']
/** Who was killed a moment ago may not have left its group yet. */
const LEAVING_MS = 30_000
const LOOK_MS = 50

/** Version 1 has a hierarchy for each controller, version 2 one for all. */
function hierarchies(): string[] {
  if (isVersion2()) return [CGROUPS]
  const entries = readdirSync(CGROUPS, { withFileTypes: true })
  return entries.filter(each => each.isDirectory()).map(({ name }) => join(CGROUPS, name))
}

function isVersion2(): boolean {
  return existsSync(join(CGROUPS, 'cgroup.controllers'))
}

/** A group of version 2 has the controllers that the group above it hands on. kubelet would do this for a group of its own making. */
function handOn(): void {
  const present = readFileSync(join(CGROUPS, 'cgroup.controllers'), 'utf8').trim().split(' ')
  for (const name of CONTROLLERS.filter(each => present.includes(each)))
    writeFileSync(join(CGROUPS, 'cgroup.subtree_control'), `+${name}`)
}

/** A part of each hierarchy for what is below a rig's folder; answers its name. */
export function makeGroups(folder: string): string {
  const group = basename(folder)
  if (isVersion2()) handOn()
  for (const hierarchy of hierarchies()) {
    mkdirSync(join(hierarchy, group))
    // A new group of version 1 may use no processor before it is told which.
    for (const name of ['cpuset.mems', 'cpuset.cpus']) {
      const all = join(hierarchy, name)
      if (existsSync(all)) writeFileSync(join(hierarchy, group, name), readFileSync(all))
    }
  }
  return group
}

/** Groups are folders that only the kernel fills: innermost first, they can be removed. */
export function removeGroups(folder: string): void {
  for (const path of hierarchies().map(hierarchy => join(hierarchy, basename(folder))))
    if (existsSync(path)) removeGroup(path)
}

function removeGroup(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroup(join(path, entry.name))
  for (const deadline = Date.now() + LEAVING_MS; ; ) {
    try {
      rmdirSync(path)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || Date.now() > deadline) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS)
    }
  }
}
