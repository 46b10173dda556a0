// The machines of a cluster: their names, addresses and disks, and how a command runs on one.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { cachePath } from '../../hack/cache.ts'
import { shellQuote } from '../../hack/lab/command.ts'
import type { Machine } from '../../hack/lab/machine.ts'
import type { DiskSpec, VmSpec } from '../../hack/lab/topology.ts'
import type { IscsiSettings } from '../../src/schema/shapes/config.ts'

const ROOT = dirname(dirname(import.meta.dirname))
export const PORT = 9000
/** Calls do not travel there, so a cut cable cuts nothing else. */
const NETS = ['san0', 'san1']
export const NODES = ['node-a', 'node-b'] as const
export type NodeName = (typeof NODES)[number]
export type HostName = 'storage' | NodeName

export interface ClusterOptions {
  readonly target: IscsiSettings['target']
  readonly chap?: IscsiSettings['chap']
  /** More settings of `iscsi`, for all hosts. */
  readonly iscsi?: Partial<IscsiSettings>
  /** Without it the storage host offers its address on san0. */
  readonly portals?: readonly string[]
  readonly maxVolumesPerNode?: number
  /** For hosts that are too slow for the default. */
  readonly maxConcurrentCalls?: number
  /** Of the storage host, with the pool. */
  readonly disk?: DiskSpec
  readonly nodes?: readonly NodeName[]
  /** The controller runs on a machine of its own, and reaches the storage host with ssh. */
  readonly remote?: boolean
}

export const ENVIRONMENT = [
  `export PATH=${shellQuote(`${ROOT}/node_modules/.bin:${ROOT}/node_modules/node/bin`)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  `cd ${shellQuote(ROOT)} || exit 125`,
].join('\n')

export async function runOn(machine: Machine, command: string, timeout = 120): Promise<string> {
  const { code, stdout, stderr } = await machine.exec(`${ENVIRONMENT}\n${command}`, { timeout })
  assert.equal(code, 0, `${machine.name}: ${command}: ${code} ${stdout}${stderr}`)
  return stdout.trim()
}

const INDEX: Readonly<Record<HostName | 'control', number>> = { storage: 1, control: 2, 'node-a': 11, 'node-b': 12 }

export const addressOf = (name: HostName): string => `10.77.0.${INDEX[name]}`

export function topologyOf({ disk = '16G', nodes = NODES, remote = false }: ClusterOptions) {
  // A checkout below /tmp is seen only when asked for: a VM has a /tmp of its own.
  const visible = [ROOT, cachePath()].filter(path => existsSync(path))
  const vm = (name: keyof typeof INDEX, more: Partial<VmSpec> = {}): VmSpec => ({
    index: INDEX[name],
    memory: 640,
    visible,
    translationCache: 256,
    forward: PORT,
    ...more,
  })
  return {
    nets: NETS,
    vms: {
      storage: vm('storage', { disks: [disk], memory: 768 }),
      ...Object.fromEntries([...nodes, ...(remote ? (['control'] as const) : [])].map(name => [name, vm(name)])),
    },
  }
}
