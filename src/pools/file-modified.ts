// What ControllerModifyVolume changed of a volume of the file pool: one document beside the volume's own, replaced as a whole.
import { join } from 'node:path'
import type { HostFiles } from '../host/host.ts'
import { underLock } from '../linux/flock.ts'
import { mutableParametersOf } from '../volume/mutable.ts'
import type { Op } from '../volume/op.ts'
import type { Parameters, Volume, VolumeId } from '../volume/types.ts'
import { encodeModified, parseModified } from './file-documents.ts'
import { lockPath, type Place } from './file-place.ts'
import type { Pool } from './pool.ts'

const NAME = 'modified.json'

/** undefined as long as the volume is as it was created. */
export async function readModified(files: HostFiles, folder: string): Promise<Parameters | undefined> {
  const path = join(folder, NAME)
  const text = await files.read(path)
  return text === undefined ? undefined : parseModified(text, path)
}

export async function modifyVolume(
  place: Place,
  pool: Pick<Pool, 'get'>,
  { id, folder }: { id: VolumeId; folder: string },
  changes: Parameters,
  op: Op,
): Promise<Volume> {
  // Nobody keeps the lock's file: a volume on its way by a local transport is deleted without it.
  const wish = { path: lockPath(place, id), isKept: async () => false }
  return await underLock(place.host, wish, op, async () => {
    const volume = await pool.get(id)
    try {
      const isNew = await writeModified(place.host.files, folder, volume, changes)
      if (isNew) op.log.info({ volume: id, changes }, 'volume modified')
    } catch (error) {
      await pool.get(id) // deleted by another process in this instant
      throw error
    }
    return await pool.get(id)
  })
}

/** The caller has the volume alone: what another one changed in between would be lost. False if all is so already. */
async function writeModified(files: HostFiles, folder: string, volume: Volume, changes: Parameters): Promise<boolean> {
  const before = mutableParametersOf(volume)
  if (Object.entries(changes).every(([key, value]) => before[key] === value)) return false
  await files.replace(join(folder, NAME), encodeModified({ ...before, ...changes }))
  return true
}
