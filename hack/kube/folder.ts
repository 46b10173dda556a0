// The work folder of a rig, which bears the id of its process: the next rig clears what a killed one left.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

const PREFIX = 'ashlar-kube-'
/** etcd of Debian 12 cannot be told not to flush; in memory a flush costs nothing. */
const MEMORY = '/dev/shm'

export interface Folders {
  readonly folder: string
  /** In memory where the machine has such a place. */
  readonly memory: string
}

/** Short: a socket path has at most 107 bytes. */
export function makeFolders(): Folders {
  const make = (place: string): string => mkdtempSync(join(place, `${PREFIX}${process.pid}-`))
  return { folder: make(tmpdir()), memory: make(existsSync(MEMORY) ? MEMORY : tmpdir()) }
}

/** Folders of processes that are gone, however they went. */
export function abandonedFolders(): string[] {
  return [...new Set([tmpdir(), MEMORY])].filter(existsSync).flatMap(place =>
    readdirSync(place)
      .filter(name => name.startsWith(PREFIX) && !isOwned(name))
      .map(name => join(place, name)),
  )
}

/** A process that happens to have got the number is none of ours unless it runs a rig's code. */
function isOwned(name: string): boolean {
  const pid = name.slice(PREFIX.length).split('-')[0] ?? ''
  return wordsOf(pid).some(word => /\.ts$/.test(word))
}

function wordsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return [] // it has ended
  }
}

export interface ProcessBelow {
  readonly pid: number
  readonly words: readonly string[]
}

/** Processes that were started with a path below the folder. */
export function processesBelow(folder: string): ProcessBelow[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(name => ({ pid: Number(name), words: wordsOf(name) }))
    .filter(({ words }) => words.some(word => word.includes(`${folder}/`)))
}

/** Ends them, by their ids. */
export function endProcessesBelow(folder: string): void {
  for (const { pid } of processesBelow(folder)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended meanwhile.
    }
  }
}

export function removeFolder(folder: string): void {
  if (!basename(folder).startsWith(PREFIX)) throw new Error(`${folder} is not the folder of a rig`)
  rmSync(folder, { recursive: true, force: true })
}
