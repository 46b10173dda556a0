// Original file: proto/csi.proto

import type { BlockMetadataType as _csi_v1_BlockMetadataType, BlockMetadataType__Output as _csi_v1_BlockMetadataType__Output } from '../../csi/v1/BlockMetadataType.ts';
import type { BlockMetadata as _csi_v1_BlockMetadata, BlockMetadata__Output as _csi_v1_BlockMetadata__Output } from '../../csi/v1/BlockMetadata.ts';
import type { Long } from '@grpc/proto-loader';

export interface GetMetadataAllocatedResponse {
  /**
   * REQUIRED: fixed or variable ranges
   */
  'block_metadata_type'?: (_csi_v1_BlockMetadataType);
  /**
   * REQUIRED: size of the volume at the snapshot
   */
  'volume_capacity_bytes'?: (number | string | Long);
  /**
   * ranges that hold data, ascending, not overlapping
   */
  'block_metadata'?: (_csi_v1_BlockMetadata)[];
}

export interface GetMetadataAllocatedResponse__Output {
  /**
   * REQUIRED: fixed or variable ranges
   */
  'block_metadata_type': (_csi_v1_BlockMetadataType__Output);
  /**
   * REQUIRED: size of the volume at the snapshot
   */
  'volume_capacity_bytes': (string);
  /**
   * ranges that hold data, ascending, not overlapping
   */
  'block_metadata': (_csi_v1_BlockMetadata__Output)[];
}
