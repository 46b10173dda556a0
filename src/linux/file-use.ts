// Who uses a file: loop devices, processes, swap and LIO. For a file of a stranger, before it becomes a volume's.
import type { Host } from '../host/host.ts'
import { InvalidRequest } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import { loopsShowing } from './losetup.ts'
import { processesWithOpen } from './path.ts'

const BACKSTORES = '/sys/kernel/config/target/core'

/** In words; empty when nobody is seen. Compares inodes, not names, where the kernel tells. */
export async function usersOfFile(host: Host, path: string, op: Op): Promise<string[]> {
  const facts = await host.files.facts(path)
  if (!facts) throw new InvalidRequest({ asked: `use ${path}`, found: 'there is no such file', next: 'name a file' })
  const swaps = ((await host.files.read('/proc/swaps')) ?? '').split('\n').map(line => line.split(/\s+/)[0])
  return [
    ...(await loopsShowing(host, path, op)).map(device => `${device} is attached to it`),
    ...(await processesWithOpen(host, facts, op)).map(id => `process ${id} has it open`),
    ...(swaps.includes(path) ? ['it is swap space'] : []),
    ...((await isExported(host, path)) ? ['LIO exports it'] : []),
  ]
}

async function isExported({ files }: Host, path: string): Promise<boolean> {
  for (const group of ((await files.list(BACKSTORES)) ?? []).filter(name => name.startsWith('fileio_')))
    for (const name of (await files.list(`${BACKSTORES}/${group}`)) ?? [])
      if ((await files.read(`${BACKSTORES}/${group}/${name}/udev_path`))?.trim() === path) return true
  return false
}
