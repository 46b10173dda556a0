// What survives a power cut on the simulated machine: a tree of files, and the pages and filesystems inside data files.
import { type FsImage, PAGE } from './superblock.ts'

export interface Inode {
  readonly ino: number
  readonly kind: 'file' | 'directory'
  name: string
  parent: Inode | undefined
  /** Of a directory. */
  entries: Map<string, Inode>
  /** Of a document; data files have pages instead. */
  text: string
  size: bigint
  /** Written pages by number, one character a byte; a page that is absent is a hole. */
  pages: Map<number, string>
  /** The complete filesystem whose metadata stands in the pages. */
  fs: FsImage | undefined
  /** Pages that a workload wrote through the block device and made durable. */
  blockData: Map<number, string>
  owner: string
  mode: string
  modified: number
}

/** Plain data: structuredClone copies a whole machine. */
export interface Disk {
  root: Inode
  nextInode: number
  /** What no driver may ever do; every entry fails the test that finds it. */
  violations: string[]
  /** Data files that a test has asked to delete or to wipe: their data may go. */
  doomed: Set<number>
}

export const ZERO_PAGE = '\0'.repeat(PAGE)

export function emptyDisk(): Disk {
  const disk: Disk = { root: undefined as unknown as Inode, nextInode: 2, violations: [], doomed: new Set() }
  disk.root = newInode(disk, 'directory', '')
  return disk
}

export function newInode(disk: Disk, kind: Inode['kind'], name: string): Inode {
  const ino = disk.nextInode
  disk.nextInode += 1
  return {
    ino,
    kind,
    name,
    parent: undefined,
    entries: new Map(),
    text: '',
    size: 0n,
    pages: new Map(),
    fs: undefined,
    blockData: new Map(),
    owner: '0:0',
    mode: kind === 'directory' ? '0750' : '0600',
    modified: Date.now(),
  }
}

export function failWith(code: string, path: string): never {
  throw Object.assign(new Error(`${code}: ${path}`), { code })
}

export function lookUp(disk: Disk, path: string): Inode | undefined {
  let at: Inode | undefined = disk.root
  for (const name of path.split('/').filter(each => each !== '')) at = at?.entries.get(name)
  return at
}

export function parentOf(disk: Disk, path: string): { parent: Inode; name: string } {
  const cut = path.lastIndexOf('/')
  const parent = lookUp(disk, path.slice(0, cut))
  if (parent?.kind !== 'directory') failWith('ENOENT', path)
  return { parent, name: path.slice(cut + 1) }
}

export function place(parent: Inode, name: string, inode: Inode): void {
  inode.parent?.entries.delete(inode.name)
  inode.name = name
  inode.parent = parent
  parent.entries.set(name, inode)
}

export function create(disk: Disk, path: string, kind: Inode['kind']): Inode {
  const { parent, name } = parentOf(disk, path)
  if (parent.entries.has(name)) failWith('EEXIST', path)
  const inode = newInode(disk, kind, name)
  place(parent, name, inode)
  return inode
}

export function makeDirectories(disk: Disk, path: string): Inode {
  let at = disk.root
  for (const name of path.split('/').filter(each => each !== '')) {
    const next = at.entries.get(name) ?? create(disk, `${pathOf(at)}/${name}`, 'directory')
    if (next.kind !== 'directory') failWith('ENOTDIR', path)
    at = next
  }
  return at
}

/** As the kernel prints it: the present path, with ` (deleted)` behind it once unlinked. */
export function pathOf(inode: Inode): string {
  const names: string[] = []
  let at: Inode | undefined = inode
  while (at.parent) {
    names.unshift(at.name)
    at = at.parent
  }
  if (at.name !== '') return `/${[at.name, ...names].join('/')} (deleted)`
  return names.length === 0 ? '' : `/${names.join('/')}`
}

/** Takes a file or an empty directory out of the tree; it lives on for those who have it open. */
export function unlink(disk: Disk, inode: Inode): void {
  const path = pathOf(inode)
  if ((inode.fs?.everMounted === true || inode.blockData.size > 0) && !disk.doomed.has(inode.ino))
    disk.violations.push(`${path} was removed with the data in it`)
  inode.parent?.entries.delete(inode.name)
  inode.parent = undefined
  inode.name = path.slice(1)
}

/** A write by a tool; everything that a workload or a mounted filesystem relies on is guarded here. */
export function writePage(disk: Disk, file: Inode, number: number, page: string, by: string): void {
  const before = file.pages.get(number) ?? ZERO_PAGE
  if (page !== before) {
    const where = `page ${number} of ${pathOf(file)}`
    if (file.blockData.has(number) && !disk.doomed.has(file.ino))
      disk.violations.push(`${by} wrote over data: ${where}`)
    if (file.fs?.pages.has(number) === true) {
      if (!disk.doomed.has(file.ino)) disk.violations.push(`${by} damaged a ${file.fs.type} filesystem: ${where}`)
      file.fs = undefined
    }
  }
  file.pages.set(number, page)
  file.modified = Date.now()
}

export function readPage(file: Inode, number: number): string {
  return file.pages.get(number) ?? ZERO_PAGE
}

/** Bytes of a range whose ends are page boundaries. */
export function readRange(file: Inode, offset: bigint, length: number): string {
  const first = Number(offset / BigInt(PAGE))
  const count = length / PAGE
  let text = ''
  let zeros = 0
  for (let n = 0; n < count; n += 1) {
    const page = file.pages.get(first + n)
    if (page === undefined || page === ZERO_PAGE) zeros += PAGE
    else {
      text += '\0'.repeat(zeros) + page
      zeros = 0
    }
  }
  return text === '' ? zerosOf(zeros) : text + '\0'.repeat(zeros)
}

const cachedZeros = new Map<number, string>()

function zerosOf(length: number): string {
  const cached = cachedZeros.get(length) ?? Buffer.alloc(length).toString('latin1')
  cachedZeros.set(length, cached)
  return cached
}

/** Offset of the first data extent (SEEK_DATA); a page that was written with zeros is data. */
export function firstData(file: Inode, from: bigint): bigint | undefined {
  const numbers = [...file.pages.keys()].map(number => BigInt(number) * BigInt(PAGE)).filter(at => at >= from)
  return numbers.length === 0 ? undefined : numbers.reduce((least, at) => (at < least ? at : least))
}
