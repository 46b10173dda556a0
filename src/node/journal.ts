// The host journal: what this node is about to do, or did, with each volume; on the disk before the first side effect.
import { basename, join } from 'node:path'
import type { Host, HostFiles } from '../host/host.ts'
import { underLock } from '../linux/flock.ts'
import type { Tuning } from '../schema/shapes/tuning.ts'
import type { Capability } from '../volume/capability.ts'
import { Unavailable } from '../volume/errors.ts'
import { digest } from '../volume/ids.ts'
import type { Op } from '../volume/op.ts'
import type { VolumeId } from '../volume/types.ts'

/** One volume on this node, from the beginning of its stage to the end of its unstage. */
export interface Entry {
  readonly id: VolumeId
  readonly stagingPath: string
  readonly capability: Capability
  /** The filesystem is mounted read-only. */
  readonly readonly: boolean
  /** Begun and not seen to end; absent while the volume is staged and at rest. */
  readonly doing?: 'stage' | 'unstage'
  readonly targets: readonly Target[]
  /** It was staged, and a publish that was to stage it again got only as far as taking it away: the next one goes on. */
  readonly again?: true
  /** Why its filesystem is smaller than its device, in words: growth fails no mount, but shows in the volume's condition. */
  readonly growthFailure?: string
  /**
   * An ephemeral volume, whose target is its staging path. `begun`: no publish of it was ever answered, so no pod had it.
   * `published`: a pod may have data on it, also while it is mounted nowhere; only its unpublish removes it.
   */
  readonly ephemeral?: 'begun' | 'published'
  /** The mutable parameters that the last call brought, whether they are in effect or not. Absent: none. */
  readonly tuning?: Tuning
}

export interface Target {
  readonly path: string
  readonly readonly: boolean
  /** UID of the pod that the target is for, whose limits are the volume's. Absent: not known. */
  readonly pod?: string
  /** Begun and not seen to end; absent while the volume is published there and at rest. */
  readonly doing?: 'publish' | 'unpublish'
}

/** A file of the journal: an entry, or why it cannot be understood. */
export type Noted = { readonly path: string; readonly modified: Date } & (
  | { readonly entry: Entry }
  | { readonly unreadable: string }
  /** An entry that a killed process did not finish writing. */
  | { readonly draft: true }
)

export interface Journal {
  /** Every file of the journal. Changes nothing; what cannot be read is named, not thrown. */
  inventory(): Promise<Noted[]>
  find(id: VolumeId): Promise<Entry | undefined>
  /** Durable before it returns. */
  write(entry: Entry): Promise<void>
  remove(id: VolumeId): Promise<void>
  /** Runs the work while no other process of the driver on this host touches the volume. Throws OperationPending. */
  alone<T>(id: VolumeId, op: Op, work: () => Promise<T>): Promise<T>
}

/** Raised when an older driver would misread the entries: it refuses what it does not know. */
const VERSION = 2

/** One file a volume, named by a digest: ids come from outside. */
export function openJournal(host: Host, folder: string): Journal {
  const { files } = host
  const pathOf = (id: VolumeId) => join(folder, `${digest(id)}.json`)
  return {
    async inventory() {
      const names = ((await files.list(folder)) ?? []).filter(name => /^[0-9a-f]{64}\.json(\..+\.tmp)?$/.test(name))
      const found = await Promise.all(names.map(name => readNoted(files, join(folder, name))))
      return found.filter(each => each !== undefined)
    },
    async find(id) {
      const path = pathOf(id)
      const text = await files.read(path)
      return text === undefined ? undefined : parseEntry(text, path)
    },
    async write(entry) {
      await files.makeDirectory(folder)
      await files.replace(pathOf(entry.id), encodeEntry(entry))
    },
    async remove(id) {
      // With the drafts of it that a killed process left. The lock stays: another process may be waiting for it.
      const name = basename(pathOf(id))
      const own = ((await files.list(folder)) ?? []).filter(each => each.startsWith(name))
      for (const each of own) await files.removeFile(join(folder, each))
    },
    async alone(id, op, work) {
      // Of a volume that is not on this node nothing stays.
      const isKept = async () => (await files.read(pathOf(id))) !== undefined
      return await underLock(host, { path: join(folder, 'locks', digest(id)), isKept }, op, work)
    },
  }
}

/** undefined when it vanished meanwhile. */
async function readNoted(files: HostFiles, path: string): Promise<Noted | undefined> {
  const [text, facts] = await Promise.all([files.read(path), files.facts(path)])
  if (text === undefined || !facts) return undefined
  const { modified } = facts
  if (path.endsWith('.tmp')) return { path, modified, draft: true }
  try {
    return { path, modified, entry: parseEntry(text, path) }
  } catch (error) {
    if (error instanceof Unavailable) return { path, modified, unreadable: error.message }
    throw error
  }
}

export function encodeEntry(entry: Entry): string {
  return `${JSON.stringify({ version: VERSION, entry }, undefined, 2)}\n`
}

/** Throws Unavailable for what it cannot understand: an entry that was lost is not the same as one that was never made. */
export function parseEntry(text: string, path: string): Entry {
  const complain = (found: string, cause?: unknown) =>
    new Unavailable(
      {
        asked: `read ${path}`,
        found,
        next: 'use the version of the driver that wrote it, or remove it when nothing is staged',
      },
      { cause },
    )
  let document: { version?: unknown; entry?: Entry; record?: Entry } | null
  try {
    document = JSON.parse(text) as typeof document
  } catch (error) {
    throw complain('it is not JSON', error)
  }
  if (document?.version === VERSION && document.entry) return document.entry
  // Version 1 (0.1.0) knew neither targets nor intents: what it noted was at rest or begun, and a repeat settles which.
  if (document?.version === 1 && document.record) {
    const { id, stagingPath, capability } = document.record
    return { id, stagingPath, capability, readonly: false, targets: [] }
  }
  throw complain(`its version is ${String(document?.version)}, not ${VERSION}`)
}
