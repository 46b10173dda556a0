// Original file: proto/csi.proto

import type { Long } from '@grpc/proto-loader';

export interface NodeExpandVolumeResponse {
  /**
   * size after the call, in bytes; 0 when unknown
   */
  'capacity_bytes'?: (number | string | Long);
}

export interface NodeExpandVolumeResponse__Output {
  /**
   * size after the call, in bytes; 0 when unknown
   */
  'capacity_bytes': (string);
}
