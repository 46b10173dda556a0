// Programs that touch paths on the simulated machine: they see what is mounted there, as a process would.
import { dirname } from 'node:path'
import { create, lookUp, unlink } from './disk.ts'
import { type Answer, type Call, done, failed, openDevice, type Program, take, UnknownCommand } from './program.ts'
import type { Mount, State } from './state.ts'

export const PATHS: Readonly<Record<string, Program>> = {
  stat,
  realpath: ({ args }) => {
    const [, , ...paths] = args
    take(args.slice(0, 2), /--canonicalize-missing --/)
    return done(paths.map(path => `${path}\n`).join('')) // there are no symbolic links here
  },
  mkdir: ({ state, args }) => {
    const [path = ''] = take(args, /--mode=0750 -- (.+)/s)
    if (!lookUp(state.disk, dirname(path)))
      return failed(1, `mkdir: cannot create '${path}': No such file or directory`)
    if (lookUp(state.disk, path)) return failed(1, `mkdir: cannot create directory '${path}': File exists`)
    create(state.disk, path, 'directory')
    return done()
  },
  rmdir,
  find,
  unlink: ({ state, args }) => {
    const [path = ''] = take(args, /-- (.+)/s)
    const found = lookUp(state.disk, path)
    if (visibleAt(state, path)) return failed(1, `unlink: cannot unlink '${path}': Device or resource busy`)
    if (found?.kind !== 'file') return failed(1, `unlink: cannot unlink '${path}': No such file or directory`)
    unlink(state.disk, found)
    return done()
  },
  chown: call => setAttribute(call, /-- ([\w:]+) (.+)/s, 'owner'),
  chmod: call => setAttribute(call, /-- (\d+) (.+)/s, 'mode'),
}

function visibleAt(state: State, path: string): Mount | undefined {
  return state.mounts.filter(mount => mount.path === path).at(-1)
}

function stat({ state, args }: Call): Answer {
  if (args[0] === '--file-system') {
    const [path = ''] = take(args, /--file-system --format %S %b %f %a %c %d -- (.+)/s)
    const mounted = visibleAt(state, path)
    const size = mounted?.fs?.size ?? 1n << 40n
    if (!mounted && !lookUp(state.disk, path))
      return failed(1, `stat: cannot read file system information for '${path}'`)
    return done(`4096 ${size / 4096n} ${size / 8192n} ${size / 8192n} 65536 65525\n`)
  }
  if (args[1] === '%u %g %a') return statOwner(state, args)
  const [path = ''] = take(args, /--format %F -- (.+)/s)
  const mounted = visibleAt(state, path)
  if (mounted) return done(mounted.kind === 'node' ? 'block special file\n' : 'directory\n')
  if (openDevice(state, path)) return done('block special file\n')
  const found = lookUp(state.disk, path)
  if (!found) return failed(1, `stat: cannot statx '${path}': No such file or directory`)
  return done(found.kind === 'directory' ? 'directory\n' : 'regular empty file\n')
}

function statOwner(state: State, args: readonly string[]): Answer {
  const [path = ''] = take(args, /--format %u %g %a -- (.+)/s)
  const target = visibleAt(state, path)?.fs ?? lookUp(state.disk, path)
  if (!target) return failed(1, `stat: cannot statx '${path}': No such file or directory`)
  return done(`${target.owner.replace(':', ' ')} ${Number(target.mode)}\n`)
}

function find({ state, args }: Call): Answer {
  const [path = '', but] = take(args, /(.+) -mindepth 1 -maxdepth 1( ! -name lost\+found)? -print -quit/s)
  const fs = visibleAt(state, path)?.fs
  const folder = lookUp(state.disk, path)
  if (!folder) return failed(1, `find: '${path}': No such file or directory`)
  const own = fs?.type === 'ext4' ? ['lost+found'] : []
  const names = fs ? [...own, ...fs.files.keys(), ...fs.unwritten.keys()] : [...folder.entries.keys()]
  const [first] = names.filter(name => but === '' || name !== 'lost+found')
  return done(first === undefined ? '' : `${path}/${first}\n`)
}

function rmdir({ state, args }: Call): Answer {
  const [path = ''] = take(args, /(?:-- )?(.+)/s)
  const refuse = (why: string) => failed(1, `rmdir: failed to remove '${path}': ${why}`)
  const above = visibleAt(state, dirname(path))
  if (above) {
    if (!/\/.{256,}$/.test(path)) throw new UnknownCommand(`rmdir of ${path}, which is on a volume`)
    return refuse(above.superReadonly ? 'Read-only file system' : 'File name too long')
  }
  const found = lookUp(state.disk, path)
  if (visibleAt(state, path)) return refuse('Device or resource busy')
  if (found?.kind !== 'directory') return refuse(found ? 'Not a directory' : 'No such file or directory')
  if (found.entries.size > 0) return refuse('Directory not empty')
  unlink(state.disk, found)
  return done()
}

function setAttribute({ state, args }: Call, pattern: RegExp, key: 'owner' | 'mode'): Answer {
  const [value = '', path = ''] = take(args, pattern)
  const target = visibleAt(state, path)?.fs ?? lookUp(state.disk, path)
  if (!target) return failed(1, `cannot access '${path}': No such file or directory`)
  target[key] = value
  return done()
}
