// Original file: proto/csi.proto

import type { VolumeCapability as _csi_v1_VolumeCapability, VolumeCapability__Output as _csi_v1_VolumeCapability__Output } from '../../csi/v1/VolumeCapability.ts';

export interface NodeStageVolumeRequest {
  /**
   * REQUIRED
   */
  'volume_id'?: (string);
  /**
   * as returned by ControllerPublishVolume
   */
  'publish_context'?: ({[key: string]: string});
  /**
   * REQUIRED: where to stage; the directory exists and is the caller's
   */
  'staging_target_path'?: (string);
  /**
   * REQUIRED: how it will be used
   */
  'volume_capability'?: (_csi_v1_VolumeCapability | null);
  /**
   * credentials for staging
   */
  'secrets'?: ({[key: string]: string});
  /**
   * as returned by CreateVolume
   */
  'volume_context'?: ({[key: string]: string});
}

export interface NodeStageVolumeRequest__Output {
  /**
   * REQUIRED
   */
  'volume_id': (string);
  /**
   * as returned by ControllerPublishVolume
   */
  'publish_context': ({[key: string]: string});
  /**
   * REQUIRED: where to stage; the directory exists and is the caller's
   */
  'staging_target_path': (string);
  /**
   * REQUIRED: how it will be used
   */
  'volume_capability': (_csi_v1_VolumeCapability__Output | null);
  /**
   * credentials for staging
   */
  'secrets': ({[key: string]: string});
  /**
   * as returned by CreateVolume
   */
  'volume_context': ({[key: string]: string});
}
