// mkfs, checks, growth, mount and umount of the simulated machine, with what the kernel refuses and what it allows.
import type { FsType } from '../../../src/volume/capability.ts'
import { lookUp, readPage, writePage, ZERO_PAGE } from './disk.ts'
import {
  type Answer,
  type Call,
  done,
  failed,
  noDevice,
  type OpenDevice,
  openDevice,
  type Program,
  take,
} from './program.ts'
import { fileOf, isLive, type Lingering, type Mount, type State, violate } from './state.ts'
import { type FsImage, mkfsSteps, newImage, signaturesOf, superblock } from './superblock.ts'

export const FILESYSTEMS: Readonly<Record<string, Program>> = {
  'mkfs.ext4': call => runMkfs(call, 'ext4'),
  'mkfs.xfs': call => runMkfs(call, 'xfs'),
  e2fsck,
  dumpe2fs,
  xfs_info: xfsInfo,
  resize2fs,
  xfs_growfs: xfsGrowfs,
  tune2fs: call => setUuid(call, /-U (\S+) (\S+)/, 'ext4'),
  xfs_admin: call => setUuid(call, /-U (\S+) (\S+)/, 'xfs'),
  mount,
  umount,
  sync,
  fsfreeze: ({ args }) => {
    take(args, /--unfreeze (.+)/s)
    return failed(1, 'fsfreeze: unfreeze failed: Invalid argument')
  },
}

/** How the driver's mark begins; one that is on a mounted volume would let a format begin again. */
const MARKER = 'ashlar: the format of this volume did not finish'
const EXT4_ARGUMENTS =
  /-q -U (\S+) -b \d+(?: -I \d+)?(?: -i \d+)? -m \d+ -O \S+ -E nodiscard,lazy_itable_init=1,lazy_journal_init=0 (\S+)/
const XFS_ARGUMENTS = /-q -K -m uuid=([^,]+),\S+ -i \S+(?: -b size=\d+)? (\S+)/

/** Steps: how many of its steps it gets to do; all when not given. */
export function runMkfs({ state, args }: Call, type: FsType, steps?: number): Answer {
  const [uuid = '', path = ''] = take(args, type === 'ext4' ? EXT4_ARGUMENTS : XFS_ARGUMENTS)
  const device = openDevice(state, path)
  if (!device) return noDevice(path)
  const { loop, file } = device
  if (isLive(state, loop.kname)) {
    violate(state, `mkfs.${type} ran on ${path}, which is mounted`)
    return failed(1, `${path} is mounted; will not make a filesystem here!`)
  }
  if (loop.readonly) return failed(1, `${path}: Read-only file system`)
  const [found] = signaturesOf(readPage(file, 0))
  if (type === 'xfs' && found) return failed(1, `mkfs.xfs: ${path} appears to contain an existing filesystem`)
  const precious = file.fs?.everMounted === true ? `a ${file.fs.type} that was mounted` : 'data'
  if ((file.fs?.everMounted === true || file.blockData.size > 0) && !state.disk.doomed.has(file.ino))
    violate(state, `mkfs.${type} ran on ${path}, which holds ${precious}`)
  file.fs = undefined
  writeSteps(state, device, type, uuid, steps)
  return done()
}

function writeSteps(state: State, { loop, file }: OpenDevice, type: FsType, uuid: string, steps?: number): void {
  const all = mkfsSteps(type, uuid, loop.size)
  for (const step of all.slice(0, steps ?? all.length)) {
    // A journal or a log is one stretch of zeros, and takes what was there before.
    for (const number of [...file.pages.keys()].filter(each => each >= step.log[0] && each < step.log[1]))
      writePage(state.disk, file, number, ZERO_PAGE, `mkfs.${type}`)
    for (const [number, page] of step.pages) writePage(state.disk, file, number, page, `mkfs.${type}`)
  }
  if (steps === undefined || steps >= all.length) file.fs = newImage(type, uuid, loop.size, all)
}

/** The rest of a mkfs that was half-way: it does not look again at what it began. */
export function finishMkfs(state: State, { kname, type, uuid }: Lingering['finish']): void {
  const device = openDevice(state, `/dev/${kname}`)
  if (!device) violate(state, `mkfs.${type} lost its device /dev/${kname}`)
  else writeSteps(state, device, type, uuid)
}

function wholeFilesystem({ file }: OpenDevice, type: FsType): FsImage | undefined {
  const [found] = signaturesOf(readPage(file, 0))
  return found?.type === type && !found.inProgress && file.fs?.type === type ? file.fs : undefined
}

function e2fsck({ state, args }: Call): Answer {
  const [path = ''] = take(args, /-f?p (\S+)/)
  const device = openDevice(state, path)
  if (!device) return failed(8, `e2fsck: No such file or directory while trying to open ${path}`)
  if (isLive(state, device.loop.kname)) violate(state, `e2fsck ran on ${path}, which is mounted`)
  const fs = wholeFilesystem(device, 'ext4')
  if (!fs) return failed(8, `${path}: Bad magic number in super-block`)
  fs.needsReplay = false
  return done(`${path}: clean\n`)
}

function dumpe2fs({ state, args }: Call): Answer {
  const [path = ''] = take(args, /-h (\S+)/)
  const device = openDevice(state, path)
  const fs = device && wholeFilesystem(device, 'ext4')
  if (!fs) return failed(1, `dumpe2fs: Bad magic number in super-block while trying to open ${path}`)
  const lines = [`Filesystem UUID:          ${fs.uuid}`, `Block count:              ${fs.size / 4096n}`]
  return done([...lines, 'Block size:               4096', 'Blocks per group:         32768', ''].join('\n'))
}

function filesystemAt(state: State, path: string): Mount | undefined {
  const visible = state.mounts.filter(mount => mount.path === path).at(-1)
  return visible?.kind === 'filesystem' ? visible : undefined
}

function xfsInfo({ state, args }: Call): Answer {
  const [path = ''] = take(args, /(\S+)/)
  const fs = filesystemAt(state, path)?.fs
  if (fs?.type !== 'xfs') return failed(1, `xfs_info: ${path}: Not a XFS mount point.`)
  return done(
    `meta-data=/dev/x isize=512\ndata     =                       bsize=4096   blocks=${fs.size / 4096n}, imaxpct=25\n`,
  )
}

function resize2fs({ state, args }: Call): Answer {
  const [path = ''] = take(args, /(\S+)/)
  const device = openDevice(state, path)
  const fs = device && wholeFilesystem(device, 'ext4')
  if (!fs) return failed(1, `resize2fs: Bad magic number in super-block while trying to open ${path}`)
  if (fs.size > device.loop.size) violate(state, `resize2fs would shrink ${path}`)
  fs.size = device.loop.size
  return done()
}

function xfsGrowfs({ state, args }: Call): Answer {
  const [path = ''] = take(args, /-d (\S+)/)
  const mounted = filesystemAt(state, path)
  const loop = state.loops.get(mounted?.kname ?? '')
  if (mounted?.fs?.type !== 'xfs' || !loop) return failed(1, `xfs_growfs: ${path} is not a mounted XFS filesystem`)
  mounted.fs.size = loop.size
  return done()
}

function setUuid({ state, args }: Call, pattern: RegExp, type: FsType): Answer {
  const [uuid = '', path = ''] = take(args, pattern)
  const device = openDevice(state, path)
  const fs = device && wholeFilesystem(device, type)
  if (!fs) return failed(1, `${path}: Bad magic number in super-block`)
  if (isLive(state, device.loop.kname)) violate(state, `the UUID of ${path} changed while it was mounted`)
  // xfs_admin refuses with exit code 0.
  if (fs.needsReplay) return type === 'xfs' ? done('The log needs to be replayed.\n') : failed(1, 'tune2fs: run e2fsck')
  fs.uuid = uuid
  fs.pages.set(0, superblock(type, uuid))
  device.file.pages.set(0, superblock(type, uuid))
  return done()
}

function mount(call: Call): Answer {
  const { state, args } = call
  if (args[0] === '--bind') {
    const [from = '', to = ''] = take(args, /--bind -- (\S+) (.+)/s)
    return bind(state, from, to)
  }
  if (args[1]?.startsWith('remount') === true) {
    const [path = ''] = take(args, /-o remount,bind,ro -- (.+)/s)
    const visible = state.mounts.filter(each => each.path === path).at(-1)
    if (!visible) return failed(32, `mount: ${path}: mount point not mounted or bad option.`)
    visible.options.splice(0, visible.options.length, 'ro', 'relatime')
    return done()
  }
  const [mode = '', type = '', options = '', device = '', path = ''] = take(
    args,
    /(-r|-w) -t (ext4|xfs)(?: -o (\S+))? -- (\S+) (.+)/s,
  )
  return mountDevice(state, { readonly: mode === '-r', type: type as FsType, options, device, path })
}

interface MountCall {
  readonly readonly: boolean
  readonly type: FsType
  readonly options: string
  readonly device: string
  readonly path: string
}

function mountDevice(state: State, { readonly, type, options, device: dev, path }: MountCall): Answer {
  const bad = `mount: ${path}: wrong fs type, bad option, bad superblock on ${dev}.`
  const device = openDevice(state, dev)
  if (!device) return failed(32, `mount: ${path}: special device ${dev} does not exist.`)
  const point = lookUp(state.disk, path)
  if (point?.kind !== 'directory') return failed(32, `mount: ${path}: mount point does not exist.`)
  const fs = wholeFilesystem(device, type)
  if (!fs || fs.size > device.loop.size) return failed(32, bad)
  if (device.loop.readonly && !readonly) return failed(32, `mount: ${path}: cannot mount ${dev} read-only.`)
  if (state.lingering.some(each => each.lock === dev))
    return failed(32, `mount: ${path}: ${dev} already mounted or busy.`)
  const twin = state.mounts.find(each => each.fs?.uuid === fs.uuid && each.kname !== device.loop.kname)
  if (twin && type === 'xfs' && !options.split(',').includes('nouuid')) return failed(32, bad)
  if (twin && twin.fs === fs) violate(state, `${dev} and /dev/${twin.kname} are mounted, and both are the same file`)
  const present = state.mounts.find(each => each.kname === device.loop.kname && each.kind === 'filesystem')
  if (present && present.superReadonly !== readonly)
    return failed(32, `mount: ${path}: ${dev} already mounted or busy.`)
  if ([...device.file.pages.values()].some(page => page.startsWith(MARKER)))
    violate(state, `${dev} was mounted while it bore the mark of an unfinished format`)
  fs.everMounted = true
  if (!readonly) fs.needsReplay = true
  put(state, path, { kind: 'filesystem', kname: device.loop.kname, fs, superReadonly: readonly, readonly })
  return done()
}

function put(
  state: State,
  path: string,
  { readonly, ...rest }: Pick<Mount, 'kind' | 'kname' | 'fs' | 'superReadonly'> & { readonly: boolean },
): void {
  const point = lookUp(state.disk, path)
  const wanted = state.places.get(path)
  const file = rest.kname === '' ? undefined : fileOf(state, rest.kname)
  if (state.mounts.some(each => each.path === path)) violate(state, `a mount at ${path} covers another`)
  if ((point?.entries.size ?? 0) > 0) violate(state, `a mount at ${path} covers what is in that folder`)
  if (rest.kind === 'folder') violate(state, `${path} shows a folder of the machine, and no volume`)
  else if (wanted === undefined) violate(state, `a mount at ${path}, where nobody asked for one`)
  else if (wanted !== (typeof wanted === 'string' ? file?.parent?.name : file?.ino))
    violate(state, `/dev/${rest.kname} was mounted at ${path}, and is another volume`)
  state.mounts.push({
    ...rest,
    id: state.nextMount,
    path,
    options: [readonly ? 'ro' : 'rw', 'relatime'],
    busy: false,
  })
  state.nextMount += 1
}

function bind(state: State, from: string, to: string): Answer {
  const point = lookUp(state.disk, to)
  const none = (path: string) => failed(32, `mount: ${to}: special device ${path} does not exist.`)
  if (!point) return failed(32, `mount: ${to}: mount point does not exist.`)
  const [, kname = ''] = /^\/dev\/(loop\d+)$/.exec(from) ?? []
  if (kname !== '') {
    if (!state.loops.has(kname)) return none(from)
    if (point.kind !== 'file') return failed(32, `mount: ${to}: mount point is not a file.`)
    put(state, to, { kind: 'node', kname, fs: undefined, superReadonly: false, readonly: false })
    return done()
  }
  if (point.kind !== 'directory') return failed(32, `mount: ${to}: mount point is not a directory.`)
  const source = state.mounts.filter(each => each.path === from).at(-1)
  if (!source && !lookUp(state.disk, from)) return none(from)
  const { kind, fs, superReadonly, options } = source ?? {
    kind: 'folder',
    fs: undefined,
    superReadonly: false,
    options: ['rw'],
  }
  put(state, to, { kind, kname: source?.kname ?? '', fs, superReadonly, readonly: options.includes('ro') })
  return done()
}

function umount({ state, args }: Call): Answer {
  const [path = ''] = take(args, /-- (.+)/s)
  const at = state.mounts.findLastIndex(each => each.path === path)
  const found = state.mounts[at]
  if (!found) return failed(32, `umount: ${path}: not mounted.`)
  if (found.busy) return failed(32, `umount: ${path}: target is busy.`)
  state.mounts.splice(at, 1)
  if (found.fs && !isLive(state, found.kname)) {
    writeBack(found.fs)
    if (!found.superReadonly) found.fs.needsReplay = false
  }
  releaseIfIdle(state, found.kname)
  return done()
}

function releaseIfIdle(state: State, kname: string): void {
  const loop = state.loops.get(kname)
  const isOpen = isLive(state, kname) || [...state.loops.values()].some(each => each.below === kname)
  if (loop?.autoclear === true && !isOpen) state.loops.delete(kname)
}

export function writeBack(fs: FsImage): void {
  for (const [name, text] of fs.unwritten) fs.files.set(name, text)
  fs.unwritten.clear()
}

function sync({ state, args }: Call): Answer {
  const [, path = ''] = take(args, /(--file-system )?-- (.+)/s)
  const fs = filesystemAt(state, path)?.fs
  if (fs) writeBack(fs)
  return fs || lookUp(state.disk, path) ? done() : failed(1, `sync: error opening '${path}': No such file or directory`)
}
