// Original file: proto/csi.proto

import type { VolumeGroupSnapshot as _csi_v1_VolumeGroupSnapshot, VolumeGroupSnapshot__Output as _csi_v1_VolumeGroupSnapshot__Output } from '../../csi/v1/VolumeGroupSnapshot.ts';

export interface CreateVolumeGroupSnapshotResponse {
  /**
   * REQUIRED: the new group, or the one that already had this name
   */
  'group_snapshot'?: (_csi_v1_VolumeGroupSnapshot | null);
}

export interface CreateVolumeGroupSnapshotResponse__Output {
  /**
   * REQUIRED: the new group, or the one that already had this name
   */
  'group_snapshot': (_csi_v1_VolumeGroupSnapshot__Output | null);
}
