// Original file: proto/csi.proto

import type { CapacityRange as _csi_v1_CapacityRange, CapacityRange__Output as _csi_v1_CapacityRange__Output } from '../../csi/v1/CapacityRange.ts';
import type { VolumeCapability as _csi_v1_VolumeCapability, VolumeCapability__Output as _csi_v1_VolumeCapability__Output } from '../../csi/v1/VolumeCapability.ts';

export interface NodeExpandVolumeRequest {
  /**
   * REQUIRED
   */
  'volume_id'?: (string);
  /**
   * REQUIRED: a path where it is staged or published
   */
  'volume_path'?: (string);
  /**
   * the wanted new size; absent means as large as the device
   */
  'capacity_range'?: (_csi_v1_CapacityRange | null);
  /**
   * where it was staged, when the caller knows
   */
  'staging_target_path'?: (string);
  /**
   * how it is used; absent means look at the path
   */
  'volume_capability'?: (_csi_v1_VolumeCapability | null);
  /**
   * credentials for expansion
   */
  'secrets'?: ({[key: string]: string});
}

export interface NodeExpandVolumeRequest__Output {
  /**
   * REQUIRED
   */
  'volume_id': (string);
  /**
   * REQUIRED: a path where it is staged or published
   */
  'volume_path': (string);
  /**
   * the wanted new size; absent means as large as the device
   */
  'capacity_range': (_csi_v1_CapacityRange__Output | null);
  /**
   * where it was staged, when the caller knows
   */
  'staging_target_path': (string);
  /**
   * how it is used; absent means look at the path
   */
  'volume_capability': (_csi_v1_VolumeCapability__Output | null);
  /**
   * credentials for expansion
   */
  'secrets': ({[key: string]: string});
}
