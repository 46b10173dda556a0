// The mutable parameters of a volume: those that it was created with, until some were changed.
import type { Parameters, Volume } from './types.ts'

export function mutableParametersOf({ mutableParameters, modified }: Volume): Parameters {
  return modified ?? mutableParameters ?? {}
}
