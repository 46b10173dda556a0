// Control groups of a node's pods, apart from those of others on the machine.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const CGROUPS = '/sys/fs/cgroup'
/** Who was killed a moment ago may not have left its group yet. */
const LEAVING_MS = 30_000
const LOOK_MS = 50

/** Version 1 has a hierarchy for each controller, version 2 one for all. */
function hierarchies(): string[] {
  if (existsSync(join(CGROUPS, 'cgroup.controllers'))) return [CGROUPS]
  const entries = readdirSync(CGROUPS, { withFileTypes: true })
  return entries.filter(each => each.isDirectory()).map(({ name }) => join(CGROUPS, name))
}

/** A part of each hierarchy for what is below a rig's folder; answers its name. */
export function makeGroups(folder: string): string {
  const group = basename(folder)
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
