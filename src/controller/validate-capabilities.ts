// ValidateVolumeCapabilities: could this volume be used in these ways?
import { parseParameters } from '../schema/parameters.ts'
import { encodeTuning, parseTuning } from '../schema/tuning.ts'
import { type Capability, isCompatible, refusal } from '../volume/capability.ts'
import { DriverError } from '../volume/errors.ts'
import { firstRefusedOption } from '../volume/mount-options.ts'
import { mutableParametersOf } from '../volume/mutable.ts'
import type { Parameters, Volume, VolumeId } from '../volume/types.ts'
import { type ControllerSite, getVolume } from './site.ts'

/** CSI spec, ValidateVolumeCapabilities. Answers the reason against, or undefined: an unsupported capability is no error. */
export async function validateCapabilities(
  site: ControllerSite,
  id: VolumeId,
  capabilities: readonly Capability[],
  { parameters, mutableParameters }: { parameters: Parameters; mutableParameters: Parameters },
): Promise<string | undefined> {
  const { volume } = await getVolume(site, `validate the capabilities of ${id}`, id)
  for (const capability of capabilities) {
    const reason = refusal(capability)
    if (reason !== undefined) return reason
    if (!isCompatible(volume.capabilities, capability))
      return `the volume was not created for access type ${capability.access}`
    const option = firstRefusedOption(capability.mountFlags, capability.fsType ?? 'ext4')
    if (option !== undefined) return `mount option "${option}" is not allowed`
  }
  try {
    parseParameters('validate the parameters', parameters)
    return firstOther(volume, encodeTuning(parseTuning('validate the mutable parameters', mutableParameters)))
  } catch (error) {
    if (error instanceof DriverError) return error.message
    throw error
  }
}

function firstOther(volume: Volume, wanted: Parameters): string | undefined {
  const have = mutableParametersOf(volume)
  const other = Object.keys(wanted).find(key => have[key] !== wanted[key])
  return other === undefined ? undefined : `${other} is ${have[other] ?? 'not set'}, not ${wanted[other]}`
}
