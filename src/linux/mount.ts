// Mounts: what /proc/self/mountinfo shows, mount(8), bind mounts and umount(8).
import type { Host } from '../host/host.ts'
import { CommandFailed, EffectMissing, FilesystemUnfit, Unavailable, VolumeInUse } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Device } from './device.ts'

export interface Mount {
  /** MAJOR:MINOR of the filesystem; for a bound device node, that of devtmpfs. */
  readonly number: string
  /** The path within its filesystem that is mounted: `/`, or `/loop0` for a bound device node. */
  readonly root: string
  readonly path: string
  /** Options of this mount point. */
  readonly options: readonly string[]
  readonly fsType: string
  readonly source: string
  /** Options of the superblock, shared by all mounts of the filesystem. */
  readonly superOptions: readonly string[]
}

const MOUNT_MS = 90_000

/** One entry a line; paths carry octal escapes: proc(5), /proc/pid/mountinfo. */
export function parseMountinfo(text: string): Mount[] {
  return text
    .split('\n')
    .filter(line => line !== '')
    .flatMap(line => {
      const [before, after] = line.split(' - ', 2)
      const [, , number, root, path, options] = before?.split(' ') ?? []
      const [fsType, source, superOptions] = after?.split(' ') ?? []
      if (number === undefined || root === undefined || path === undefined || fsType === undefined) return []
      return {
        number,
        root: decode(root),
        path: decode(path),
        options: options?.split(',') ?? [],
        fsType,
        source: decode(source ?? ''),
        superOptions: superOptions?.split(',') ?? [],
      }
    })
}

function decode(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

export async function listMounts(host: Host): Promise<Mount[]> {
  const text = await host.files.read('/proc/self/mountinfo')
  if (text === undefined)
    throw new Unavailable({ asked: 'list the mounts', found: 'no /proc/self/mountinfo', next: 'mount /proc' })
  return parseMountinfo(text)
}

/** All mounts at exactly this path, the visible one last: later mounts cover earlier ones. */
export async function mountsAt(host: Host, path: string): Promise<Mount[]> {
  return (await listMounts(host)).filter(mount => mount.path === path)
}

export async function findMount(host: Host, path: string): Promise<Mount | undefined> {
  return (await mountsAt(host, path)).at(-1)
}

/** Is this a bound node of the device? The kernel shows devtmpfs as the filesystem and the node as the root. */
export function isNodeOf(mount: Mount, device: Device): boolean {
  return mount.fsType === 'devtmpfs' && mount.root === `/${device.kname}`
}

/** Is this the device's filesystem, or its bound node? */
export function isMountOf(mount: Mount, device: Device): boolean {
  return mount.number === device.number || isNodeOf(mount, device)
}

export function isReadOnly(mount: Mount): boolean {
  return mount.options.includes('ro') || mount.superOptions.includes('ro')
}

/** Options of the superblock by which the kernel shows that a filesystem stopped taking writes; new in Linux 6.x. */
const STOPPED = ['emergency_ro', 'shutdown']

/**
 * Why a filesystem that was mounted writable takes no writes any more, in words, as far as it shows without asking it.
 * Newer kernels keep an ext4 that met an error `rw` in name: then only its counter tells, which e2fsck resets.
 */
export async function whyStopped(host: Host, mount: Mount, device: Device): Promise<string | undefined> {
  const { superOptions } = mount
  if (superOptions.includes('ro')) return 'its filesystem was made read-only after an error'
  const state = STOPPED.find(option => superOptions.includes(option))
  if (state !== undefined) return `its filesystem stopped taking writes after an error (${state})`
  const errors = await errorsOf(host, device)
  if (errors === 0 || !superOptions.includes('errors=remount-ro')) return undefined
  return `its filesystem met ${errors} errors and takes no writes any more`
}

async function errorsOf(host: Host, { kname }: Device): Promise<number> {
  return Number((await host.files.read(`/sys/fs/ext4/${kname}/errors_count`))?.trim() ?? 0)
}

/** What the kernel reports of errors in a mounted filesystem, in words. */
export async function filesystemTroubles(host: Host, { superOptions }: Mount, device: Device): Promise<string[]> {
  const states = STOPPED.filter(option => superOptions.includes(option))
  const errors = await errorsOf(host, device)
  return [
    ...states.map(state => `its filesystem stopped taking writes after an error (${state}); see the kernel log`),
    ...(errors > 0 ? [`its filesystem has met ${errors} errors; unmount it and run e2fsck`] : []),
  ]
}

export interface MountRequest {
  readonly device: Device
  readonly path: string
  readonly fsType: string
  readonly options: readonly string[]
  readonly readonly: boolean
}

/** Mounts a filesystem and proves that the kernel did it as asked. */
export async function mountFilesystem(
  host: Host,
  { device, path, fsType, options, readonly }: MountRequest,
  op: Op,
): Promise<Mount> {
  // -w: without it mount(8) falls back to read-only with exit code 0 when the device is write-protected.
  const flags = [readonly ? '-r' : '-w', '-t', fsType, ...(options.length > 0 ? ['-o', options.join(',')] : [])]
  const asked = `mount ${device.path} at ${path}`
  try {
    await host.run(
      { file: 'mount', args: [...flags, '--', device.path, path], timeoutMs: MOUNT_MS, onAbort: 'finish' },
      op,
    )
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    throw new FilesystemUnfit(
      { asked, found: error.message, next: 'see the kernel log of the node; the data was not changed' },
      { cause: error },
    )
  }
  const mount = await findMount(host, path)
  if (!mount || mount.number !== device.number || mount.fsType !== fsType || isReadOnly(mount) !== readonly) {
    throw new EffectMissing({
      asked,
      found: mount ? `${mount.source} (${mount.fsType}, ${mount.options.join()}) is there` : 'nothing is mounted there',
      next: 'see the log',
    })
  }
  return mount
}

/** Binds a directory or a device node to a path that exists. */
export async function bindMount(host: Host, from: string, to: string, readonly: boolean, op: Op): Promise<void> {
  const run = (...args: string[]) => host.run({ file: 'mount', args, timeoutMs: MOUNT_MS, onAbort: 'finish' }, op)
  await run('--bind', '--', from, to)
  if (!readonly) return
  try {
    // Two steps, because util-linux before 2.39 makes bind,ro in two steps too, and hides when the second one fails.
    await run('-o', 'remount,bind,ro', '--', to)
    if ((await findMount(host, to))?.options.includes('ro') !== true) {
      throw new EffectMissing({ asked: `make ${to} read-only`, found: 'it is still writable', next: 'see the log' })
    }
  } catch (error) {
    await unmountAll(host, to, op)
    throw error
  }
}

/** Takes every mount off the path. Reads the kernel, not exit codes: umount answers 32 for busy and for not mounted. */
export async function unmountAll(host: Host, path: string, op: Op): Promise<void> {
  let left = (await mountsAt(host, path)).length
  while (left > 0) {
    const { stderr } = await host.run(
      { file: 'umount', args: ['--', path], okCodes: [0, 32], timeoutMs: MOUNT_MS, onAbort: 'finish' },
      op,
    )
    const now = (await mountsAt(host, path)).length
    if (now >= left) {
      throw new VolumeInUse({
        asked: `unmount ${path}`,
        found: stderr.trim() || 'it is still mounted',
        next: 'end the processes that use it and call again',
      })
    }
    left = now
  }
}
