// Loop devices: attach a file or a device, prove what a loop device is backed by, detach it for certain.
import type { Command, Host } from '../host/host.ts'
import { CommandFailed, EffectMissing, Unavailable, VolumeInUse, WrongDevice } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import { type Device, findDevice, holdersOf, liveFilesystems, makeWritable } from './device.ts'
import { runLocked } from './flock.ts'
import { isMountOf, listMounts } from './mount.ts'
import { NotYet, waitFor } from './wait.ts'

export interface Loop {
  readonly kname: string
  /** As the kernel prints it: the present path of the file, with ` (deleted)` behind it once unlinked. */
  readonly backingFile: string
  /** It was detached while something had it open, and goes as soon as that closes it. */
  readonly isLeaving: boolean
}

export interface AttachRequest {
  /** A file, or a block device for a read-only view of it. */
  readonly path: string
  readonly readonly: boolean
  readonly sectorSize: number
  /** Others may have loop devices on it too; a second call then makes a second device. */
  readonly shared?: boolean
}

const LOSETUP_MS = 30_000
/** What the kernel appends to the path of an unlinked backing file (d_path, Documentation/filesystems/path-lookup). */
const DELETED = ' (deleted)'

/** Was the backing file removed? Then the device is the last way to its bytes. */
export function isUnlinked({ backingFile }: Pick<Loop, 'backingFile'>): boolean {
  return backingFile.endsWith(DELETED)
}

/** The path of the backing file, or the one that it had before it was removed. */
export function linkedPath(loop: Pick<Loop, 'backingFile'>): string {
  return isUnlinked(loop) ? loop.backingFile.slice(0, -DELETED.length) : loop.backingFile
}

/** All bound loop devices. */
export async function listLoops(host: Host): Promise<Loop[]> {
  const names = (await host.files.list('/sys/block'))?.filter(name => /^loop\d+$/.test(name)) ?? []
  const loops = await Promise.all(names.map(kname => findLoop(host, kname)))
  return loops.filter(loop => loop !== undefined)
}

/** undefined when the device is not bound. */
export async function findLoop(host: Host, kname: string): Promise<Loop | undefined> {
  const at = `/sys/block/${kname}/loop`
  const [file, autoclear] = await Promise.all(
    ['backing_file', 'autoclear'].map(name => host.files.read(`${at}/${name}`)),
  )
  const backingFile = file?.replace(/\n$/, '') ?? ''
  if (backingFile === '') return undefined
  return { kname, backingFile, isLeaving: autoclear?.trim() === '1' }
}

/** Paths of the loop devices on this file, by its inode, whatever name it had when they were attached. */
export async function loopsShowing(host: Host, path: string, op: Op): Promise<string[]> {
  const args = ['--associated', path, '--noheadings', '--output', 'NAME']
  const { stdout } = await host.run({ file: 'losetup', args, timeoutMs: LOSETUP_MS, onAbort: 'kill' }, op)
  const named = (await loopsBackedBy(host, path)).map(({ kname }) => `/dev/${kname}`)
  return [...new Set([...stdout.split('\n').map(line => line.trim()), ...named])].filter(Boolean)
}

/** Loop devices that show this path as their backing file, linked or not. */
export async function loopsBackedBy(host: Host, path: string): Promise<Loop[]> {
  return (await listLoops(host)).filter(loop => loop.backingFile === path || loop.backingFile === path + DELETED)
}

/**
 * Binds a loop device to the path and answers it; a second call answers the same device. The lock on the path makes
 * look-and-bind one step across processes: --nooverlap alone let 20 parallel calls make two devices for one file.
 */
export async function attachLoop(
  host: Host,
  { path, readonly, sectorSize, shared = false }: AttachRequest,
  op: Op,
): Promise<Device> {
  const asked = `attach ${path}`
  const run = (...directIo: string[]) => {
    const args = [
      '--find',
      '--show',
      ...(shared ? [] : ['--nooverlap']),
      ...directIo,
      '--sector-size',
      String(sectorSize),
    ]
    return runLocked(
      host,
      path,
      {
        file: 'losetup',
        args: [...args, ...(readonly ? ['--read-only'] : []), '--', path],
        timeoutMs: LOSETUP_MS,
        onAbort: 'finish',
      },
      op,
    )
  }
  const { stdout } = await orWithout(run, op)
  const kname = /^\/dev\/(loop\d+)\s*$/.exec(stdout)?.[1]
  const device = kname === undefined ? undefined : await findDevice(host, kname)
  if (!device) throw new EffectMissing({ asked, found: `losetup printed "${stdout.trim()}"`, next: 'see the log' })
  // The read-only flag that `blockdev --setro` sets belongs to the number, and outlives the detach of what had it before.
  return device.readonly && !readonly ? await makeWritable(host, device, op) : device
}

/** Direct I/O keeps a volume's data out of the page cache of the pool's filesystem; some filesystems cannot do it. */
async function orWithout<T>(run: (...directIo: string[]) => Promise<T>, op: Op): Promise<T> {
  try {
    return await run('--direct-io=on')
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    op.log.debug({ cause: error.message }, 'no direct I/O, attaching without')
    return await run()
  }
}

/** Makes a loop device see that its file has grown. */
export async function refreshLoopSize(host: Host, device: Device, op: Op): Promise<Device> {
  await host.run(
    { file: 'losetup', args: ['--set-capacity', device.path], timeoutMs: LOSETUP_MS, onAbort: 'finish' },
    op,
  )
  const refreshed = await findDevice(host, device.kname)
  if (!refreshed)
    throw new EffectMissing({
      asked: `refresh the size of ${device.path}`,
      found: 'the device is gone',
      next: 'call again',
    })
  return refreshed
}

/**
 * Proves that the device is backed by this very file: same path, same inode on the same filesystem, not unlinked,
 * from offset 0 without a size limit. Paths alone lie: after an unlink a new file may bear the name.
 */
export async function verifyLoop(host: Host, device: Device, path: string, op: Op): Promise<void> {
  const wrong = (found: string) =>
    new WrongDevice({
      asked: `use ${device.path} as ${path}`,
      found,
      next: 'nothing was written; detach the device by hand if nothing uses it',
    })
  const loop = await findLoop(host, device.kname)
  if (loop?.backingFile !== path) throw wrong(`it is backed by ${loop?.backingFile ?? 'nothing'}`)
  const file = await host.files.facts(path)
  if (!file) throw wrong('that file does not exist')
  const status = await readStatus(host, device, op)
  const { inode, onDevice, offset, sizeLimit } = status
  if (inode !== file.inode || !isSameFilesystem(onDevice, file.device)) {
    throw wrong(`it is backed by inode ${inode} on ${onDevice}, the file is inode ${file.inode} on ${file.device}`)
  }
  if (offset !== 0n || sizeLimit !== 0n) throw wrong(`it begins at ${offset} and is limited to ${sizeLimit} bytes`)
  if (file.kind === 'file' && device.size > file.size)
    throw wrong(`it has ${device.size} bytes, the file only ${file.size}`)
}

async function readStatus(host: Host, device: Device, op: Op) {
  const { stdout } = await host.run(
    {
      file: 'losetup',
      args: ['--json', '--output', 'BACK-INO,BACK-MAJ:MIN,OFFSET,SIZELIMIT', device.path],
      timeoutMs: LOSETUP_MS,
      onAbort: 'kill',
    },
    op,
  )
  const row = parseRow(stdout)
  const column = (name: string) => String(row[name] ?? '').trim()
  if (!['back-ino', 'offset', 'sizelimit'].every(name => /^\d+$/.test(column(name)))) {
    throw new Unavailable({
      asked: `read the status of ${device.path}`,
      found: `losetup printed "${stdout.trim()}"`,
      next: 'call again',
    })
  }
  return {
    inode: BigInt(column('back-ino')),
    onDevice: column('back-maj:min'),
    offset: BigInt(column('offset')),
    sizeLimit: BigInt(column('sizelimit')),
  }
}

/** Numbers in some versions of util-linux, padded strings in others; nothing for a device that has just gone. */
function parseRow(stdout: string): Readonly<Record<string, unknown>> {
  try {
    const { loopdevices } = JSON.parse(stdout) as { loopdevices?: Record<string, unknown>[] }
    return loopdevices?.[0] ?? {}
  } catch {
    return {}
  }
}

/** Filesystems without a device of their own (btrfs, overlay, tmpfs) report another number to stat(2) than to loop. */
function isSameFilesystem(a: string, b: string): boolean {
  return a === b || a.startsWith('0:') || b.startsWith('0:')
}

/** What keeps a loop device busy, in words; empty when it may be detached. */
export async function usersOf(host: Host, device: Device): Promise<string[]> {
  const [mounts, holders, loops] = await Promise.all([
    listMounts(host),
    holdersOf(host, device),
    loopsBackedBy(host, device.path),
  ])
  return [
    ...mounts.filter(mount => isMountOf(mount, device)).map(mount => `mounted at ${mount.path}`),
    ...holders.map(holder => `held by ${holder}`),
    ...loops.map(loop => `${loop.kname} is backed by it`),
  ]
}

/** Detaches for certain: exit code 0 of `losetup --detach` may only mean "as soon as the last user is gone". */
export async function detachLoop(host: Host, device: Device, op: Op): Promise<void> {
  const asked = `detach ${device.path}`
  const before = await findLoop(host, device.kname)
  if (!before) return
  if (isUnlinked(before)) {
    throw new VolumeInUse({
      asked,
      found: `it is the last way to the data of ${before.backingFile}`,
      next: `copy what is on ${device.path} elsewhere, then detach it by hand`,
    })
  }
  const users = await usersOf(host, device)
  if (users.length > 0)
    throw new VolumeInUse({ asked, found: users.join('; '), next: 'unpublish and unstage the volume first' })
  await waitFor(
    { asked, timeoutMs: 5_000 },
    async () => {
      // The last umount may return before the superblock is gone; one in another mount namespace keeps it for good.
      if ((await liveFilesystems(host, device)).length > 0)
        throw new NotYet('its filesystem is alive, perhaps mounted in another namespace')
    },
    op,
  )
  // Under the device's lock: a mkfs that outlived its driver must not lose its device.
  const detach: Command = {
    file: 'losetup',
    args: ['--detach', device.path],
    okCodes: [0, 1],
    timeoutMs: LOSETUP_MS,
    onAbort: 'finish',
  }
  await runLocked(host, device.path, detach, op)
  await waitFor(
    { asked, timeoutMs: 10_000 },
    async () => {
      const now = await findLoop(host, device.kname)
      if (now && now.backingFile === before.backingFile) throw new NotYet('something still has it open')
    },
    op,
  )
}
