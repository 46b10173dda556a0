// Runs of the demo: a work folder each, whose name says which process it belongs to, so that a dead one is recognised.
import { join } from 'node:path'
import type { Host } from '../host/host.ts'
import { isCode } from '../host/local-files.ts'
import { Unavailable } from '../volume/errors.ts'

/** Fixed, so that a demo finds what an earlier one left; /var/tmp survives a reboot, as loop files must. */
export const PARENT = '/var/tmp/ashlar-demo'

/** The identity of a process for all time: ids come back, together with a start time and a boot they do not. */
export interface Owner {
  /** First eight digits of /proc/sys/kernel/random/boot_id. */
  readonly boot: string
  readonly pid: number
  /** Clock ticks from the boot to the start of the process: proc(5), /proc/pid/stat, field 22. */
  readonly start: string
}

/** A name instead of a pid file: mkdir(2) makes it whole or not at all. */
export function encodeRunName({ boot, pid, start }: Owner): string {
  return `${boot}-${pid}-${start}`
}

/** undefined for what no demo has made. */
export function parseRunName(name: string): Owner | undefined {
  const [, boot, pid, start] = /^([0-9a-f]{8})-([1-9]\d*)-(\d+)$/.exec(name) ?? []
  return boot === undefined || start === undefined ? undefined : { boot, pid: Number(pid), start }
}

/** The start time of a process from /proc/pid/stat; undefined if it is dead, or a zombie that nobody has reaped yet. */
export function parseStart(stat: string | undefined): string | undefined {
  // The command's name stands in parentheses and may itself hold some.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

export type Verdict = 'foreign' | 'live' | 'dead'

/** `startNow` is the start time of the process that has the owner's pid now. */
export function judgeRun(owner: Owner | undefined, boot: string, startNow: string | undefined): Verdict {
  if (!owner) return 'foreign'
  return owner.boot === boot && owner.start === startNow ? 'live' : 'dead'
}

export async function readBoot(host: Host): Promise<string> {
  return ((await host.files.read('/proc/sys/kernel/random/boot_id')) ?? '').slice(0, 8)
}

export async function readStart(host: Host, pid: number): Promise<string | undefined> {
  try {
    return parseStart(await host.files.read(`/proc/${pid}/stat`))
  } catch (error) {
    if (isCode(error, 'ESRCH')) return undefined // it ended between open(2) and read(2)
    throw error
  }
}

/** Work folders of demos that are dead. */
export async function listDeadRuns(host: Host): Promise<string[]> {
  const boot = await readBoot(host)
  const dead: string[] = []
  for (const name of (await host.files.list(PARENT)) ?? []) {
    const owner = parseRunName(name)
    const verdict = judgeRun(owner, boot, owner && (await readStart(host, owner.pid)))
    if (verdict === 'dead') dead.push(join(PARENT, name))
  }
  return dead
}

/** Makes the work folder of this process. */
export async function createRun(host: Host): Promise<string> {
  const start = await readStart(host, process.pid)
  if (start === undefined)
    throw new Unavailable({ asked: 'look at this process', found: 'no /proc', next: 'mount /proc' })
  const work = join(PARENT, encodeRunName({ boot: await readBoot(host), pid: process.pid, start }))
  // Another demo may remove the empty parent in between.
  await host.files.makeDirectory(work)
  return work
}
