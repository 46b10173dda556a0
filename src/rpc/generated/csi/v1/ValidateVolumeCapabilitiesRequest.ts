// Original file: proto/csi.proto

import type { VolumeCapability as _csi_v1_VolumeCapability, VolumeCapability__Output as _csi_v1_VolumeCapability__Output } from '../../csi/v1/VolumeCapability.ts';

export interface ValidateVolumeCapabilitiesRequest {
  /**
   * REQUIRED
   */
  'volume_id'?: (string);
  /**
   * as returned by CreateVolume
   */
  'volume_context'?: ({[key: string]: string});
  /**
   * REQUIRED: the uses in question
   */
  'volume_capabilities'?: (_csi_v1_VolumeCapability)[];
  /**
   * as given to CreateVolume
   */
  'parameters'?: ({[key: string]: string});
  /**
   * credentials for the check
   */
  'secrets'?: ({[key: string]: string});
  /**
   * as given to CreateVolume or ControllerModifyVolume
   */
  'mutable_parameters'?: ({[key: string]: string});
}

export interface ValidateVolumeCapabilitiesRequest__Output {
  /**
   * REQUIRED
   */
  'volume_id': (string);
  /**
   * as returned by CreateVolume
   */
  'volume_context': ({[key: string]: string});
  /**
   * REQUIRED: the uses in question
   */
  'volume_capabilities': (_csi_v1_VolumeCapability__Output)[];
  /**
   * as given to CreateVolume
   */
  'parameters': ({[key: string]: string});
  /**
   * credentials for the check
   */
  'secrets': ({[key: string]: string});
  /**
   * as given to CreateVolume or ControllerModifyVolume
   */
  'mutable_parameters': ({[key: string]: string});
}
