// Original file: proto/csi.proto

import type { CapacityRange as _csi_v1_CapacityRange, CapacityRange__Output as _csi_v1_CapacityRange__Output } from '../../csi/v1/CapacityRange.ts';
import type { VolumeCapability as _csi_v1_VolumeCapability, VolumeCapability__Output as _csi_v1_VolumeCapability__Output } from '../../csi/v1/VolumeCapability.ts';
import type { VolumeContentSource as _csi_v1_VolumeContentSource, VolumeContentSource__Output as _csi_v1_VolumeContentSource__Output } from '../../csi/v1/VolumeContentSource.ts';
import type { TopologyRequirement as _csi_v1_TopologyRequirement, TopologyRequirement__Output as _csi_v1_TopologyRequirement__Output } from '../../csi/v1/TopologyRequirement.ts';

export interface CreateVolumeRequest {
  /**
   * REQUIRED: the caller's name and idempotency key, up to 128 bytes of nearly any Unicode
   */
  'name'?: (string);
  /**
   * wanted size; our default when absent
   */
  'capacity_range'?: (_csi_v1_CapacityRange | null);
  /**
   * REQUIRED: every way it will be used, all must hold
   */
  'volume_capabilities'?: (_csi_v1_VolumeCapability)[];
  /**
   * fixed settings, from the StorageClass
   */
  'parameters'?: ({[key: string]: string});
  /**
   * credentials for provisioning
   */
  'secrets'?: ({[key: string]: string});
  /**
   * fill from a snapshot or a volume; empty volume when absent
   */
  'volume_content_source'?: (_csi_v1_VolumeContentSource | null);
  /**
   * where it must be usable; only with topology support
   */
  'accessibility_requirements'?: (_csi_v1_TopologyRequirement | null);
  /**
   * settings that may change later; they win over parameters
   */
  'mutable_parameters'?: ({[key: string]: string});
}

export interface CreateVolumeRequest__Output {
  /**
   * REQUIRED: the caller's name and idempotency key, up to 128 bytes of nearly any Unicode
   */
  'name': (string);
  /**
   * wanted size; our default when absent
   */
  'capacity_range': (_csi_v1_CapacityRange__Output | null);
  /**
   * REQUIRED: every way it will be used, all must hold
   */
  'volume_capabilities': (_csi_v1_VolumeCapability__Output)[];
  /**
   * fixed settings, from the StorageClass
   */
  'parameters': ({[key: string]: string});
  /**
   * credentials for provisioning
   */
  'secrets': ({[key: string]: string});
  /**
   * fill from a snapshot or a volume; empty volume when absent
   */
  'volume_content_source': (_csi_v1_VolumeContentSource__Output | null);
  /**
   * where it must be usable; only with topology support
   */
  'accessibility_requirements': (_csi_v1_TopologyRequirement__Output | null);
  /**
   * settings that may change later; they win over parameters
   */
  'mutable_parameters': ({[key: string]: string});
}
