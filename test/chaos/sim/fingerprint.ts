// The state of a machine as text that two machines share when no driver could tell them apart.
import { createHash } from 'node:crypto'
import { type Inode, pathOf, ZERO_PAGE } from './disk.ts'
import type { State } from './state.ts'
import type { FsImage } from './superblock.ts'

/** Without what only counts: inodes, sequence numbers, times, and the random names of drafts. */
export function fingerprint(state: State): string {
  const loops = [...state.loops.values()].map(({ file, minor: _minor, sequence: _sequence, size, ...rest }) => ({
    ...rest,
    size: String(size),
    path: file && pathOf(file),
  }))
  const mounts = state.mounts.map(({ id: _id, fs, ...rest }) => ({ ...rest, fs: fs && describeFs(fs) }))
  const lines: string[] = []
  describeTree(state.disk.root, '', lines)
  const text = JSON.stringify({ loops, mounts, lines, lingering: state.lingering, held: state.held })
  return createHash('sha256')
    .update(text.replaceAll(/\.[0-9a-f]{12}\b/g, '.*'))
    .digest('hex')
}

function describeFs({ pages: _pages, files, unwritten, size, ...rest }: FsImage): object {
  return { ...rest, size: String(size), files: [...files], unwritten: [...unwritten] }
}

function describeTree(inode: Inode, path: string, lines: string[]): void {
  if (path === '/srv') return // of strangers; whoever touches it is caught anyway
  const { kind, text, size, owner, mode, fs, blockData, pages } = inode
  const facts = [
    path,
    kind,
    text,
    size,
    owner,
    mode,
    fs && JSON.stringify(describeFs(fs)),
    JSON.stringify([...blockData]),
  ]
  const written = [...pages].sort(([a], [b]) => a - b).map(([n, page]) => `${n}${page === ZERO_PAGE ? '' : page}`)
  lines.push([...facts, written.join()].join('|'))
  for (const [name, below] of [...inode.entries].sort(([a], [b]) => (a < b ? -1 : 1)))
    describeTree(below, `${path}/${name}`, lines)
}
