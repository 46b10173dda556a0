// Original file: proto/csi.proto

import type { VolumeCapability as _csi_v1_VolumeCapability, VolumeCapability__Output as _csi_v1_VolumeCapability__Output } from '../../csi/v1/VolumeCapability.ts';

/**
 * What was checked and holds.
 */
export interface _csi_v1_ValidateVolumeCapabilitiesResponse_Confirmed {
  /**
   * the confirmed context, only when it was checked
   */
  'volume_context'?: ({[key: string]: string});
  /**
   * REQUIRED: the confirmed uses
   */
  'volume_capabilities'?: (_csi_v1_VolumeCapability)[];
  /**
   * the confirmed parameters, only when they were checked
   */
  'parameters'?: ({[key: string]: string});
  /**
   * the confirmed mutable parameters, only when they were checked
   */
  'mutable_parameters'?: ({[key: string]: string});
}

/**
 * What was checked and holds.
 */
export interface _csi_v1_ValidateVolumeCapabilitiesResponse_Confirmed__Output {
  /**
   * the confirmed context, only when it was checked
   */
  'volume_context': ({[key: string]: string});
  /**
   * REQUIRED: the confirmed uses
   */
  'volume_capabilities': (_csi_v1_VolumeCapability__Output)[];
  /**
   * the confirmed parameters, only when they were checked
   */
  'parameters': ({[key: string]: string});
  /**
   * the confirmed mutable parameters, only when they were checked
   */
  'mutable_parameters': ({[key: string]: string});
}

export interface ValidateVolumeCapabilitiesResponse {
  /**
   * set when everything asked holds; absent is a no
   */
  'confirmed'?: (_csi_v1_ValidateVolumeCapabilitiesResponse_Confirmed | null);
  /**
   * why not, for people
   */
  'message'?: (string);
}

export interface ValidateVolumeCapabilitiesResponse__Output {
  /**
   * set when everything asked holds; absent is a no
   */
  'confirmed': (_csi_v1_ValidateVolumeCapabilitiesResponse_Confirmed__Output | null);
  /**
   * why not, for people
   */
  'message': (string);
}
