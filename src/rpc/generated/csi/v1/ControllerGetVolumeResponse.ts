// Original file: proto/csi.proto

import type { Volume as _csi_v1_Volume, Volume__Output as _csi_v1_Volume__Output } from '../../csi/v1/Volume.ts';
import type { VolumeCondition as _csi_v1_VolumeCondition, VolumeCondition__Output as _csi_v1_VolumeCondition__Output } from '../../csi/v1/VolumeCondition.ts';

export interface _csi_v1_ControllerGetVolumeResponse_VolumeStatus {
  /**
   * nodes it is attached to
   */
  'published_node_ids'?: (string)[];
  /**
   * health; needs VOLUME_CONDITION
   */
  'volume_condition'?: (_csi_v1_VolumeCondition | null);
}

export interface _csi_v1_ControllerGetVolumeResponse_VolumeStatus__Output {
  /**
   * nodes it is attached to
   */
  'published_node_ids': (string)[];
  /**
   * health; needs VOLUME_CONDITION
   */
  'volume_condition': (_csi_v1_VolumeCondition__Output | null);
}

export interface ControllerGetVolumeResponse {
  /**
   * REQUIRED
   */
  'volume'?: (_csi_v1_Volume | null);
  /**
   * REQUIRED
   */
  'status'?: (_csi_v1_ControllerGetVolumeResponse_VolumeStatus | null);
}

export interface ControllerGetVolumeResponse__Output {
  /**
   * REQUIRED
   */
  'volume': (_csi_v1_Volume__Output | null);
  /**
   * REQUIRED
   */
  'status': (_csi_v1_ControllerGetVolumeResponse_VolumeStatus__Output | null);
}
