// Original file: proto/csi.proto

import type { VolumeCapability as _csi_v1_VolumeCapability, VolumeCapability__Output as _csi_v1_VolumeCapability__Output } from '../../csi/v1/VolumeCapability.ts';

export interface NodePublishVolumeRequest {
  /**
   * REQUIRED
   */
  'volume_id'?: (string);
  /**
   * as returned by ControllerPublishVolume
   */
  'publish_context'?: ({[key: string]: string});
  /**
   * where it was staged; the caller sets it whenever we offer STAGE_UNSTAGE_VOLUME
   */
  'staging_target_path'?: (string);
  /**
   * REQUIRED: where the workload will see it; its parent directory exists, we make the rest
   */
  'target_path'?: (string);
  /**
   * REQUIRED: how this workload uses it
   */
  'volume_capability'?: (_csi_v1_VolumeCapability | null);
  /**
   * REQUIRED: publish read only; false is a valid answer, so absence cannot be told apart
   */
  'readonly'?: (boolean);
  /**
   * credentials for publishing
   */
  'secrets'?: ({[key: string]: string});
  /**
   * as returned by CreateVolume
   */
  'volume_context'?: ({[key: string]: string});
}

export interface NodePublishVolumeRequest__Output {
  /**
   * REQUIRED
   */
  'volume_id': (string);
  /**
   * as returned by ControllerPublishVolume
   */
  'publish_context': ({[key: string]: string});
  /**
   * where it was staged; the caller sets it whenever we offer STAGE_UNSTAGE_VOLUME
   */
  'staging_target_path': (string);
  /**
   * REQUIRED: where the workload will see it; its parent directory exists, we make the rest
   */
  'target_path': (string);
  /**
   * REQUIRED: how this workload uses it
   */
  'volume_capability': (_csi_v1_VolumeCapability__Output | null);
  /**
   * REQUIRED: publish read only; false is a valid answer, so absence cannot be told apart
   */
  'readonly': (boolean);
  /**
   * credentials for publishing
   */
  'secrets': ({[key: string]: string});
  /**
   * as returned by CreateVolume
   */
  'volume_context': ({[key: string]: string});
}
