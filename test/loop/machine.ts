// What the kernel of the test machine shows below a work directory: mounts, loop devices, children; and how to clear it.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs'

/** How many of something a test makes: fewer where ASHLAR_TEST_SCALE says so, as in an emulated guest; never below four. */
export const scaled = (count: number): number =>
  Math.max(4, Math.round(count * Number(process.env['ASHLAR_TEST_SCALE'] ?? 1)))

export interface MountPoint {
  path: string
  /** The path within the mounted filesystem; `/loop0` for a bound device node. */
  root: string
  fsType: string
  options: string[]
}

export interface LoopDevice {
  /** /dev/loop0 */
  path: string
  backing: string
}

// proc(5): space, tab, newline and backslash stand as three octal digits in mountinfo.
const decode = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))

const isBelow = (path: string, directory: string): boolean => path === directory || path.startsWith(`${directory}/`)

/** Mounts at or below the directory, in the order they were made. */
export const mountsBelow = (directory: string): MountPoint[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap(line => {
      const [before = '', after = ''] = line.split(' - ', 2)
      const [, , , root = '', path = '', options = ''] = before.split(' ')
      return [
        { path: decode(path), root: decode(root), fsType: after.split(' ')[0] ?? '', options: options.split(',') },
      ]
    })
    .filter(mount => isBelow(mount.path, directory))

export const mountsAt = (path: string): MountPoint[] => mountsBelow(path).filter(mount => mount.path === path)

const allLoops = (): LoopDevice[] =>
  readdirSync('/sys/block')
    .filter(name => /^loop\d+$/.test(name))
    .flatMap(name => {
      const backing = backingOf(`/dev/${name}`)
      return backing === undefined ? [] : [{ path: `/dev/${name}`, backing }]
    })

/** The backing file as the kernel prints it; undefined when the loop device is not bound. */
export const backingOf = (device: string): string | undefined => {
  try {
    const text = readFileSync(`/sys/block/${device.slice('/dev/'.length)}/loop/backing_file`, 'utf8').trim()
    return text === '' ? undefined : text
  } catch {
    return undefined // never bound, or just gone
  }
}

/**
 * Attaches a file to the highest number that is free. Whoever asks for any device gets the lowest: between a detach and
 * an attach by this number nobody else takes it.
 */
export const attachHigh = (file: string): string => {
  const numbers = readdirSync('/sys/block').flatMap(name => /^loop(\d+)$/.exec(name)?.[1] ?? [])
  for (const number of numbers.map(Number).sort((a, b) => b - a)) {
    const device = `/dev/loop${number}`
    if (spawnSync('losetup', ['--direct-io=on', device, file]).status === 0) return device
  }
  throw new Error('no loop device is free')
}

/** Loop devices backed by a file below the directory, and before them the views that are backed by such a device. */
export const loopsBelow = (directory: string): LoopDevice[] => {
  const all = allLoops()
  const direct = all.filter(loop => isBelow(loop.backing, directory))
  const views = all.filter(loop => direct.some(each => each.path === loop.backing.replace(/ \(deleted\)$/, '')))
  return [...views, ...direct]
}

/** What the program printed; throws, with what it complained of, when it fails. */
export const run = (file: string, ...args: string[]): string =>
  execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

/** Unmounts and detaches everything below the directory, whatever happened to it; answers what it found there. */
export const clear = (directory: string): string[] => {
  const mounts = mountsBelow(directory)
  const loops = loopsBelow(directory)
  for (const { path } of [...mounts].reverse()) {
    if (spawnSync('umount', ['--', path]).status !== 0) spawnSync('umount', ['--lazy', '--', path])
  }
  for (const { path } of loops) spawnSync('losetup', ['--detach', path])
  return [
    ...mounts.map(({ path, fsType }) => `mount ${path} (${fsType})`),
    ...loops.map(({ path, backing }) => `${path} backed by ${backing}`),
  ]
}

/** SHA-256 of a file or device, read in pieces: images are larger than what one buffer should hold. */
export const sha256 = (path: string): string => {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(4 * 1024 * 1024)
  const file = openSync(path, 'r')
  try {
    for (let n = readSync(file, buffer); n > 0; n = readSync(file, buffer)) hash.update(buffer.subarray(0, n))
  } finally {
    closeSync(file)
  }
  return hash.digest('hex')
}

/** Offsets at which two files of one length differ. */
export const differences = (a: string, b: string): number[] =>
  spawnSync('cmp', ['--verbose', a, b], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter(line => line !== '')
    .map(line => Number(line.trim().split(' ')[0]) - 1)

/** Writes bytes at offsets into an existing file or device, durably, and never lengthens it by truncation. */
export const poke = (path: string, ...pieces: [offset: number, bytes: Buffer | string][]): void => {
  const file = openSync(path, 'rs+')
  try {
    for (const [offset, bytes] of pieces) {
      const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
      writeSync(file, buffer, 0, buffer.length, offset)
    }
  } finally {
    closeSync(file)
  }
}

/** Bytes of a file or device; fewer at its end. */
export const peek = (path: string, offset: number, length: number): Buffer => {
  const buffer = Buffer.alloc(length)
  const file = openSync(path, 'r')
  try {
    return buffer.subarray(0, readSync(file, buffer, 0, length, offset))
  } finally {
    closeSync(file)
  }
}

const commandOf = (pid: string): string[] => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return [] // it has ended
  }
}

/** Process ids of a program that has this argument; the argument names a device or file of the test's own. */
export const findProcesses = (program: RegExp, argument: string): number[] =>
  readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => {
      const [file = '', ...args] = commandOf(pid)
      return program.test(file) && args.includes(argument)
    })
    .map(Number)

/** Can this process grow a mounted ext4? capabilities(7): CAP_SYS_RESOURCE is bit 24. */
export const hasSysResource = (): boolean => {
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  return ((BigInt(`0x${effective}`) >> 24n) & 1n) === 1n
}
