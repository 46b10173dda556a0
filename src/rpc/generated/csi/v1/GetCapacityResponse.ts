// Original file: proto/csi.proto

import type { Int64Value as _google_protobuf_Int64Value, Int64Value__Output as _google_protobuf_Int64Value__Output } from '../../google/protobuf/Int64Value.ts';
import type { Long } from '@grpc/proto-loader';

export interface GetCapacityResponse {
  /**
   * REQUIRED: free bytes for new volumes
   */
  'available_capacity'?: (number | string | Long);
  /**
   * largest volume in bytes that could be made now
   */
  'maximum_volume_size'?: (_google_protobuf_Int64Value | null);
  /**
   * smallest volume in bytes that is allowed
   */
  'minimum_volume_size'?: (_google_protobuf_Int64Value | null);
}

export interface GetCapacityResponse__Output {
  /**
   * REQUIRED: free bytes for new volumes
   */
  'available_capacity': (string);
  /**
   * largest volume in bytes that could be made now
   */
  'maximum_volume_size': (_google_protobuf_Int64Value__Output | null);
  /**
   * smallest volume in bytes that is allowed
   */
  'minimum_volume_size': (_google_protobuf_Int64Value__Output | null);
}
