// losetup, dd, xfs_io, blockdev, fallocate and the probers of the simulated machine.
import { create, firstData, type Inode, lookUp, readPage, readRange, writePage, ZERO_PAGE } from './disk.ts'
import {
  type Answer,
  type Call,
  done,
  failed,
  noDevice,
  openDevice,
  type Program,
  take,
  UnknownCommand,
} from './program.ts'
import { isLive, type Loop, type State, violate } from './state.ts'
import { PAGE, signaturesOf } from './superblock.ts'

export const STORAGE: Readonly<Record<string, Program>> = {
  losetup,
  dd,
  xfs_io: xfsIo,
  fallocate,
  blkid,
  wipefs,
  blockdev: ({ state, args }) => {
    const [path = ''] = take(args, /--flushbufs (\S+)/)
    return openDevice(state, path) ? done() : noDevice(path)
  },
}

function losetup(call: Call): Answer {
  const [first = ''] = call.args
  if (first === '--find') return attach(call)
  if (first === '--detach') return detach(call)
  if (first === '--set-capacity') {
    const [path = ''] = take(call.args, /--set-capacity (\S+)/)
    const device = openDevice(call.state, path)
    if (!device) return noDevice(path)
    device.loop.size = sizeBelow(call.state, device.loop)
    return done()
  }
  const [path = ''] = take(call.args, /--json --output BACK-INO,BACK-MAJ:MIN,OFFSET,SIZELIMIT (\S+)/)
  const device = openDevice(call.state, path)
  if (!device) return failed(1, `losetup: ${path}: failed to use device: No such device or address`)
  const row = { 'back-ino': device.file.ino, 'back-maj:min': '  8:1', offset: 0, sizelimit: 0 }
  return done(JSON.stringify({ loopdevices: [row] }))
}

function sizeBelow(state: State, { file, below }: Loop): bigint {
  return file?.size ?? state.loops.get(below ?? '')?.size ?? 0n
}

function attach({ state, args }: Call): Answer {
  const [noOverlap, , sectorSize, readonly, path = ''] = take(
    args,
    /--find --show( --nooverlap)?( --direct-io=on)? --sector-size (512|4096)( --read-only)? -- (\S+)/,
  )
  const below = /^\/dev\/(loop\d+)$/.exec(path)?.[1]
  const file = below === undefined ? lookUp(state.disk, path) : undefined
  if (below === undefined ? file?.kind !== 'file' : !state.loops.has(below))
    return failed(1, `losetup: ${path}: failed to set up loop device: No such file or directory`)
  const present = [...state.loops.values()].find(each => each.file !== undefined && each.file === file)
  if (present && noOverlap !== '') {
    if (present.readonly === (readonly !== '')) return done(`/dev/${present.kname}\n`)
    return failed(1, `losetup: ${path}: overlapping loop device exists`)
  }
  return done(`/dev/${addLoop(state, { file, below, readonly: readonly !== '', sectorSize: Number(sectorSize) })}\n`)
}

/** The name of the new device. */
function addLoop(state: State, rest: Pick<Loop, 'file' | 'below' | 'readonly' | 'sectorSize'>): string {
  let minor = 0
  while (state.loops.has(`loop${minor}`)) minor += 1
  const base = { kname: `loop${minor}`, minor, sequence: state.nextSequence, size: 0n, autoclear: false }
  const loop: Loop = { ...base, ...rest }
  loop.size = sizeBelow(state, loop)
  state.nextSequence += 1
  state.loops.set(loop.kname, loop)
  return loop.kname
}

export function attachFirstFree(state: State, file: Inode): string {
  return addLoop(state, { file, below: undefined, readonly: false, sectorSize: 512 })
}

/** Exit code 0 also while somebody has it open: then it goes with the last user. */
function detach({ state, args }: Call): Answer {
  const [kname = ''] = take(args, /--detach \/dev\/(loop\d+)/)
  const loop = state.loops.get(kname)
  if (!loop) return failed(1, `losetup: /dev/${kname}: detach failed: No such device or address`)
  const users = state.mounts.filter(mount => mount.kname === kname).map(mount => mount.path)
  if (users.length > 0) violate(state, `detach of /dev/${kname} beneath ${users.join(', ')}`)
  const isOpen = isLive(state, kname) || [...state.loops.values()].some(each => each.below === kname)
  if (isOpen) loop.autoclear = true
  else state.loops.delete(kname)
  return done()
}

const DD_KEYS = ['if', 'of', 'bs', 'count', 'skip', 'seek', 'iflag', 'oflag', 'conv', 'status']

function dd({ state, args, stdin }: Call): Answer {
  const given = new Map(args.map(arg => [arg.slice(0, arg.indexOf('=')), arg.slice(arg.indexOf('=') + 1)]))
  const unknown = [...given.keys()].filter(key => !DD_KEYS.includes(key))
  if (unknown.length > 0) throw new UnknownCommand(`dd with ${unknown.join()}`)
  const value = (key: string): string => given.get(key) ?? ''
  const flags = [value('iflag'), value('oflag'), value('conv')].flatMap(each => each.split(',')).filter(Boolean)
  const target = value('of')
  if (value('if') === '/dev/null' && flags.join() === 'excl') {
    if (lookUp(state.disk, target)) return failed(1, `dd: failed to open '${target}': File exists`)
    create(state.disk, target, 'file')
    return done()
  }
  const length = Number(value('bs')) * Number(value('count') || '1')
  if (target !== '') return write(state, { target, length, flags, at: value('seek') || '0', from: value('if'), stdin })
  const source = value('if')
  const offset = BigInt(value('skip') || '0') * (flags.includes('skip_bytes') ? 1n : BigInt(value('bs')))
  const device = openDevice(state, source)
  const file = device?.file ?? lookUp(state.disk, source)
  if (!file) return failed(1, `dd: failed to open '${source}': No such file or directory`)
  const size = device?.loop.size ?? file.size
  if (offset % BigInt(PAGE) !== 0n || length % PAGE !== 0) throw new UnknownCommand(`dd reads ${length} at ${offset}`)
  if (offset + BigInt(length) > size) return done(readRange(file, offset, Number(size - offset)))
  return done(readRange(file, offset, length))
}

interface Write {
  readonly target: string
  readonly length: number
  readonly flags: readonly string[]
  readonly at: string
  readonly from: string
  readonly stdin: string
}

function write(state: State, { target, length, flags, at, from, stdin }: Write): Answer {
  if (!flags.includes('notrunc')) throw new UnknownCommand(`dd to ${target} would truncate it`)
  const device = openDevice(state, target)
  const file = device?.file ?? lookUp(state.disk, target)
  if (!file) return failed(1, `dd: failed to open '${target}': No such file or directory`)
  if (device?.loop.readonly === true) return failed(1, `dd: error writing '${target}': Operation not permitted`)
  const offset = BigInt(at) * (flags.includes('seek_bytes') ? 1n : BigInt(length))
  const text = from === '/dev/zero' ? '\0'.repeat(length) : stdin
  if (offset % BigInt(PAGE) !== 0n || text.length !== length || length % PAGE !== 0)
    throw new UnknownCommand(`dd writes ${text.length} of ${length} bytes at ${offset}`)
  if (offset + BigInt(length) > (device?.loop.size ?? file.size)) return failed(1, 'dd: No space left on device')
  if (device && state.mounts.some(mount => mount.kname === device.loop.kname))
    violate(state, `dd wrote to ${target}, which is mounted`)
  for (let n = 0; n < length / PAGE; n += 1)
    writePage(state.disk, file, Number(offset) / PAGE + n, text.slice(n * PAGE, (n + 1) * PAGE), 'dd')
  return done()
}

function xfsIo({ state, args }: Call): Answer {
  const path = args.at(-1) ?? ''
  const device = openDevice(state, path)
  const file = device?.file ?? lookUp(state.disk, path)
  if (file?.kind !== 'file') return failed(1, `${path}: No such file or directory`)
  let stdout = ''
  for (let n = 0; n < args.length - 1; n += 1) {
    const arg = args[n] ?? ''
    if (arg === '-r' || arg === '-d') continue
    if (arg !== '-c') throw new UnknownCommand(`xfs_io ${arg}`)
    n += 1
    const command = args[n] ?? ''
    const [, zeroed] = /^pwrite -S 0 -b 4096 (\d+) 4096$/.exec(command) ?? []
    if (zeroed === undefined) stdout += xfsIoCommand(file, command)
    else if (args[0] === '-r') throw new UnknownCommand('xfs_io -r does not write')
    else {
      const isMounted = device && state.mounts.some(mount => mount.kname === device.loop.kname)
      if (isMounted === true) violate(state, `xfs_io wrote to ${path}, which is mounted`)
      writePage(state.disk, file, Number(zeroed) / PAGE, ZERO_PAGE, 'xfs_io')
      stdout += `wrote 4096/4096 bytes at offset ${zeroed}\n`
    }
  }
  return done(stdout)
}

function xfsIoCommand(file: Inode, command: string): string {
  if (command === 'fsync') return ''
  const [, from] = /^seek -d (\d+)$/.exec(command) ?? []
  if (from !== undefined) return `Whence\tResult\nDATA\t${firstData(file, BigInt(from)) ?? 'EOF'}\n`
  const [, offset] = /^pread -v -b 4096 (\d+) 4096$/.exec(command) ?? []
  if (offset === undefined) throw new UnknownCommand(`xfs_io -c "${command}"`)
  const page = readPage(file, Number(offset) / PAGE)
  return `${dump(Number(offset), page)}read 4096/4096 bytes at offset ${offset}\n4 KiB, 1 ops; 0.0000 sec\n`
}

const zeroDumps = new Map<number, string>()

/** "00001000:  00 00 53 ef ...  ..S.": sixteen bytes a line. */
function dump(offset: number, page: string): string {
  const known = page === ZERO_PAGE ? zeroDumps.get(offset) : undefined
  if (known !== undefined) return known
  const hex = Buffer.from(page, 'latin1').toString('hex')
  let text = ''
  for (let n = 0; n < PAGE; n += 16) {
    const bytes = hex.slice(n * 2, n * 2 + 32).replace(/../g, '$& ')
    text += `${(offset + n).toString(16).padStart(8, '0')}:  ${bytes} ................\n`
  }
  if (page === ZERO_PAGE) zeroDumps.set(offset, text)
  return text
}

/** Lengthens only, as the driver wants it; or gives all back. */
function fallocate({ state, args }: Call): Answer {
  if (args[0] === '--punch-hole') {
    const [, all = ''] = take(args, /--punch-hole --offset (0) --length \d+ -- (\S+)/)
    return punch(state, all)
  }
  const [offset = '', length = '', path = ''] = take(args, /--offset (\d+) --length (\d+) -- (\S+)/)
  const file = lookUp(state.disk, path)
  if (!file) return failed(1, `fallocate: cannot open ${path}: No such file or directory`)
  const end = BigInt(offset) + BigInt(length)
  if (end > file.size) file.size = end
  return done()
}

function punch(state: State, path: string): Answer {
  const file = lookUp(state.disk, path)
  if (!file) return failed(1, `fallocate: cannot open ${path}: No such file or directory`)
  const isPrecious = file.fs?.everMounted === true || file.blockData.size > 0
  if (isPrecious && !state.disk.doomed.has(file.ino)) violate(state, `${path} was emptied with the data in it`)
  const user = [...state.loops.values()].find(each => each.file === file)
  if (user) violate(state, `${path} was emptied below /dev/${user.kname}`)
  file.pages.clear()
  file.blockData.clear()
  file.fs = undefined
  return done()
}

function blkid({ state, args }: Call): Answer {
  const [path = ''] = take(args, /--probe --output export (\S+)/)
  const file = openDevice(state, path)?.file ?? lookUp(state.disk, path)
  if (file?.kind !== 'file') return failed(2, `blkid: error: ${path}: No such device or address`)
  const found = signaturesOf(readPage(file, 0))
  if (found.length > 1) return { code: 8, stdout: '', stderr: `${path}: ambivalent result` }
  const [one] = found
  if (!one) return { code: 2, stdout: '', stderr: '' }
  return done(`DEVNAME=${path}\nUUID=${one.uuid}\nBLOCK_SIZE=4096\nTYPE=${one.type}\nUSAGE=filesystem\n`)
}

function wipefs({ state, args }: Call): Answer {
  const [path = ''] = take(args, /--no-act --noheadings --output OFFSET,TYPE (\S+)/)
  const device = openDevice(state, path)
  if (!device) return noDevice(path)
  return done(
    signaturesOf(readPage(device.file, 0))
      .map(each => `0x0 ${each.type}\n`)
      .join(''),
  )
}
