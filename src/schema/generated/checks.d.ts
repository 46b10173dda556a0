// Made by scripts/generate.ts.
import type { ValidateFunction } from 'ajv'
import type { Config } from '../shapes/config.ts'
import type { StorageParameters } from '../shapes/parameters.ts'
import type { Tuning } from '../shapes/tuning.ts'
export const config: ValidateFunction<Config>
export const parameters: ValidateFunction<StorageParameters>
export const tuning: ValidateFunction<Tuning>
