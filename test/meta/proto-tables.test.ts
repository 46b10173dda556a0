// The tables of the pipe say what proto/csi.proto says: which fields are required, and which are secret.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { REQUIRED_FIELDS } from '../../src/rpc/middleware/require-fields.ts'
import { SECRET_FIELDS } from '../../src/rpc/redact.ts'
import { readRequiredFields, readSecretFields } from './proto-facts.ts'

/**
 * Required by the proto, but their default value is a legal answer, so that nobody can tell it from an absent one; and what
 * must not be missed before it is known whether there is such a group.
 */
const UNTELLABLE = new Set([
  'ControllerPublishVolumeRequest.readonly',
  'NodePublishVolumeRequest.readonly',
  'DeleteVolumeGroupSnapshotRequest.snapshot_ids',
  'GetVolumeGroupSnapshotRequest.snapshot_ids',
  'GetMetadataAllocatedRequest.starting_offset',
  'GetMetadataDeltaRequest.starting_offset',
])

test('the required fields are those of the proto, for every request', () => {
  const used = new Set<string>()
  const ofProto = [...readRequiredFields()].flatMap(([message, fields]) => {
    const told = fields.filter(field => {
      if (UNTELLABLE.has(`${message}.${field}`)) used.add(`${message}.${field}`)
      return !UNTELLABLE.has(`${message}.${field}`)
    })
    return told.length > 0 ? [[message, told] as const] : []
  })
  const ofTable = Object.entries(REQUIRED_FIELDS).map(([method, fields]) => [`${method}Request`, [...fields]])
  assert.deepEqual(Object.fromEntries(ofTable), Object.fromEntries(ofProto))
  assert.deepEqual(used, UNTELLABLE, 'an exception that excepts nothing')
})

test('the secret fields are those of the proto', () => {
  const fields = readSecretFields()
  assert.ok(fields.length > 10)
  assert.deepEqual(new Set(fields.map(field => field.split('.').at(-1))), SECRET_FIELDS)
})
