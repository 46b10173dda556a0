// Original file: proto/csi.proto

import type { Long } from '@grpc/proto-loader';

export interface GetMetadataAllocatedRequest {
  /**
   * REQUIRED
   */
  'snapshot_id'?: (string);
  /**
   * REQUIRED: skip everything before this byte; 0 starts from the top
   */
  'starting_offset'?: (number | string | Long);
  /**
   * most ranges per message; 0 leaves it to us
   */
  'max_results'?: (number);
  /**
   * credentials for reading
   */
  'secrets'?: ({[key: string]: string});
}

export interface GetMetadataAllocatedRequest__Output {
  /**
   * REQUIRED
   */
  'snapshot_id': (string);
  /**
   * REQUIRED: skip everything before this byte; 0 starts from the top
   */
  'starting_offset': (string);
  /**
   * most ranges per message; 0 leaves it to us
   */
  'max_results': (number);
  /**
   * credentials for reading
   */
  'secrets': ({[key: string]: string});
}
