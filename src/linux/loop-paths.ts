// Where the file of a loop device lies, when the mounts of whoever attached it are gone.
import { basename, dirname, join } from 'node:path'
import type { Host } from '../host/host.ts'
import { parseKeptId } from '../volume/ids.ts'

const BACKING_FILE = /^\/sys\/block\/loop\d+\/loop\/backing_file$/

/**
 * The kernel shows a path by the mounts that the file was opened through (d_path). A container takes its mounts with it when
 * it ends, while the device stays: of /srv/pool/volumes/v/data, where /srv/pool was a mount of the container, it shows
 * /volumes/v/data from then on. The pool's name in the id says what is missing; that it is the file is proved by its inode.
 */
export function wholePath(shown: string, pools: Readonly<Record<string, { readonly path: string }>>): string {
  const pool = pools[parseKeptId(basename(dirname(shown)))?.pool ?? '']
  if (pool && !shown.startsWith(`${pool.path}/`) && dirname(dirname(dirname(shown))) === '/')
    return join(pool.path, shown)
  // A read-only view of a loop device, of a container that had the host's /dev as a mount.
  return /^\/loop\d+(?: \(deleted\))?$/.test(shown) ? join('/dev', shown) : shown
}

/** The same machine, but its loop devices show their files where they are. */
export function withWholePaths(host: Host, pools: Readonly<Record<string, { readonly path: string }>>): Host {
  const read: Host['files']['read'] = async path => {
    const text = await host.files.read(path)
    if (text === undefined || !BACKING_FILE.test(path)) return text
    return `${wholePath(text.replace(/\n$/, ''), pools)}\n`
  }
  return { ...host, files: { ...host.files, read } }
}
