// Original file: proto/csi.proto

import type { Long } from '@grpc/proto-loader';

export interface ControllerExpandVolumeResponse {
  /**
   * REQUIRED: size after the call, in bytes
   */
  'capacity_bytes'?: (number | string | Long);
  /**
   * REQUIRED: true when NodeExpandVolume has to follow
   */
  'node_expansion_required'?: (boolean);
}

export interface ControllerExpandVolumeResponse__Output {
  /**
   * REQUIRED: size after the call, in bytes
   */
  'capacity_bytes': (string);
  /**
   * REQUIRED: true when NodeExpandVolume has to follow
   */
  'node_expansion_required': (boolean);
}
