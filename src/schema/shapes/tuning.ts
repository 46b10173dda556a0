// Mutable parameters: their names and the shapes of their values.
import type { JSONSchemaType } from 'ajv'

/** All values are strings, as in a VolumeAttributesClass. What is absent was never asked for, and is left as it is. */
export interface Tuning {
  /** Operations a second, or `none` for no limit. */
  readIops?: string
  writeIops?: string
  /** Bytes a second, or `none` for no limit. */
  readBytesPerSecond?: string
  writeBytesPerSecond?: string
  /** KiB that the kernel reads beyond what was asked for. */
  readAheadKiB?: string
  discard?: 'on' | 'off'
}

/** Below 2^32 - 1, which the kernel takes for no limit (block/blk-throttle.c). */
const IOPS = { type: 'string', pattern: '^(none|[1-9]\\d{0,8})$', nullable: true } as const
const BYTES = { type: 'string', pattern: '^(none|[1-9]\\d{0,14})$', nullable: true } as const

const properties: JSONSchemaType<Tuning>['properties'] = {
  readIops: IOPS,
  writeIops: IOPS,
  readBytesPerSecond: BYTES,
  writeBytesPerSecond: BYTES,
  readAheadKiB: { type: 'string', pattern: '^(0|[1-9]\\d{0,4})$', nullable: true },
  discard: { type: 'string', enum: ['on', 'off'], nullable: true },
}

export const tuningSchema = { type: 'object', properties, additionalProperties: false } as const
