// Files on storage that may be dead: a call that hangs takes a thread with it, so each place gets only a few of them.
import { Unavailable } from '../volume/errors.ts'
import type { HostFiles, IsLate, TimelyFiles } from './host.ts'

/** A healthy disk under load answers well within this; beyond it the caller is told, and the call is left to itself. */
const PATIENCE_MS = 10_000
/** Calls that one place may have under way; the process has THREADS for all places together. */
const MOST_AT_ONCE = 4
/** libuv's default of 4 would be taken whole by one dead disk. Set before the first file call: see src/app/run.ts. */
export const THREADS = 64

const KERNEL = /^\/(?:proc|sys)\//
/** Taking an export away waits for its I/O, and so for the disk below it. */
const CONFIGFS = '/sys/kernel/config'

/**
 * Files of the kernel pass; any other path belongs to the longest of these roots that it lies in, or to the rest. A call
 * on a place whose calls all hang throws Unavailable, and so does one that hangs; other places do not notice. What hangs
 * goes on by itself; a file that it would create or replace then stays as it is.
 */
export function isolateFiles(files: TimelyFiles, roots: readonly string[], patienceMs = PATIENCE_MS): HostFiles {
  const longestFirst = [...roots, CONFIGFS].sort((a, b) => b.length - a.length)
  const places = new Map<string, Place>()
  const placeOf = (path: string): Place => {
    const root = longestFirst.find(each => path === each || path.startsWith(`${each}/`)) ?? '/'
    const place = places.get(root) ?? createPlace(root, patienceMs)
    places.set(root, place)
    return place
  }
  const at = async <R>(path: string, verb: string, work: (isLate?: IsLate) => Promise<R>): Promise<R> =>
    KERNEL.test(path) && !path.startsWith(CONFIGFS) ? await work() : await placeOf(path)(`${verb} ${path}`, work)
  const guard =
    <A extends [path: string, ...rest: unknown[]], R>(verb: string, work: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> =>
      at(args[0], verb, () => work(...args))
  return {
    read: guard('read', files.read),
    list: guard('list', files.list),
    facts: guard('look at', files.facts),
    space: guard('look for space in', files.space),
    createExclusive: (path, content) => at(path, 'create', isLate => files.createExclusive(path, content, isLate)),
    replace: (path, content) => at(path, 'write', isLate => files.replace(path, content, isLate)),
    write: guard('write', files.write),
    link: guard('link', files.link),
    readLink: guard('read', files.readLink),
    createSparse: guard('create', files.createSparse),
    makeDirectory: guard('make', files.makeDirectory),
    rename: guard('rename', files.rename),
    removeFile: guard('remove', files.removeFile),
    removeDirectory: guard('remove', files.removeDirectory),
  }
}

type Place = <T>(asked: string, work: (isLate: IsLate) => Promise<T>) => Promise<T>

function createPlace(root: string, patienceMs: number): Place {
  let running = 0
  let lastEnd = 0
  const waiting: (() => void)[] = []
  const leave = (): void => {
    running -= 1
    lastEnd = performance.now()
    waiting.shift()?.()
  }
  return async (asked, work) => {
    let begun = performance.now()
    let late = false
    let timer: NodeJS.Timeout | undefined
    const { promise: tooLate, reject } = Promise.withResolvers<never>()
    const giveUp = () => {
      // While the place answers others, whoever waits here waits for the calls before it, not for a dead disk.
      const left = Math.max(begun, isWaiting ? lastEnd : 0) + patienceMs - performance.now()
      if (left > 0) {
        timer = setTimeout(giveUp, left)
        return
      }
      late = true
      const found = `no answer from ${root} within ${patienceMs} ms`
      reject(new Unavailable({ asked, found, next: 'check the disk below it; it is probably gone' }))
    }
    let isWaiting = running >= MOST_AT_ONCE
    const turn = async () => {
      if (isWaiting) await new Promise<void>(start => waiting.push(start))
      isWaiting = false
      running += 1
      begun = performance.now()
      try {
        if (late) throw new Error('its caller has been told already')
        return await work(() => late)
      } finally {
        leave()
      }
    }
    timer = setTimeout(giveUp, patienceMs)
    try {
      return await Promise.race([turn(), tooLate])
    } finally {
      clearTimeout(timer)
    }
  }
}
