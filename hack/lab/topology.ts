// Which VMs and networks a lab has: types, the default, and the check of a file from outside.
import { LabError } from './error.ts'

/** Number with an optional unit K, M, G or T (powers of 1024). */
export type Size = string

/** A size, or a disk whose write cache is lost by `crash`, as a power cut does to a real one. */
export type DiskSpec = Size | { size: Size; volatile?: boolean }

export interface VmSpec {
  /** Last byte of the VM's addresses, 1-254, unique in the lab. */
  index: number
  /** MiB. */
  memory: number
  /** Data disks /dev/vdb, /dev/vdc, ... */
  disks?: DiskSpec[]
  /** Size of /dev/vda, which carries the changes to the root file system. */
  state?: Size
  /** Keep the changes to the root file system in memory: a crash loses them. */
  volatile?: boolean
  /** Host directories to see even if they are below /tmp or /run, which a VM has of its own. */
  visible?: string[]
  /** iSCSI initiator name. */
  iqn?: string
  /** A TCP port of the VM that this machine reaches on its loopback device; which port there: `Machine.forwarded`. */
  forward?: number
  /** MiB of translated code QEMU keeps. Node.js overflows 128 and then runs a fifth slower. */
  translationCache?: number
}

export interface Topology {
  /** Private L2 segments; each VM has one NIC on each, 10.77.<position>.<index>/24. */
  nets: string[]
  vms: Record<string, VmSpec>
}

export const DEFAULT_TOPOLOGY: Topology = {
  nets: ['san0', 'san1'],
  vms: {
    storage: { index: 1, memory: 768, disks: ['8G', '8G'] },
    'node-a': { index: 11, memory: 512 },
    'node-b': { index: 12, memory: 512 },
  },
}

/** Bytes of a size. Throws LabError for anything else. */
export const bytes = (size: Size): number => {
  const [, digits, unit] = /^(\d+)([KMGT]?)$/.exec(size) ?? []
  if (digits === undefined) throw new LabError(`not a size: ${size}`)
  return Number(digits) * 1024 ** ' KMGT'.indexOf(unit === undefined || unit === '' ? ' ' : unit)
}

// Names become paths, QEMU ids and Linux interface names (15 bytes, netdevice(7)).
const NAME = /^[a-z][a-z0-9-]{0,14}$/

const checkName = (name: string): void => {
  if (!NAME.test(name)) throw new LabError(`not a usable name: ${name}`)
}

/** Throws LabError when a topology cannot be brought up. */
export const checkTopology = (topology: Topology): Topology => {
  if (!Array.isArray(topology.nets) || typeof topology.vms !== 'object') {
    throw new LabError('a topology is { "nets": [...], "vms": { "<name>": { "index", "memory", ... } } }')
  }
  topology.nets.forEach(checkName)
  const seen = new Set<number>()
  for (const [name, vm] of Object.entries(topology.vms)) {
    checkName(name)
    if (!Number.isInteger(vm.index) || vm.index < 1 || vm.index > 254 || seen.has(vm.index)) {
      throw new LabError(`${name}: index must be a number from 1 to 254 of its own`)
    }
    seen.add(vm.index)
    if (!Number.isInteger(vm.memory) || vm.memory < 256) throw new LabError(`${name}: memory is MiB, 256 or more`)
    for (const disk of vm.disks ?? []) bytes(typeof disk === 'string' ? disk : disk.size)
    for (const path of vm.visible ?? []) {
      // They become words of a shell and of a mount option.
      if (!/^(\/[\w.@+-]+)+$/.test(path)) throw new LabError(`${name}: not a plain absolute path: ${path}`)
    }
    if (vm.state !== undefined) bytes(vm.state)
    if (vm.forward !== undefined && !(Number.isInteger(vm.forward) && vm.forward > 0 && vm.forward < 65536)) {
      throw new LabError(`${name}: forward is a TCP port`)
    }
  }
  return topology
}
