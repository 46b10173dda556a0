// What a layer needs from the machine, and the sentence that says what is missing.
import { spawnSync } from 'node:child_process'
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  rmdirSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { cachePath } from '../../hack/cache.ts'
import { helmBinary } from '../../hack/kube/chart.ts'

/** What scripts/setup can see to. */
export type Part = 'tools' | 'ssh' | 'go' | 'sanity' | 'helm' | 'kube' | 'images'

export type Requirement = 'root' | 'loop' | Part

const MIB = 1024 * 1024

/** The programs the driver runs; scripts/setup installs the packages that hold them. */
export const TOOLS: readonly string[] = [
  'losetup',
  'blkid',
  'wipefs',
  'mount',
  'umount',
  'blockdev',
  'mkfs.ext4',
  'e2fsck',
  'resize2fs',
  'dumpe2fs',
  'mkfs.xfs',
  'xfs_growfs',
  'xfs_info',
  'xfs_io',
]

/** Where scripts/setup puts csi-sanity; the version is in the name. */
export const sanityBinary = (): string => cachePath('bin', 'csi-sanity-v5.4.0')

/** Where scripts/setup puts Kubernetes' description of its API; the version is in the name. */
export const openApiFolder = (): string => cachePath('kubernetes-openapi-v1.36.3')

const onPath = (command: string): boolean =>
  [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'].some(directory => {
    try {
      accessSync(join(directory, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

// Only an attached device proves it: in a container the control device may exist and still refuse.
const attachLoop = (): string | undefined => {
  if (!onPath('losetup')) return 'losetup is missing: run scripts/setup tools'
  const directory = mkdtempSync(join(tmpdir(), 'ashlar-loop-check-'))
  const file = join(directory, 'image')
  try {
    writeFileSync(file, '')
    truncateSync(file, MIB)
    const attach = spawnSync('losetup', ['--find', '--show', file], { encoding: 'utf8' })
    if (attach.status !== 0) {
      const hint = existsSync('/dev/loop-control') ? 'in a container: run it privileged' : 'try "modprobe loop"'
      return `no usable loop device (${attach.stderr.trim()}); ${hint}`
    }
    const detach = spawnSync('losetup', ['--detach', attach.stdout.trim()], { encoding: 'utf8' })
    return detach.status === 0 ? undefined : `a loop device cannot be detached: ${detach.stderr.trim()}`
  } finally {
    unlinkSync(file)
    rmdirSync(directory)
  }
}

const CHECKS: Record<Requirement, () => string | undefined> = {
  root: () => (process.getuid?.() === 0 ? undefined : 'root is required: run it with sudo'),
  loop: attachLoop,
  tools: () => {
    const missing = TOOLS.filter(tool => !onPath(tool))
    return missing.length === 0 ? undefined : `missing programs: ${missing.join(', ')}: run scripts/setup tools`
  },
  ssh: () => (onPath('ssh') && onPath('sshd') ? undefined : 'ssh or sshd is missing: run scripts/setup ssh'),
  go: () => (onPath('go') ? undefined : 'the go command is missing: run scripts/setup go'),
  sanity: () => (existsSync(sanityBinary()) ? undefined : `${sanityBinary()} is missing: run scripts/setup sanity`),
  helm: () => {
    const missing = [helmBinary(), openApiFolder()].filter(path => !existsSync(path))
    return missing.length === 0 ? undefined : `${missing.join(', ')} missing: run scripts/setup helm`
  },
  images: () => {
    const missing = ['buildah', 'debootstrap', 'runc', 'setpriv'].filter(program => !onPath(program))
    return missing.length === 0 ? undefined : `missing programs: ${missing.join(', ')}: run scripts/setup images`
  },
  kube: () => {
    const programs = ['go', 'etcd', 'openssl', 'setpriv', 'unshare', 'containerd', 'ctr', 'runc', 'busybox', 'tar']
    const missing = programs.filter(program => !onPath(program))
    if (missing.length > 0) return `missing programs: ${missing.join(', ')}: run scripts/setup kube`
    return existsSync(helmBinary()) ? undefined : `${helmBinary()} is missing: it renders the chart`
  },
}

/** Says what the first unmet requirement is, or undefined when all are met. */
export const firstMissing = (needs: readonly Requirement[]): string | undefined => {
  for (const need of needs) {
    const missing = CHECKS[need]()
    if (missing !== undefined) return missing
  }
  return undefined
}
