// What ControllerModifyVolume changed of a volume of the file pool: one document beside the volume's own, replaced as a whole.
import { join } from 'node:path'
import type { HostFiles } from '../host/host.ts'
import { mutableParametersOf } from '../volume/mutable.ts'
import type { Parameters, Volume } from '../volume/types.ts'
import { encodeModified, parseModified } from './file-documents.ts'

const NAME = 'modified.json'

/** undefined as long as the volume is as it was created. */
export async function readModified(files: HostFiles, folder: string): Promise<Parameters | undefined> {
  const path = join(folder, NAME)
  const text = await files.read(path)
  return text === undefined ? undefined : parseModified(text, path)
}

/** The caller has the volume alone: what another one changed in between would be lost. False if all is so already. */
export async function writeModified(
  files: HostFiles,
  folder: string,
  volume: Volume,
  changes: Parameters,
): Promise<boolean> {
  const before = mutableParametersOf(volume)
  if (Object.entries(changes).every(([key, value]) => before[key] === value)) return false
  await files.replace(join(folder, NAME), encodeModified({ ...before, ...changes }))
  return true
}
