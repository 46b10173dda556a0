// Keeps the guests' kernel and tools in the user's cache folder, one complete directory per set of inputs.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { cachePath } from '../cache.ts'
import { LabError } from './error.ts'
import { downloadPackages, installMissing, isInstalled, type Log } from './packages.ts'
import { isAlive, type ProcessId, readIfThere, thisProcess } from './processes.ts'

export interface GuestTree {
  /** Lower layer of the guests' root, above the host's root. */
  root: string
  /** ELF kernel. */
  kernel: string
  /** Kernel release, as uname -r prints it. */
  release: string
}

const HOST_PACKAGES = { 'qemu-system-x86': 'qemu-system-x86_64', e2fsprogs: 'mkfs.ext4', 'xz-utils': 'xz' }
const GUEST_PACKAGES = [
  'kmod',
  'iproute2',
  'udev',
  'e2fsprogs',
  'xfsprogs',
  'btrfs-progs',
  'open-iscsi',
  'tgt',
  'dmsetup',
  'lvm2',
  'thin-provisioning-tools',
]
// Even if the host has it, for the initramfs needs the static build.
const ALWAYS = ['busybox-static']
// Drivers for hardware no VM of the lab has: half the size of the modules.
const LEFT_OUT = ['gpu', 'media', 'infiniband', 'net/wireless', 'iio', 'hid', 'input', 'staging', 'usb', 'bluetooth']
  .map(name => `drivers/${name}`)
  .concat('sound')
const LAYOUT = 1

export const cacheFolder = (): string => {
  const folder = cachePath('lab')
  if (/[\s,]/.test(folder)) throw new LabError(`the cache folder must be free of blanks and commas: ${folder}`)
  return folder
}

const key = (): string => {
  // What the host has is not downloaded; when that changes, another tree is needed.
  const inherited = GUEST_PACKAGES.filter(isInstalled)
  const inputs = [LAYOUT, ALWAYS, GUEST_PACKAGES, LEFT_OUT, inherited]
  return createHash('sha256').update(JSON.stringify(inputs)).digest('hex').slice(0, 16)
}

const open = (directory: string): GuestTree => ({
  root: join(directory, 'root'),
  kernel: join(directory, 'vmlinux'),
  release: readFileSync(join(directory, 'release'), 'utf8').trim(),
})

/** The tree, built first when it is not there. A build appears under its name only when it is complete. */
export const ensureGuestTree = (log: Log): GuestTree => {
  installMissing(HOST_PACKAGES, log)
  const cache = cacheFolder()
  const target = join(cache, key())
  if (existsSync(target)) return open(target)
  mkdirSync(cache, { recursive: true })
  removeAbandonedBuilds(cache)
  const build = mkdtempSync(join(cache, 'building-'))
  try {
    writeFileSync(join(build, 'owner.json'), JSON.stringify(thisProcess()))
    fill(build, log)
    renameSync(build, target)
  } catch (error) {
    rmSync(build, { recursive: true, force: true })
    if (!existsSync(target)) throw error // else another build of the same tree was faster
  }
  return open(target)
}

const removeAbandonedBuilds = (cache: string): void => {
  for (const name of readdirSync(cache).filter(entry => entry.startsWith('building-'))) {
    const owner = readIfThere(join(cache, name, 'owner.json'))
    if (owner !== undefined && owner !== '' && !isAlive(JSON.parse(owner) as ProcessId)) {
      rmSync(join(cache, name), { recursive: true, force: true })
    }
  }
}

const fill = (build: string, log: Log): void => {
  const debs = join(build, 'debs')
  const root = join(build, 'root')
  mkdirSync(join(debs, 'partial'), { recursive: true })
  const release = downloadPackages(debs, ALWAYS, GUEST_PACKAGES, log)
  log('unpacking')
  // The same links as the host root has below (merged /usr), else directories would hide them.
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(join(root, 'usr', name), { recursive: true })
    symlinkSync(`usr/${name}`, join(root, name))
  }
  for (const name of readdirSync(debs)) if (name.endsWith('.deb')) unpack(join(debs, name), root, release)
  rmSync(debs, { recursive: true })

  depmod(root, release)
  writeFileSync(join(build, 'vmlinux'), uncompressKernel(readFileSync(join(root, 'boot', `vmlinuz-${release}`))))
  rmSync(join(root, 'boot'), { recursive: true })
  writeFileSync(join(build, 'release'), `${release}\n`)
}

const unpack = (deb: string, root: string, release: string): void => {
  const without = [`./usr/share/doc`, './usr/share/man', './usr/share/locale']
    .concat(LEFT_OUT.map(name => `./lib/modules/${release}/kernel/${name}`))
    .map(name => `--exclude=${name}`)
  const tar = spawnSync('dpkg-deb', ['--fsys-tarfile', deb], { maxBuffer: 1 << 30 })
  if (tar.status !== 0) throw new LabError(`dpkg-deb ${deb}: ${tar.stderr.toString()}`)
  const args = ['-x', '--keep-directory-symlink', '--anchored', ...without, '-C', root]
  const result = spawnSync('tar', args, { input: tar.stdout, encoding: 'utf8' })
  if (result.status !== 0) throw new LabError(`tar ${deb}: ${result.stderr}`)
}

// kmod's modprobe reads only the binary index that kmod's depmod writes (busybox writes the text one), and kmod goes by
// the name it was called with. The host may have no kmod: the guests' is run with the guests' libraries.
const depmod = (root: string, release: string): void => {
  const own = join(root, 'bin/kmod')
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu')
  const result = spawnSync(existsSync(own) ? own : '/bin/kmod', ['-b', root, release], {
    argv0: 'depmod',
    encoding: 'utf8',
    env: { ...process.env, LD_LIBRARY_PATH: libraries },
  })
  if (result.status !== 0) throw new LabError(`depmod: ${result.error?.message ?? result.stderr}`)
}

// The ELF kernel inside a bzImage: QEMU boots it directly (PVH), which saves emulating the decompressor.
const uncompressKernel = (image: Buffer): Buffer => {
  const start = image.indexOf(Buffer.from('fd377a585a00', 'hex')) // .xz magic
  if (start < 0) throw new LabError('the kernel image is not xz-compressed')
  const args = ['-dc', '--single-stream']
  const { stdout, status, stderr } = spawnSync('xz', args, { input: image.subarray(start), maxBuffer: 1 << 30 })
  if (status !== 0) throw new LabError(`xz: ${stderr.toString()}`)
  return stdout
}

/** Makes nbdkit available; only a disk with a volatile cache needs it. */
export const ensureNbdkit = (log: Log): void => installMissing({ nbdkit: 'nbdkit' }, log)
