// HostFiles over the simulated disk and kernel; each change can also stop half-way, as a killed process leaves it.
import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import type { HostFiles } from '../../../src/host/host.ts'
import {
  create,
  type Disk,
  failWith,
  type Inode,
  lookUp,
  makeDirectories,
  parentOf,
  pathOf,
  place,
  unlink,
} from './disk.ts'
import { kernelList, kernelRead } from './kernel-files.ts'
import type { State } from './state.ts'

const ROOT_DEVICE = '8:1'
const SPACE = 1n << 40n

export function memoryFiles(state: () => State): HostFiles {
  const isKernel = (path: string) => path.startsWith('/proc/') || path.startsWith('/sys/')
  const inode = (path: string): Inode | undefined => lookUp(state().disk, path)
  return {
    async read(path) {
      if (isKernel(path)) return kernelRead(state(), path)
      const found = inode(path)
      if (found?.kind === 'directory') failWith('EISDIR', path)
      return found?.text
    },
    async list(path) {
      if (isKernel(path)) return kernelList(state(), path)
      const found = inode(path)
      if (found?.kind === 'file') return undefined
      return found && [...found.entries.keys()].sort()
    },
    async facts(path) {
      const found = inode(path)
      if (!found) return undefined
      return {
        kind: found.kind,
        size: found.pages.size > 0 || found.size > 0n ? found.size : BigInt(found.text.length),
        allocated: BigInt(found.pages.size) * 4096n,
        inode: BigInt(found.ino),
        device: ROOT_DEVICE,
        links: 1,
        modified: new Date(found.modified),
      }
    },
    async space(path) {
      return inode(path) ? { total: SPACE, available: SPACE } : failWith('ENOENT', path)
    },
    write: async path => failWith('ENOENT', path),
    link: async path => failWith('ENOENT', path),
    readLink: async () => undefined,
    async createExclusive(path, content) {
      const { disk } = state()
      parentOf(disk, path)
      if (lookUp(disk, path)) return false
      create(disk, path, 'file').text = content
      return true
    },
    async replace(path, content) {
      const { disk } = state()
      const { parent, name } = parentOf(disk, path)
      const found = parent.entries.get(name)
      if (found?.kind === 'directory') failWith('EISDIR', path)
      if (found) unlink(disk, found)
      create(disk, path, 'file').text = content
    },
    async createSparse(path, size) {
      create(state().disk, path, 'file').size = size
    },
    async makeDirectory(path) {
      makeDirectories(state().disk, path)
    },
    async rename(from, to) {
      return rename(state().disk, from, to)
    },
    async removeFile(path) {
      const found = inode(path)
      if (found?.kind === 'directory') failWith('EISDIR', path)
      if (found) unlink(state().disk, found)
    },
    async removeDirectory(path) {
      removeDirectory(state(), path)
    },
  }
}

function rename(disk: Disk, from: string, to: string): boolean {
  const source = lookUp(disk, from)
  if (!source) failWith('ENOENT', from)
  const { parent, name } = parentOf(disk, to)
  const present = parent.entries.get(name)
  if (present?.kind === 'directory' && present.entries.size > 0) return false
  if (present) unlink(disk, present)
  place(parent, name, source)
  return true
}

function removeDirectory(state: State, path: string): void {
  const found = lookUp(state.disk, path)
  if (!found) return
  if (found.kind !== 'directory') failWith('ENOTDIR', path)
  if (state.mounts.some(mount => mount.path === path)) failWith('EBUSY', path)
  if (found.entries.size > 0) failWith('ENOTEMPTY', path)
  unlink(state.disk, found)
}

export const MUTATING = [
  'createExclusive',
  'replace',
  'createSparse',
  'makeDirectory',
  'rename',
  'removeFile',
  'removeDirectory',
] as const
export type Mutating = (typeof MUTATING)[number]

/** How far a change may have come when its process is killed, beside "not at all" and "done". */
export const HALVES: Readonly<Record<Mutating, readonly string[]>> = {
  createExclusive: ['an empty draft', 'a draft', 'a draft beside the file'],
  replace: ['an empty draft', 'a draft'],
  createSparse: ['an empty file'],
  makeDirectory: ['some parents'],
  rename: [],
  removeFile: [],
  removeDirectory: [],
}

export function changeByHalf(disk: Disk, how: string, path: string, content: unknown): void {
  const text = typeof content === 'string' ? content : ''
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`
  switch (how) {
    case 'an empty draft':
      create(disk, draft, 'file')
      return
    case 'a draft':
      create(disk, draft, 'file').text = text.slice(0, text.length / 2)
      return
    case 'a draft beside the file':
      create(disk, draft, 'file').text = text
      if (!lookUp(disk, path)) create(disk, path, 'file').text = text
      return
    case 'an empty file':
      create(disk, path, 'file')
      return
    case 'some parents':
      makeDirectories(disk, dirname(path))
      return
    default:
      throw new Error(`no such half: ${how} of ${pathOf(disk.root)}`)
  }
}
