// Original file: proto/csi.proto

import type { VolumeCondition as _csi_v1_VolumeCondition, VolumeCondition__Output as _csi_v1_VolumeCondition__Output } from '../../csi/v1/VolumeCondition.ts';
import type { Volume as _csi_v1_Volume, Volume__Output as _csi_v1_Volume__Output } from '../../csi/v1/Volume.ts';

export interface _csi_v1_ListVolumesResponse_Entry {
  /**
   * REQUIRED
   */
  'volume'?: (_csi_v1_Volume | null);
  /**
   * absent when we report none
   */
  'status'?: (_csi_v1_ListVolumesResponse_VolumeStatus | null);
}

export interface _csi_v1_ListVolumesResponse_Entry__Output {
  /**
   * REQUIRED
   */
  'volume': (_csi_v1_Volume__Output | null);
  /**
   * absent when we report none
   */
  'status': (_csi_v1_ListVolumesResponse_VolumeStatus__Output | null);
}

export interface _csi_v1_ListVolumesResponse_VolumeStatus {
  /**
   * nodes it is attached to; needs LIST_VOLUMES_PUBLISHED_NODES
   */
  'published_node_ids'?: (string)[];
  /**
   * health; needs VOLUME_CONDITION
   */
  'volume_condition'?: (_csi_v1_VolumeCondition | null);
}

export interface _csi_v1_ListVolumesResponse_VolumeStatus__Output {
  /**
   * nodes it is attached to; needs LIST_VOLUMES_PUBLISHED_NODES
   */
  'published_node_ids': (string)[];
  /**
   * health; needs VOLUME_CONDITION
   */
  'volume_condition': (_csi_v1_VolumeCondition__Output | null);
}

export interface ListVolumesResponse {
  /**
   * this page
   */
  'entries'?: (_csi_v1_ListVolumesResponse_Entry)[];
  /**
   * empty on the last page
   */
  'next_token'?: (string);
}

export interface ListVolumesResponse__Output {
  /**
   * this page
   */
  'entries': (_csi_v1_ListVolumesResponse_Entry__Output)[];
  /**
   * empty on the last page
   */
  'next_token': (string);
}
