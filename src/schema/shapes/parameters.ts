// StorageClass parameters: their names and the shapes of their values.
import type { JSONSchemaType } from 'ajv'
import { FS_TYPES, type FsType } from '../../volume/capability.ts'

/** All values are strings, as in a StorageClass. */
export interface StorageParameters {
  pool?: string
  transport?: string
  fsType?: FsType
  blockSize?: '1024' | '2048' | '4096'
  inodeSize?: '256' | '512' | '1024' | '2048'
  bytesPerInode?: string
  reservedPercent?: string
  reflink?: 'true' | 'false'
  mountPermissions?: string
  uid?: string
  gid?: string
}

const properties: JSONSchemaType<StorageParameters>['properties'] = {
  pool: { type: 'string', nullable: true },
  transport: { type: 'string', nullable: true },
  fsType: { type: 'string', enum: FS_TYPES, nullable: true },
  blockSize: { type: 'string', enum: ['1024', '2048', '4096'], nullable: true },
  inodeSize: { type: 'string', enum: ['256', '512', '1024', '2048'], nullable: true },
  bytesPerInode: { type: 'string', pattern: '^[1-9]\\d{3,7}$', nullable: true },
  reservedPercent: { type: 'string', pattern: '^([0-9]|[1-4][0-9]|50)$', nullable: true },
  reflink: { type: 'string', enum: ['true', 'false'], nullable: true },
  mountPermissions: { type: 'string', pattern: '^[0-7]{3,4}$', nullable: true },
  uid: { type: 'string', pattern: '^(0|[1-9]\\d{0,9})$', nullable: true },
  gid: { type: 'string', pattern: '^(0|[1-9]\\d{0,9})$', nullable: true },
}

export const parametersSchema = { type: 'object', properties, additionalProperties: false } as const
