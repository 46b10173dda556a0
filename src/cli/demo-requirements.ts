// What the demo needs from the machine; found out without changing anything on it.
import { readFileSync } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Host } from '../host/host.ts'
import { DriverError } from '../volume/errors.ts'
import { type Op, SILENT } from '../volume/op.ts'
import type { Bytes } from '../volume/types.ts'
import { PARENT } from './demo-run.ts'
import { formatGib } from './terminal.ts'

const op: Op = { log: SILENT, signal: new AbortController().signal }
const LOOK_MS = 10_000

/** The bits of capabilities(7) that decide what can be shown. */
export const CAP_SYS_ADMIN = 21n
export const CAP_SYS_RESOURCE = 24n

/** The pool promises no more than it has, and a demo volume grows to 3 GiB. */
const ROOM: Bytes = 4n * 2n ** 30n

export async function hasCapability(host: Host, bit: bigint): Promise<boolean> {
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec((await host.files.read('/proc/self/status')) ?? '')?.[1]
  return ((BigInt(`0x${effective ?? '0'}`) >> bit) & 1n) === 1n
}

/** One sentence each: what is missing and what to do about it. Empty when the demo can run. */
export async function findMissing(host: Host): Promise<string[]> {
  if (process.getuid?.() !== 0) return ['not root: a CSI driver mounts filesystems; run the demo with sudo']
  if (!(await hasCapability(host, CAP_SYS_ADMIN)))
    return ['no CAP_SYS_ADMIN: root of this container may not mount; run the container privileged']
  const programs = await findMissingPrograms(host)
  if (programs.length > 0) return programs
  return [...(await findLoopProblem(host)), ...(await findFolderProblem(host))]
}

async function findMissingPrograms(host: Host): Promise<string[]> {
  const packages = JSON.parse(readFileSync(new URL('programs.json', import.meta.url), 'utf8')) as Record<string, string>
  // Asked through the host, so that the search goes where the driver's goes.
  const script = 'for each; do command -v "$each" >/dev/null || echo "$each"; done'
  const { stdout } = await host.run(
    { file: 'sh', args: ['-c', script, 'sh', ...Object.keys(packages)], timeoutMs: LOOK_MS, onAbort: 'kill' },
    op,
  )
  return describeMissing(stdout.split('\n').filter(Boolean), packages)
}

export function describeMissing(missing: readonly string[], packages: Readonly<Record<string, string>>): string[] {
  if (missing.length === 0) return []
  const owners = [...new Set(missing.map(program => packages[program] ?? program))]
  return [
    ...missing.map(program => `the program ${program} (Debian package ${packages[program] ?? 'unknown'})`),
    `install with: apt-get install ${owners.join(' ')}`,
  ]
}

async function findLoopProblem(host: Host): Promise<string[]> {
  if (!(await host.files.facts('/dev/loop-control')))
    return ['no loop devices (/dev/loop-control): run "modprobe loop", or in a container: run it privileged']
  try {
    // Answers the first free device and binds nothing.
    await host.run({ file: 'losetup', args: ['--find'], timeoutMs: LOOK_MS, onAbort: 'kill' }, op)
    return []
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return [`no usable loop device (${error.message}): in a container: run it privileged`]
  }
}

/** /var/tmp belongs to everybody: a folder that somebody else made is not the place for root to remove files in. */
async function findFolderProblem(host: Host): Promise<string[]> {
  const facts = await lstat(PARENT).catch(() => undefined)
  if (facts && (!facts.isDirectory() || facts.uid !== 0 || (facts.mode & 0o022) !== 0))
    return [`a folder of its own: ${PARENT} exists and is not root's alone; look at it and remove it`]
  const { available } = await host.files.space(dirname(PARENT))
  return available >= ROOM ? [] : [`${formatGib(ROOM)} of space in ${dirname(PARENT)}: it has ${formatGib(available)}`]
}
