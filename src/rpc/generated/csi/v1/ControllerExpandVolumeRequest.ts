// Original file: proto/csi.proto

import type { CapacityRange as _csi_v1_CapacityRange, CapacityRange__Output as _csi_v1_CapacityRange__Output } from '../../csi/v1/CapacityRange.ts';
import type { VolumeCapability as _csi_v1_VolumeCapability, VolumeCapability__Output as _csi_v1_VolumeCapability__Output } from '../../csi/v1/VolumeCapability.ts';

export interface ControllerExpandVolumeRequest {
  /**
   * REQUIRED
   */
  'volume_id'?: (string);
  /**
   * REQUIRED: the wanted new size; already large enough is success
   */
  'capacity_range'?: (_csi_v1_CapacityRange | null);
  /**
   * credentials for expansion
   */
  'secrets'?: ({[key: string]: string});
  /**
   * how it is used now; absent means not known
   */
  'volume_capability'?: (_csi_v1_VolumeCapability | null);
}

export interface ControllerExpandVolumeRequest__Output {
  /**
   * REQUIRED
   */
  'volume_id': (string);
  /**
   * REQUIRED: the wanted new size; already large enough is success
   */
  'capacity_range': (_csi_v1_CapacityRange__Output | null);
  /**
   * credentials for expansion
   */
  'secrets': ({[key: string]: string});
  /**
   * how it is used now; absent means not known
   */
  'volume_capability': (_csi_v1_VolumeCapability__Output | null);
}
