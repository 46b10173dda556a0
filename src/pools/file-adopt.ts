// A file of somebody else becomes the bytes of a volume: by rename(2), so no byte is copied, and none is lost on the way.
import { dirname, join } from 'node:path'
import type { HostFiles } from '../host/host.ts'
import { IncompatibleExists, InvalidRequest } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { VolumeSpec } from '../volume/types.ts'
import { encodeVolume, parseVolume } from './file-documents.ts'
import { inDraft, type Place } from './file-place.ts'
import { requireRoom } from './file-space.ts'

/**
 * The record first, the bytes last: a draft, which may be swept, never holds them, and a repeat goes on. `requireUnused`
 * is asked again when nobody can find the file under its old name any more; if it throws, the file goes back.
 */
export async function adoptFile(
  place: Place,
  spec: VolumeSpec,
  from: string,
  requireUnused: (path: string) => Promise<void>,
  op: Op,
): Promise<void> {
  const { files } = place.host
  const asked = `adopt ${from} as ${spec.id}`
  const [volume, file] = [join(place.root, 'volumes', spec.id), await files.facts(from)]
  const data = join(volume, 'data')
  const home = await files.facts(place.root)
  if (file?.kind !== 'file') throw new InvalidRequest({ asked, found: 'it is not a file', next: 'name a regular file' })
  if (file.device !== home?.device) {
    const next = `copy it there first: cp --reflink=auto --sparse=always -- ${from} ${join(place.root, 'NAME')}`
    throw new InvalidRequest({ asked, found: `it is not on the filesystem of pool ${place.name}`, next })
  }
  await requireUnused(from)
  if (!(await isBegun(files, volume, spec))) {
    await requireRoom(asked, place, file.size)
    const document = encodeVolume({ ...spec, createdSize: String(file.size) })
    await inDraft(place, spec.id, async draft => {
      await files.makeDirectory(join(draft, 'claims'))
      await files.createExclusive(join(draft, 'volume.json'), document)
      return await files.rename(draft, volume)
    })
  }
  // Another process may have made a volume of this name in this instant.
  if (!(await isBegun(files, volume, spec)) || (await files.facts(data)))
    throw new IncompatibleExists({ asked, found: `there is a volume ${spec.id} already`, next: 'choose another name' })
  await files.rename(from, data)
  try {
    await requireUnused(data)
  } catch (error) {
    // What somebody put there meanwhile must not be replaced: the bytes stay in the volume then, which is not used yet.
    if (!(await files.facts(from))) await files.rename(data, from)
    throw error
  }
  op.log.info({ volume: spec.id, from, folder: dirname(data) }, 'file adopted')
}

/** An earlier call made the record of this adoption, and was cut short before the bytes came. */
async function isBegun(files: HostFiles, volume: string, { name, adopted }: VolumeSpec): Promise<boolean> {
  const path = join(volume, 'volume.json')
  const text = await files.read(path)
  const record = text === undefined ? undefined : parseVolume(text, path)
  return record?.name === name && record.adopted?.from === adopted?.from && record.adopted !== undefined
}
