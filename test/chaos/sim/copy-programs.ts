// cp of the simulated machine, whose filesystem can clone files or not.
import { create, lookUp } from './disk.ts'
import { type Answer, type Call, done, failed, type Program, take } from './program.ts'
import { violate } from './state.ts'

export const COPIES: Readonly<Record<string, Program>> = { cp: call => copy(call) }

/** `share`: how much of it comes about before it is killed. */
export function copy({ state, args }: Call, share = 1): Answer {
  const [how = '', path = '', to = ''] = take(args, /--reflink=(always|never --sparse=always) -- (\S+) (\S+)/)
  const from = lookUp(state.disk, path)
  if (!from) return failed(1, `cp: cannot stat '${path}': No such file or directory`)
  const isClone = how === 'always'
  if (isClone && !state.clones) return failed(1, `cp: failed to clone '${to}' from '${path}': Operation not supported`)
  const user = [...state.loops.values()].find(each => each.file === from)
  if (!isClone && user) violate(state, `${path} was copied byte by byte below /dev/${user.kname}`)
  const made = create(state.disk, to, 'file')
  const pages = [...from.pages]
  made.pages = new Map(pages.slice(0, Math.floor(pages.length * share)))
  made.size = share < 1 ? from.size / 2n : from.size
  made.fs = share < 1 ? undefined : from.fs && { ...structuredClone(from.fs), unwritten: new Map() }
  // Until somebody is told that it is the data of a volume.
  state.disk.doomed.add(made.ino)
  return done()
}
