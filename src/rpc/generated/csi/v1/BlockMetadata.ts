// Original file: proto/csi.proto

import type { Long } from '@grpc/proto-loader';

/**
 * One range of bytes.
 */
export interface BlockMetadata {
  /**
   * REQUIRED: first byte, counted from the start of the volume
   */
  'byte_offset'?: (number | string | Long);
  /**
   * REQUIRED: length in bytes, more than 0
   */
  'size_bytes'?: (number | string | Long);
}

/**
 * One range of bytes.
 */
export interface BlockMetadata__Output {
  /**
   * REQUIRED: first byte, counted from the start of the volume
   */
  'byte_offset': (string);
  /**
   * REQUIRED: length in bytes, more than 0
   */
  'size_bytes': (string);
}
