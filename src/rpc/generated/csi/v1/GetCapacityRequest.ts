// Original file: proto/csi.proto

import type { VolumeCapability as _csi_v1_VolumeCapability, VolumeCapability__Output as _csi_v1_VolumeCapability__Output } from '../../csi/v1/VolumeCapability.ts';
import type { Topology as _csi_v1_Topology, Topology__Output as _csi_v1_Topology__Output } from '../../csi/v1/Topology.ts';

export interface GetCapacityRequest {
  /**
   * count only storage that can serve these uses
   */
  'volume_capabilities'?: (_csi_v1_VolumeCapability)[];
  /**
   * as a CreateVolume would carry them
   */
  'parameters'?: ({[key: string]: string});
  /**
   * count only storage usable from here
   */
  'accessible_topology'?: (_csi_v1_Topology | null);
}

export interface GetCapacityRequest__Output {
  /**
   * count only storage that can serve these uses
   */
  'volume_capabilities': (_csi_v1_VolumeCapability__Output)[];
  /**
   * as a CreateVolume would carry them
   */
  'parameters': ({[key: string]: string});
  /**
   * count only storage usable from here
   */
  'accessible_topology': (_csi_v1_Topology__Output | null);
}
