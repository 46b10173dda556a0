// Which programs an image must hold: those that the flows of its roles run, by the sources. Run as a program, it prints them.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')
export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
export const FILES = { controller: 'Dockerfile.controller', node: 'Dockerfile.node' } as const
export type Image = keyof typeof FILES
export const IMAGES: readonly Image[] = ['controller', 'node']

/** In the image of which roles, by the folders whose flows they run. */
const FOLDERS: Readonly<Record<Image, readonly string[]>> = {
  controller: ['controller', 'pools', 'transports', 'doctor', 'host'],
  node: ['controller', 'node', 'pools', 'transports', 'doctor', 'host'],
}
/** Of Debian 12; what no list names is in every Debian: coreutils, findutils, dash. */
export const PACKAGES: Readonly<Record<string, string>> = {
  blkid: 'util-linux',
  blockdev: 'util-linux',
  fallocate: 'util-linux',
  flock: 'util-linux',
  fsfreeze: 'util-linux',
  nsenter: 'util-linux',
  wipefs: 'util-linux',
  losetup: 'mount',
  mount: 'mount',
  umount: 'mount',
  dumpe2fs: 'e2fsprogs',
  e2fsck: 'e2fsprogs',
  resize2fs: 'e2fsprogs',
  tune2fs: 'e2fsprogs',
  'mkfs.ext4': 'e2fsprogs',
  'mkfs.xfs': 'xfsprogs',
  xfs_admin: 'xfsprogs',
  xfs_growfs: 'xfsprogs',
  xfs_info: 'xfsprogs',
  xfs_io: 'xfsprogs',
  modprobe: 'kmod',
  ss: 'iproute2',
  ssh: 'openssh-client',
  tgtadm: 'tgt',
  ...Object.fromEntries(
    ['cp', 'dd', 'find', 'realpath', 'rmdir', 'sh', 'stat', 'sync', 'timeout', 'cat'].map(name => [name, '']),
  ),
}
/** Reached by the sources, and yet not run in that image. */
const NEVER: Readonly<Record<Image, Readonly<Record<string, string>>>> = {
  controller: {
    iscsiadm: 'nodes log in',
    nsenter: 'for iscsiadm',
  },
  node: {
    iscsiadm: 'the host’s own runs, in the host’s namespaces',
    ss: 'exports are the controller’s',
    ssh: 'the storage host is the controller’s',
    tgtadm: 'exports are the controller’s',
  },
}

const importsOf = (path: string): string[] =>
  [...read(path).matchAll(/^(?:import(?! type)|export)\s[^'"]*?from '(\.[^']+)'/gm)].map(([, target = '']) =>
    join(path, '..', target),
  )

function reachable(image: Image): Set<string> {
  const start = FOLDERS[image].flatMap(folder => globSync(`src/${folder}/**/*.ts`, { cwd: ROOT }))
  const seen = new Set<string>()
  const queue = start.filter(path => !path.endsWith('.test.ts') && !/(?:fake|index)\.ts$/.test(path))
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path) || !path.endsWith('.ts')) continue
    seen.add(path)
    queue.push(...importsOf(path))
  }
  return seen
}

/** What the files run, as they spell it. */
function programsIn(paths: Iterable<string>): string[] {
  const found = new Set<string>()
  for (const path of paths) {
    const text = read(path).replaceAll(/(^|\s)\/\/.*$/gm, '$1')
    for (const [, name = ''] of text.matchAll(/\bfile: '([a-z][\w.-]*)'/g)) found.add(name)
    if (/\bfile: `mkfs\.\$\{/.test(text)) for (const fs of ['ext4', 'xfs']) found.add(`mkfs.${fs}`)
    if (/const SSH = 'ssh'/.test(text)) found.add('ssh')
  }
  return [...found].sort()
}

/** What the image must hold. */
export function programsOf(image: Image): string[] {
  return programsIn(reachable(image)).filter(name => NEVER[image][name] === undefined)
}

if (import.meta.main) console.log(programsOf(process.argv[2] as Image).join('\n'))
