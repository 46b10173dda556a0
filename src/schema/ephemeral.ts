// What a pod may ask for when it brings its own volume: pod authors are not trusted, so it is a size and a filesystem.
import type { Capability } from '../volume/capability.ts'
import { InvalidRequest } from '../volume/errors.ts'
import type { Bytes, Parameters } from '../volume/types.ts'
import { FOREIGN } from './parameters.ts'

/** Set by kubelet with podInfoOnMount, over whatever the pod wrote. */
const EPHEMERAL_KEY = 'csi.storage.k8s.io/ephemeral'

const UNITS = ['', 'Ki', 'Mi', 'Gi', 'Ti'] as const
/** As in Kubernetes, whole numbers with binary units only. */
const SIZE = /^([1-9]\d{0,14})(Ki|Mi|Gi|Ti)?$/

/** Options that can neither harm the node nor reach beyond the volume. kubelet itself asks for the SELinux label. */
const HARMLESS = /^(?:noatime|nodiratime|relatime|nosuid|nodev|noexec|nosymfollow|context="[A-Za-z0-9_.:,-]+")$/

export interface EphemeralWish {
  /** undefined: the driver chooses. */
  readonly size: Bytes | undefined
}

export function isEphemeral(volumeContext: Parameters): boolean {
  return volumeContext[EPHEMERAL_KEY] === 'true'
}

/** Throws InvalidRequest that names what is wrong. */
export function parseEphemeralWish(asked: string, volumeContext: Parameters, capability: Capability): EphemeralWish {
  const refuse = (found: string, next: string) => new InvalidRequest({ asked, found, next })
  const { size, ...others } = Object.fromEntries(Object.entries(volumeContext).filter(([key]) => !FOREIGN.test(key)))
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw refuse(
      `there is no attribute "${unknown}"`,
      'the only one in volumeAttributes is size; fsType is beside them',
    )
  const { access, mode, mountFlags } = capability
  if (access !== 'mount') throw refuse('it is asked for as a block device', 'ephemeral volumes are filesystems')
  if (!/^SINGLE_NODE_(?:SINGLE_|MULTI_)?WRITER$/.test(mode))
    throw refuse(`it is asked for as ${mode}`, 'an ephemeral volume belongs to one pod, which writes to it')
  const option = mountFlags.find(each => !HARMLESS.test(each))
  if (option !== undefined) throw refuse(`mount option "${option}" is not for pods to choose`, 'remove it')
  return { size: size === undefined ? undefined : parseSize(size, refuse) }
}

function parseSize(text: string, refuse: (found: string, next: string) => InvalidRequest): Bytes {
  const [, number, unit = ''] = SIZE.exec(text) ?? []
  if (number === undefined)
    throw refuse(`size "${text}" is not a size`, 'write a whole number with or without Ki, Mi, Gi, Ti, as 500Mi')
  return BigInt(number) * 1024n ** BigInt(UNITS.indexOf(unit as (typeof UNITS)[number]))
}
