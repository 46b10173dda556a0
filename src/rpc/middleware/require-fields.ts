// Refuses requests in which a field that the CSI spec requires is missing, before anything looks at them.
import { InvalidRequest } from '../../volume/errors.ts'
import type { Middleware } from '../call.ts'

/**
 * Proven against the REQUIRED comments of proto/csi.proto by a test. Left out: `readonly` and `starting_offset`, whose
 * default values false and 0 are legal answers; and the `snapshot_ids` of groups, which mean nothing for a group that is gone.
 */
export const REQUIRED_FIELDS: Readonly<Record<string, readonly string[]>> = {
  CreateVolume: ['name', 'volume_capabilities'],
  DeleteVolume: ['volume_id'],
  ControllerPublishVolume: ['volume_id', 'node_id', 'volume_capability'],
  ControllerUnpublishVolume: ['volume_id'],
  ValidateVolumeCapabilities: ['volume_id', 'volume_capabilities'],
  ControllerGetVolume: ['volume_id'],
  ControllerModifyVolume: ['volume_id', 'mutable_parameters'],
  ControllerExpandVolume: ['volume_id', 'capacity_range'],
  CreateSnapshot: ['source_volume_id', 'name'],
  DeleteSnapshot: ['snapshot_id'],
  GetSnapshot: ['snapshot_id'],
  NodeStageVolume: ['volume_id', 'staging_target_path', 'volume_capability'],
  NodeUnstageVolume: ['volume_id', 'staging_target_path'],
  NodePublishVolume: ['volume_id', 'target_path', 'volume_capability'],
  NodeUnpublishVolume: ['volume_id', 'target_path'],
  NodeGetVolumeStats: ['volume_id', 'volume_path'],
  NodeExpandVolume: ['volume_id', 'volume_path'],
  CreateVolumeGroupSnapshot: ['name', 'source_volume_ids'],
  DeleteVolumeGroupSnapshot: ['group_snapshot_id'],
  GetVolumeGroupSnapshot: ['group_snapshot_id'],
  GetMetadataAllocated: ['snapshot_id'],
  GetMetadataDelta: ['base_snapshot_id', 'target_snapshot_id'],
}

export const requireFields: Middleware = async (call, next) => {
  const missing = (REQUIRED_FIELDS[call.method] ?? []).filter(field => isAbsent(call.request[field]))
  if (missing.length > 0) {
    throw new InvalidRequest({
      asked: call.method,
      found: `missing ${missing.join(', ')}`,
      next: 'set what the CSI spec requires',
    })
  }
  return await next(call)
}

/** proto3 cannot tell unset from default. */
function isAbsent(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    value === '' ||
    (typeof value === 'object' && Object.keys(value).length === 0)
  )
}
