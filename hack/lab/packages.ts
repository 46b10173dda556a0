// Installs Debian packages on the host and fetches those that only the guests see.
import { spawnSync } from 'node:child_process'
import { LabError } from './error.ts'
import { findCommand } from './processes.ts'

export type Log = (line: string) => void

/** Standard output of a program. Throws LabError with its complaint when it fails. */
export const run = (command: string, args: string[], cwd?: string): string => {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' }
  const result = spawnSync(findCommand(command) ?? command, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (result.status === 0) return result.stdout
  throw new LabError(`${command} ${args.join(' ')}: ${result.error?.message ?? result.stderr.trim()}`)
}

// Another apt may hold the locks for a while; only a part of its locks can be waited for (apt.conf: DPkg::Lock::Timeout).
const apt = (args: string[], cwd?: string): string =>
  run('apt-get', ['-q', '-y', '-o', 'DPkg::Lock::Timeout=120', ...args], cwd)

/** Runs `use`; when it fails, once more after apt-get update, for the lists may be missing or out of date. */
const withLists = <T>(log: Log, use: () => T): T => {
  try {
    return use()
  } catch {
    log('updating the package lists')
    run('apt-get', ['-q', 'update'])
    return use()
  }
}

/** Installs the packages (name to program) whose program is not there. */
export const installMissing = (packages: Record<string, string>, log: Log): void => {
  const missing = Object.entries(packages).flatMap(([name, command]) => (findCommand(command) ? [] : [name]))
  if (missing.length === 0) return
  log(`installing ${missing.join(' ')}`)
  withLists(log, () => apt(['install', '--no-install-recommends', ...missing]))
}

export const isInstalled = (name: string): boolean =>
  spawnSync('dpkg-query', ['-W', '-f', `\${db:Status-Status}`, name], { encoding: 'utf8' }).stdout === 'installed'

/**
 * Downloads into `directory` the kernel, the packages `always`, and what the host lacks of `packages` and their
 * dependencies (what the host has, the guests see). Returns the kernel's release.
 */
export const downloadPackages = (directory: string, always: string[], packages: string[], log: Log): string =>
  withLists(log, () => {
    const kernel = /Depends: linux-image-(\S+)/.exec(run('apt-cache', ['depends', 'linux-image-amd64']))?.[1]
    if (kernel === undefined) throw new LabError('apt knows no linux-image-amd64')
    log(`downloading linux-image-${kernel} and the guests' tools`)
    apt(['download', `linux-image-${kernel}`, ...always], directory)
    const archives = ['-o', `Dir::Cache::archives=${directory}`]
    apt(['install', '--download-only', '--no-install-recommends', ...archives, ...packages])
    return kernel
  })
