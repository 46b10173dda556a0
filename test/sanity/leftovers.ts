// Finds what a csi-sanity run left behind below its work directory, and removes it.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

export interface LoopDevice {
  device: string
  backing: string
}

const isBelow = (path: string, directory: string): boolean => path === directory || path.startsWith(`${directory}/`)

// proc(5): space, tab, newline and backslash stand as three octal digits in mountinfo.
const decodeOctal = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))

/** Mount points below the directory, in the order they were mounted; text is that of /proc/self/mountinfo. */
export const parseMounts = (text: string, directory: string): string[] =>
  text
    .split('\n')
    .flatMap(line => line.split(' ')[4] ?? [])
    .map(decodeOctal)
    .filter(point => isBelow(point, directory))

/** Loop devices backed by a file below the directory; text is that of losetup --list -n -O NAME,BACK-FILE. */
export const parseLoops = (text: string, directory: string): LoopDevice[] =>
  text.split('\n').flatMap(line => {
    const match = /^(\S+)\s+(\S.*)$/.exec(line.trim())
    const [, device = '', backing = ''] = match ?? []
    return match !== null && isBelow(backing, directory) ? [{ device, backing }] : []
  })

export const findMounts = (directory: string): string[] =>
  parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'), directory)

export const findLoops = (directory: string): LoopDevice[] => {
  const list = spawnSync('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE'], { encoding: 'utf8' })
  if (list.status !== 0) throw new Error(`losetup --list failed: ${list.stderr}`)
  return parseLoops(list.stdout, directory)
}

/** Every file below the directory, as sorted relative paths. */
export const listFiles = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => !entry.isDirectory())
    .map(entry => relative(directory, join(entry.parentPath, entry.name)))
    .sort()

/** Unmounts and detaches everything below the directory; returns what could not be removed. */
export const removeLeftovers = (directory: string): string[] => {
  const problems: string[] = []
  const run = (command: string, args: string[]): boolean => {
    const done = spawnSync(command, args, { encoding: 'utf8' })
    if (done.status !== 0) problems.push(`${command} ${args.join(' ')}: ${done.stderr.trim()}`)
    return done.status === 0
  }
  for (const point of findMounts(directory).reverse()) {
    if (!run('umount', [point])) run('umount', ['--lazy', point])
  }
  for (const { device } of findLoops(directory)) run('losetup', ['--detach', device])
  return problems
}
