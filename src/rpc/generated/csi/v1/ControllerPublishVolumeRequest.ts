// Original file: proto/csi.proto

import type { VolumeCapability as _csi_v1_VolumeCapability, VolumeCapability__Output as _csi_v1_VolumeCapability__Output } from '../../csi/v1/VolumeCapability.ts';

export interface ControllerPublishVolumeRequest {
  /**
   * REQUIRED
   */
  'volume_id'?: (string);
  /**
   * REQUIRED: as answered by NodeGetInfo
   */
  'node_id'?: (string);
  /**
   * REQUIRED: how the node will use it
   */
  'volume_capability'?: (_csi_v1_VolumeCapability | null);
  /**
   * REQUIRED: attach read only; false is a valid answer, so absence cannot be told apart
   */
  'readonly'?: (boolean);
  /**
   * credentials for attaching
   */
  'secrets'?: ({[key: string]: string});
  /**
   * as returned by CreateVolume
   */
  'volume_context'?: ({[key: string]: string});
}

export interface ControllerPublishVolumeRequest__Output {
  /**
   * REQUIRED
   */
  'volume_id': (string);
  /**
   * REQUIRED: as answered by NodeGetInfo
   */
  'node_id': (string);
  /**
   * REQUIRED: how the node will use it
   */
  'volume_capability': (_csi_v1_VolumeCapability__Output | null);
  /**
   * REQUIRED: attach read only; false is a valid answer, so absence cannot be told apart
   */
  'readonly': (boolean);
  /**
   * credentials for attaching
   */
  'secrets': ({[key: string]: string});
  /**
   * as returned by CreateVolume
   */
  'volume_context': ({[key: string]: string});
}
