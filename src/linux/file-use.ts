// Who uses a file: loop devices, processes, swap and LIO. For a file of a stranger, before it becomes a volume's.
import type { Host } from '../host/host.ts'
import type { Op } from '../volume/op.ts'
import { listLoops } from './losetup.ts'

const LOOK_MS = 30_000
const BACKSTORES = '/sys/kernel/config/target/core'

/** In words; empty when nobody is seen. Compares inodes, not names. */
export async function usersOfFile(host: Host, path: string, op: Op): Promise<string[]> {
  const { stdout: loops } = await host.run(
    {
      file: 'losetup',
      args: ['--associated', path, '--noheadings', '--output', 'NAME'],
      timeoutMs: LOOK_MS,
      onAbort: 'kill',
    },
    op,
  )
  const facts = await host.files.facts(path)
  // Not -samefile: find has that file open itself.
  const same = ['-path', '/proc/[0-9]*/fd/*', '-inum', String(facts?.inode ?? 0)]
  const args = ['-L', '/proc', '-mindepth', '3', '-maxdepth', '3', ...same, '-printf', '%D %p\n']
  // Processes come and go while it looks: then it says so with exit code 1, and goes on.
  const wide = { file: 'find', args, okCodes: [0, 1], timeoutMs: LOOK_MS, onAbort: 'kill' } as const
  const { stdout: found } = await host.run(wide, op)
  const processes = new Set(
    [...found.matchAll(/^(\d+) \/proc\/(\d+)\//gm)].flatMap(([, device, id]) =>
      device === numberOf(facts?.device ?? '') ? [id] : [],
    ),
  )
  const bound = (await listLoops(host))
    .filter(({ backingFile }) => backingFile === path)
    .map(({ kname }) => `/dev/${kname}`)
  const swaps = (await host.files.read('/proc/swaps')) ?? ''
  return [...new Set([...loops.split('\n').map(line => line.trim()), ...bound].filter(Boolean))]
    .map(device => `${device} is attached to it`)
    .concat(
      [...processes].map(id => `process ${id} has it open`),
      swaps.split('\n').some(line => line.split(/\s+/)[0] === path) ? ['it is swap space'] : [],
      (await isExported(host, path)) ? ['LIO exports it'] : [],
    )
}

/** A device number as stat(2) has it: makedev(3) of glibc. */
function numberOf(device: string): string {
  const [major = 0n, minor = 0n] = device.split(':').map(BigInt)
  return String(((major & 0xfffn) << 8n) | (minor & 0xffn) | ((minor & ~0xffn) << 12n) | ((major & ~0xfffn) << 32n))
}

async function isExported({ files }: Host, path: string): Promise<boolean> {
  for (const group of ((await files.list(BACKSTORES)) ?? []).filter(name => name.startsWith('fileio_')))
    for (const name of (await files.list(`${BACKSTORES}/${group}`)) ?? [])
      if ((await files.read(`${BACKSTORES}/${group}/${name}/udev_path`))?.trim() === path) return true
  return false
}
