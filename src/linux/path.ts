// Staging and target paths, touched by short-lived children only: a path below a dead mount hangs whoever looks at it.
import { randomUUID } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import type { FileFacts, Host } from '../host/host.ts'
import { CommandFailed, EffectMissing, InvalidRequest, Unavailable, VolumeInUse } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'

export type PathKind = 'absent' | 'directory' | 'file' | 'other'

const TOUCH_MS = 10_000

/**
 * The paths as the kernel will show them: symbolic links above the last element resolved (/var/lib/kubelet is often one),
 * the last element untouched. What does not exist stays as it is.
 */
export async function resolveParents(host: Host, paths: readonly string[], op: Op): Promise<string[]> {
  const { stdout } = await host.run(
    {
      file: 'realpath',
      args: ['--canonicalize-missing', '--', ...paths.map(path => dirname(path))],
      timeoutMs: TOUCH_MS,
      onAbort: 'kill',
    },
    op,
  )
  const parents = stdout.split('\n').slice(0, -1) // it ends each line
  if (parents.length !== paths.length || !parents.every(parent => parent.startsWith('/')))
    throw lied(`resolve ${paths.join(', ')}`, 'realpath', stdout)
  return paths.map((path, n) => join(parents[n] ?? '', basename(path)))
}

/** A tool that answers what it cannot answer is not believed. */
function lied(asked: string, tool: string, stdout: string): EffectMissing {
  const next = 'check that it is the one of GNU coreutils or findutils'
  return new EffectMissing({ asked, found: `${tool} printed "${stdout.trim()}"`, next })
}

/** Never follows a symbolic link at the last element. */
export async function kindOf(host: Host, path: string, op: Op): Promise<PathKind> {
  const { code, stdout, stderr } = await host.run(
    { file: 'stat', args: ['--format', '%F', '--', path], okCodes: [0, 1], timeoutMs: TOUCH_MS, onAbort: 'kill' },
    op,
  )
  if (code === 1) {
    if (/No such file or directory|Not a directory/.test(stderr)) return 'absent'
    throw new Unavailable({ asked: `look at ${path}`, found: stderr.trim(), next: 'check what is mounted there' })
  }
  const kind = stdout.trim()
  if (kind === '') throw lied(`look at ${path}`, 'stat', stdout)
  if (kind === 'directory') return 'directory'
  return kind === 'regular file' || kind === 'regular empty file' ? 'file' : 'other'
}

/** Makes the directory that a filesystem is mounted on. */
export async function ensureDirectory(host: Host, path: string, op: Op): Promise<void> {
  await ensureKind(host, path, 'directory', ['mkdir', '--mode=0750', '--', path], op)
}

/** Makes the file that a device node is bound to. */
export async function ensureFile(host: Host, path: string, op: Op): Promise<void> {
  // conv=excl: O_EXCL follows no symbolic link that appears between the look and the creation.
  await ensureKind(host, path, 'file', ['dd', 'if=/dev/null', `of=${path}`, 'conv=excl', 'status=none'], op)
}

async function ensureKind(
  host: Host,
  path: string,
  wanted: 'directory' | 'file',
  [file = '', ...args]: string[],
  op: Op,
): Promise<void> {
  const found = await kindOf(host, path, op)
  if (found === wanted) return
  if (found !== 'absent') {
    throw new InvalidRequest({
      asked: `prepare ${path}`,
      found: `it exists and is not a ${wanted}`,
      next: 'remove it or choose another path',
    })
  }
  await host.run({ file, args, timeoutMs: TOUCH_MS, onAbort: 'finish' }, op)
  if ((await kindOf(host, path, op)) !== wanted)
    throw new EffectMissing({ asked: `prepare ${path}`, found: `it is no ${wanted}`, next: 'see the log; call again' })
}

/** Removes a mount point that nothing is mounted on any more: one empty directory or one file, never what is in it. */
export async function removeMountPoint(host: Host, path: string, op: Op): Promise<void> {
  const found = await kindOf(host, path, op)
  if (found === 'absent') return
  if (found === 'other')
    throw new VolumeInUse({
      asked: `remove ${path}`,
      found: 'it is neither a directory nor a file',
      next: 'remove it by hand',
    })
  const [file, ...args] = found === 'directory' ? ['rmdir', '--'] : ['unlink', '--']
  const { code, stderr } = await host.run(
    { file, args: [...args, path], okCodes: [0, 1], timeoutMs: TOUCH_MS, onAbort: 'finish' },
    op,
  )
  if (code !== 0)
    throw new VolumeInUse({
      asked: `remove ${path}`,
      found: stderr.trim(),
      next: 'it holds files that are not the volume’s; look at them and remove them by hand',
    })
  if ((await kindOf(host, path, op)) !== 'absent')
    throw new EffectMissing({ asked: `remove ${path}`, found: 'it is still there', next: 'see the log; call again' })
}

/** Throws VolumeInUse when there is anything in the directory: a mount would hide it. */
export async function requireEmpty(host: Host, path: string, op: Op): Promise<void> {
  const found = await firstIn(host, path, [], op)
  if (found === '') return
  throw new VolumeInUse({
    asked: `mount at ${path}`,
    found: `the directory is not empty: there is ${found}`,
    next: 'look at it and move it away; a mount would hide it',
  })
}

export interface Ownership {
  readonly uid: string
  readonly gid: string
  /** Octal, without a leading 0. */
  readonly mode: string
}

/** The owner of the root folder of a filesystem in which nothing was ever made; undefined when something was. */
export async function ownershipOfEmptyRoot(host: Host, path: string, op: Op): Promise<Ownership | undefined> {
  if ((await firstIn(host, path, ['!', '-name', 'lost+found'], op)) !== '') return undefined
  const command = { file: 'stat', args: ['--format', '%u %g %a', '--', path], timeoutMs: TOUCH_MS } as const
  const { stdout } = await host.run({ ...command, onAbort: 'kill' }, op)
  const [, uid, gid, mode] = /^(\d+) (\d+) ([0-7]+)\n$/.exec(stdout) ?? []
  if (uid === undefined || gid === undefined || mode === undefined) throw lied(`look at ${path}`, 'stat', stdout)
  return { uid, gid, mode }
}

async function firstIn(host: Host, path: string, conditions: readonly string[], op: Op): Promise<string> {
  const args = [path, '-mindepth', '1', '-maxdepth', '1', ...conditions, '-print', '-quit']
  const { stdout } = await host.run({ file: 'find', args, timeoutMs: TOUCH_MS, onAbort: 'kill' }, op)
  if (stdout !== '' && !stdout.startsWith(`${path}/`)) throw lied(`look into ${path}`, 'find', stdout)
  return stdout.trim()
}

/** Gives the root folder of a new filesystem its owner and mode. */
export async function setOwnership(host: Host, path: string, { uid, gid, mode }: Ownership, op: Op): Promise<void> {
  const run = (file: string, what: string) =>
    host.run({ file, args: ['--', what, path], timeoutMs: TOUCH_MS, onAbort: 'finish' }, op)
  await run('chown', `${uid}:${gid}`)
  await run('chmod', mode)
}

/** A healthy filesystem answers in milliseconds, a slow one within a transaction. */
const WRITE_PROBE_MS = 2_000
/**
 * One more than NAME_MAX: the kernel first asks for the right to write (and waits for a thaw, or says that the filesystem
 * is read-only), and then refuses the name. So nothing can have it, and nothing is ever removed.
 */
const IMPOSSIBLE_NAME = 'ashlar-asks-whether-this-filesystem-takes-writes-'.padEnd(256, '-')

export type Writability = 'writable' | 'read-only'

/** Throws Unavailable when the filesystem does not answer: it is frozen, or the device below it is. */
export async function probeWrites(host: Host, path: string, op: Op): Promise<Writability> {
  const args = ['--', `${path}/${IMPOSSIBLE_NAME}`]
  try {
    const { stderr } = await host.run(
      { file: 'rmdir', args, okCodes: [1], timeoutMs: WRITE_PROBE_MS, onAbort: 'kill' },
      op,
    )
    return stderr.includes('Read-only file system') ? 'read-only' : 'writable'
  } catch (error) {
    if (!(error instanceof Unavailable || error instanceof CommandFailed)) throw error
    throw new Unavailable(
      {
        asked: `ask the filesystem at ${path} whether it takes writes`,
        found: 'it does not answer: it is frozen, or the device below it is',
        next: 'thaw it (fsfreeze --unfreeze), or bring the device back; processes that write to it wait meanwhile',
      },
      { cause: error },
    )
  }
}

/** Does the filesystem still look names up? One that xfs shut down after an error does not, and shows it nowhere else. */
export async function answersLookups(host: Host, path: string, op: Op): Promise<boolean> {
  // A new name each time: the kernel remembers those that it did not find.
  const args = ['--format', '%F', '--', `${path}/${randomUUID()}`]
  const { stderr } = await host.run(
    { file: 'stat', args, okCodes: [1], timeoutMs: WRITE_PROBE_MS, onAbort: 'kill' },
    op,
  )
  return !stderr.includes('Input/output error')
}

const SEARCH_MS = 30_000

/** Ids of the processes that have this file open, by its inode. */
export async function processesWithOpen(host: Host, { inode, device }: FileFacts, op: Op): Promise<string[]> {
  // Not -samefile: find has that file open itself.
  const same = ['-path', '/proc/[0-9]*/fd/*', '-inum', String(inode), '-printf', '%D %p\\n']
  const args = ['-L', '/proc', '-mindepth', '3', '-maxdepth', '3', ...same]
  // Processes come and go while it looks: then it says so with exit code 1, and goes on.
  const search = { file: 'find', args, okCodes: [0, 1], timeoutMs: SEARCH_MS, onAbort: 'kill' } as const
  const { stdout } = await host.run(search, op)
  const found = [...stdout.matchAll(/^(\d+) \/proc\/(\d+)\//gm)]
  return [...new Set(found.flatMap(([, on, id]) => (on === numberOf(device) && id !== undefined ? [id] : [])))]
}

/** A device number as stat(2) has it: makedev(3) of glibc. */
function numberOf(device: string): string {
  const [major = 0n, minor = 0n] = device.split(':').map(BigInt)
  return String(((major & 0xfffn) << 8n) | (minor & 0xffn) | ((minor & ~0xffn) << 12n) | ((major & ~0xfffn) << 32n))
}
