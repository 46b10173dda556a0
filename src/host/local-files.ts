// Files of this machine: whole-or-nothing writes that survive a power cut.
import { randomBytes } from 'node:crypto'
import {
  constants,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rmdir,
  statfs,
  symlink,
  unlink,
} from 'node:fs/promises'
import { dirname } from 'node:path'
import { Unavailable } from '../volume/errors.ts'
import { Secret } from '../volume/secret.ts'
import type { FileFacts, IsLate, Space, TimelyFiles } from './host.ts'

export const localFiles: TimelyFiles = {
  read: path => unlessAbsent(readFile(path, 'utf8')),
  list: async path => (await unlessAbsent(readdir(path)))?.sort(),
  facts,
  space,
  createExclusive,
  replace,
  write,
  link: (path, destination) => symlink(destination, path),
  readLink: path => unlessAbsent(readlink(path)),
  createSparse,
  makeDirectory: async path => {
    await mkdir(path, { recursive: true, mode: 0o700 })
  },
  rename: renameDurably,
  removeFile: async path => {
    await unlessAbsent(unlink(path))
  },
  removeDirectory: async path => {
    await unlessAbsent(rmdir(path))
  },
}

async function facts(path: string): Promise<FileFacts | undefined> {
  const found = await unlessAbsent(lstat(path, { bigint: true }))
  if (!found) return undefined
  const kind = found.isFile() ? 'file' : found.isDirectory() ? 'directory' : found.isBlockDevice() ? 'block' : 'other'
  return {
    kind,
    size: found.size,
    allocated: found.blocks * 512n, // st_blocks counts 512-byte units whatever the filesystem's block size: stat(2)
    inode: found.ino,
    device: decodeDevice(found.dev),
    links: Number(found.nlink),
    modified: found.mtime,
  }
}

/** glibc's gnu_dev_major/minor layout of dev_t: makedev(3). */
function decodeDevice(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn)
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn)
  return `${major}:${minor}`
}

async function space(path: string): Promise<Space> {
  const found = await statfs(path, { bigint: true })
  return { total: found.blocks * found.bsize, available: found.bavail * found.bsize }
}

async function createExclusive(path: string, content: string, isLate?: IsLate): Promise<boolean> {
  const draft = await writeDraft(path, content)
  try {
    requireInTime(path, isLate)
    await link(draft, path) // unlike rename(2), link(2) never replaces
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw error
  } finally {
    await unlink(draft)
  }
  await syncDirectory(dirname(path))
  return true
}

async function replace(path: string, content: string, isLate?: IsLate): Promise<void> {
  const draft = await writeDraft(path, content)
  try {
    requireInTime(path, isLate)
    await rename(draft, path)
  } catch (error) {
    await unlink(draft)
    throw error
  }
  await syncDirectory(dirname(path))
}

/** The caller may have undone since what he was told did not happen: a claim must not appear after its unpublish. */
function requireInTime(path: string, isLate?: IsLate): void {
  if (isLate?.() !== true) return
  const found = 'its content was written too late, and the caller has been told already'
  throw new Unavailable({ asked: `write ${path}`, found, next: 'call again' })
}

/** Without O_CREAT and O_TRUNC: a file of the kernel takes one write, and is there or not. */
async function write(path: string, content: string | Secret): Promise<void> {
  const file = await open(path, constants.O_WRONLY)
  try {
    await file.write(content instanceof Secret ? content.reveal() : content)
  } finally {
    await file.close()
  }
}

async function writeDraft(path: string, content: string): Promise<string> {
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`
  const file = await open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } catch (error) {
    await unlink(draft)
    throw error
  } finally {
    await file.close()
  }
  return draft
}

async function createSparse(path: string, size: bigint): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
  try {
    await truncateTo(file, size)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** ftruncate takes a JS number: exact up to 2^53 bytes (8 PiB), above that this driver refuses. */
async function truncateTo(file: FileHandle, size: bigint): Promise<void> {
  if (size > BigInt(Number.MAX_SAFE_INTEGER))
    throw new RangeError(`${size} bytes exceed what one file can be given here`)
  await file.truncate(Number(size))
}

async function renameDurably(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
  } catch (error) {
    if (isCode(error, 'ENOTEMPTY') || isCode(error, 'EEXIST')) return false
    throw error
  }
  await syncDirectory(dirname(from))
  await syncDirectory(dirname(to))
  return true
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

async function unlessAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    // ENODEV: a file of /sys whose object went away between open and read, as when a loop device is detached.
    if (['ENOENT', 'ENOTDIR', 'ENODEV'].some(code => isCode(error, code))) return undefined
    throw error
  }
}

/** Does a failed system call carry this errno? */
export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
