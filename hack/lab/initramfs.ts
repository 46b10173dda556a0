// Builds the initramfs: busybox, the guest scripts and the few modules the root file system needs.
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Cpio } from './cpio.ts'
import type { GuestTree } from './guest-tree.ts'

// Loaded before the root exists; what they depend on is added.
const BOOT_MODULES = [
  'virtio_pci',
  'virtio_blk',
  'virtio_net',
  '9pnet_virtio',
  '9p',
  'overlay',
  'crc32c_generic',
  'ext4',
]
const DIRECTORIES = 'bin sbin dev proc sys host guest upper root lab lab/mail lab/share modules'.split(' ')
const GUEST_SCRIPTS = join(import.meta.dirname, 'guest')

const moduleName = (file: string): string => basename(file, '.ko').replaceAll('-', '_')

/** Module files in the order in which insmod must load them, relative to `directory`. */
const loadOrder = (directory: string): string[] => {
  const modules = new Map<string, { file: string; after: string[] }>()
  for (const line of readFileSync(join(directory, 'modules.dep'), 'utf8').split('\n')) {
    const [file = '', after] = line.split(':')
    if (after === undefined) continue
    modules.set(moduleName(file), { file, after: after.split(' ').filter(Boolean).map(moduleName) })
  }
  const order: string[] = []
  const visit = (name: string): void => {
    const module = modules.get(name)
    if (module === undefined || order.includes(module.file)) return // absent: built into the kernel
    module.after.forEach(visit)
    order.push(module.file)
  }
  BOOT_MODULES.forEach(visit)
  return order
}

/** The archive, uncompressed: unpacking is emulated. */
export const buildInitramfs = (tree: GuestTree): Buffer => {
  const modules = join(tree.root, 'usr/lib/modules', tree.release)
  const order = loadOrder(modules)
  const archive = new Cpio()
  DIRECTORIES.forEach(name => {
    archive.directory(name)
  })
  archive.file('bin/busybox', readFileSync(join(tree.root, 'bin/busybox')), 0o755)
  archive.file('init', readFileSync(join(GUEST_SCRIPTS, 'init.sh')), 0o755)
  archive.file('agent.sh', readFileSync(join(GUEST_SCRIPTS, 'agent.sh')), 0o755)
  for (const file of order) archive.file(`modules/${basename(file)}`, readFileSync(join(modules, file)))
  archive.file('modules/order', Buffer.from(order.map(file => `${basename(file)}\n`).join('')))
  return archive.end()
}
