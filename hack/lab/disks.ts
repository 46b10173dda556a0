// Makes a VM's disks and, for those that shall lose their write cache, the process that holds it.
import { closeSync, existsSync, openSync, renameSync, rmSync, truncateSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run } from './packages.ts'
import { kill, ownProcess } from './processes.ts'
import { bytes, type DiskSpec, type Size, type VmSpec } from './topology.ts'

/** The protocol layer of a QEMU block device (blockdev-add). */
export type Backend = Record<string, unknown>

const sparseFile = (file: string, size: Size): void => {
  closeSync(openSync(file, 'w', 0o600))
  truncateSync(file, bytes(size))
}

const direct = (filename: string): Backend => ({ driver: 'file', filename, aio: 'threads', discard: 'unmap' })

/**
 * A disk behind a write-back cache of its own: what the guest wrote reaches the file only when the guest flushes, so
 * killing the cache loses the rest.
 */
const behindCache = (file: string): Backend => {
  const socket = `${file}.sock`
  rmSync(socket, { force: true })
  const cached = ['--filter=cache', 'file', file, 'cache=writeback']
  // nbdkit puts the cache below TMPDIR; env sets it because the disk may be larger than /tmp.
  run('env', [`TMPDIR=${dirname(file)}`, 'nbdkit', '--unix', socket, '--pidfile', `${file}.pid`, ...cached])
  return { driver: 'nbd', server: { type: 'unix', path: socket } }
}

const dataFile = (directory: string, position: number): string => join(directory, `disk${position + 1}.img`)

const isVolatile = (disk: DiskSpec): boolean => typeof disk !== 'string' && disk.volatile === true

export const needsNbdkit = (vm: VmSpec): boolean => (vm.disks ?? []).some(isVolatile)

/** Makes what disks are missing; returns how QEMU opens each, the state disk first. */
export const openDisks = (directory: string, vm: VmSpec): Backend[] => {
  const state = join(directory, 'disk0.img')
  if (!existsSync(state)) {
    const unfinished = `${state}.new` // a killed mkfs leaves no disk that looks ready
    sparseFile(unfinished, vm.state ?? '4G')
    run('mkfs.ext4', ['-q', '-F', '-L', 'state', unfinished])
    renameSync(unfinished, state)
  }
  const data = (vm.disks ?? []).map((disk, position) => {
    const file = dataFile(directory, position)
    if (!existsSync(file)) sparseFile(file, typeof disk === 'string' ? disk : disk.size)
    return isVolatile(disk) ? behindCache(file) : direct(file)
  })
  return [direct(state), ...data]
}

/** Ends the processes that hold write caches; what was not flushed is lost. */
export const dropCaches = (directory: string, vm: VmSpec): void => {
  for (const position of (vm.disks ?? []).keys()) {
    const file = dataFile(directory, position)
    const pid = ownProcess(`${file}.pid`, `${file}.sock`)
    if (pid !== undefined) kill(pid)
    rmSync(`${file}.pid`, { force: true })
  }
}
