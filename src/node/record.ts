// What this node noted about a staged volume: hints to compare requests with, and the intent of an unfinished format.
import { basename, join } from 'node:path'
import type { Host } from '../host/host.ts'
import type { Capability, FsType } from '../volume/capability.ts'
import { Unavailable } from '../volume/errors.ts'
import { digest } from '../volume/ids.ts'
import type { VolumeId } from '../volume/types.ts'

export interface StageRecord {
  readonly id: VolumeId
  readonly stagingPath: string
  readonly capability: Capability
  /** Set before mkfs begins and cleared when the filesystem is proved: whoever finds it may finish the format. */
  readonly formatting?: { readonly fsType: FsType; readonly uuid: string }
  /** The filesystem is new, and its root folder has not got its owner and mode yet. */
  readonly rootPending?: boolean
}

export interface RecordStore {
  find(id: VolumeId): Promise<StageRecord | undefined>
  /** Durable before it returns. */
  write(record: StageRecord): Promise<void>
  remove(id: VolumeId): Promise<void>
}

const VERSION = 1

/** One file a volume, named by a digest: ids come from outside. */
export function openRecords(host: Host, folder: string): RecordStore {
  const pathOf = (id: VolumeId) => join(folder, `${digest(id)}.json`)
  return {
    async find(id) {
      const path = pathOf(id)
      const text = await host.files.read(path)
      return text === undefined ? undefined : parse(text, path)
    },
    async write(record) {
      await host.files.makeDirectory(folder)
      await host.files.replace(pathOf(record.id), `${JSON.stringify({ version: VERSION, record })}\n`)
    },
    async remove(id) {
      // With the drafts of it that a killed process left.
      const name = basename(pathOf(id))
      const own = ((await host.files.list(folder)) ?? []).filter(each => each.startsWith(name))
      for (const each of own) await host.files.removeFile(join(folder, each))
    },
  }
}

function parse(text: string, path: string): StageRecord {
  const complain = (found: string, cause?: unknown) =>
    new Unavailable(
      {
        asked: `read ${path}`,
        found,
        next: 'use the version of the driver that wrote it, or remove it when nothing is staged',
      },
      { cause },
    )
  try {
    const { version, record } = JSON.parse(text) as { version: unknown; record: StageRecord }
    if (version !== VERSION) throw complain(`its version is ${String(version)}, not ${VERSION}`)
    return record
  } catch (error) {
    if (error instanceof Unavailable) throw error
    throw complain('it is not JSON', error)
  }
}
