// Original file: proto/csi.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Wanted size: at least required_bytes, at most limit_bytes. At least one of them is given.
 */
export interface CapacityRange {
  /**
   * lower bound in bytes; 0 means none
   */
  'required_bytes'?: (number | string | Long);
  /**
   * upper bound in bytes; 0 means none
   */
  'limit_bytes'?: (number | string | Long);
}

/**
 * Wanted size: at least required_bytes, at most limit_bytes. At least one of them is given.
 */
export interface CapacityRange__Output {
  /**
   * lower bound in bytes; 0 means none
   */
  'required_bytes': (string);
  /**
   * upper bound in bytes; 0 means none
   */
  'limit_bytes': (string);
}
