// StorageClass parameters: what a user may write, and what of it travels to the node in the volume context.
import type { FsType } from '../volume/capability.ts'
import { InvalidRequest } from '../volume/errors.ts'
import type { Parameters } from '../volume/types.ts'
import { parameters as matches } from './generated/checks.js'
import { parametersSchema, type StorageParameters } from './shapes/parameters.ts'
import { validate } from './validate.ts'

/** Kubernetes puts facts about the claim and the secret references here; ours is only the filesystem type. */
const METADATA = 'csi.storage.k8s.io/'
const FS_TYPE_KEY = `${METADATA}fstype`
/** Added to every volume context by the provisioner and by kubelet. */
export const FOREIGN = /^(csi\.storage\.k8s\.io\/|storage\.kubernetes\.io\/)/

/** 2^32 - 1 means "leave as it is" to chown(2). */
const LARGEST_ID = 4_294_967_294

/** Of one filesystem only; the other has no such thing. */
const ONLY_FOR: Readonly<Record<string, FsType>> = { bytesPerInode: 'ext4', reservedPercent: 'ext4', reflink: 'xfs' }

/** Throws InvalidRequest that names each wrong key and what is allowed. */
export function parseParameters(asked: string, given: Parameters): StorageParameters {
  const own = Object.fromEntries(Object.entries(given).filter(([key]) => !key.startsWith(METADATA)))
  const fsType = given[FS_TYPE_KEY] ?? given['fstype']
  delete own['fstype'] // the legacy spelling, which the provisioner passes on
  const merged = fsType === undefined || fsType === '' || own['fsType'] !== undefined ? own : { ...own, fsType }
  const { problems, ...result } = validate(matches, merged)
  const found =
    problems.length > 0
      ? [...problems]
      : 'value' in result
        ? [...misplaced(result.value), ...tooLarge(result.value)]
        : []
  if (found.length > 0 || !('value' in result)) {
    throw new InvalidRequest({
      asked,
      found: found.join('; '),
      next: `the keys are ${Object.keys(parametersSchema.properties).join(', ')}, and ${FS_TYPE_KEY}`,
    })
  }
  return result.value
}

function misplaced(parameters: StorageParameters): string[] {
  const { fsType } = parameters
  return Object.entries(ONLY_FOR)
    .filter(([key, only]) => key in parameters && fsType !== undefined && fsType !== only)
    .map(([key, only]) => `${key} is for ${only}, the filesystem type is ${fsType}`)
}

function tooLarge({ uid, gid }: StorageParameters): string[] {
  return Object.entries({ uid, gid })
    .filter(([, value]) => Number(value) > LARGEST_ID)
    .map(([key]) => `${key} must be at most ${LARGEST_ID}`)
}

/** The parameters as they are stored and sent to the node: canonical, without metadata. */
export function encodeParameters(parameters: StorageParameters): Parameters {
  const entries = Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The reverse, on the node: keys that orchestrators add are ignored. */
export function parseVolumeContext(asked: string, context: Parameters): StorageParameters {
  return parseParameters(asked, Object.fromEntries(Object.entries(context).filter(([key]) => !FOREIGN.test(key))))
}
