// Original file: proto/csi.proto

import type { Long } from '@grpc/proto-loader';

// Original file: proto/csi.proto

export const _csi_v1_VolumeUsage_Unit = {
  /**
   * never sent
   */
  UNKNOWN: 'UNKNOWN',
  /**
   * space
   */
  BYTES: 'BYTES',
  /**
   * files
   */
  INODES: 'INODES',
} as const;

export type _csi_v1_VolumeUsage_Unit =
  /**
   * never sent
   */
  | 'UNKNOWN'
  | 0
  /**
   * space
   */
  | 'BYTES'
  | 1
  /**
   * files
   */
  | 'INODES'
  | 2

export type _csi_v1_VolumeUsage_Unit__Output = typeof _csi_v1_VolumeUsage_Unit[keyof typeof _csi_v1_VolumeUsage_Unit]

/**
 * Usage of a volume in one unit.
 */
export interface VolumeUsage {
  /**
   * still free for the workload
   */
  'available'?: (number | string | Long);
  /**
   * REQUIRED: all there is
   */
  'total'?: (number | string | Long);
  /**
   * in use; used + available may be less than total
   */
  'used'?: (number | string | Long);
  /**
   * REQUIRED: what the numbers count
   */
  'unit'?: (_csi_v1_VolumeUsage_Unit);
}

/**
 * Usage of a volume in one unit.
 */
export interface VolumeUsage__Output {
  /**
   * still free for the workload
   */
  'available': (string);
  /**
   * REQUIRED: all there is
   */
  'total': (string);
  /**
   * in use; used + available may be less than total
   */
  'used': (string);
  /**
   * REQUIRED: what the numbers count
   */
  'unit': (_csi_v1_VolumeUsage_Unit__Output);
}
