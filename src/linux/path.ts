// Staging and target paths, touched by short-lived children only: a path below a dead mount hangs whoever looks at it.
import { basename, dirname, join } from 'node:path'
import type { Host } from '../host/host.ts'
import { InvalidRequest, Unavailable, VolumeInUse } from '../volume/errors.ts'
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
  const parents = stdout.split('\n')
  return paths.map((path, n) => join(parents[n] ?? dirname(path), basename(path)))
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
}

/** Gives the root folder of a new filesystem its owner and mode. */
export async function setOwnership(
  host: Host,
  path: string,
  { uid, gid, mode }: { uid?: string; gid?: string; mode?: string },
  op: Op,
): Promise<void> {
  const run = (file: string, what: string) =>
    host.run({ file, args: ['--', what, path], timeoutMs: TOUCH_MS, onAbort: 'finish' }, op)
  if (uid !== undefined || gid !== undefined)
    await run('chown', gid === undefined ? (uid ?? '') : `${uid ?? ''}:${gid}`)
  if (mode !== undefined) await run('chmod', mode)
}
