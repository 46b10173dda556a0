// Original file: proto/csi.proto

import type { Snapshot as _csi_v1_Snapshot, Snapshot__Output as _csi_v1_Snapshot__Output } from '../../csi/v1/Snapshot.ts';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.ts';

/**
 * Snapshots that were cut together.
 */
export interface VolumeGroupSnapshot {
  /**
   * REQUIRED: names the group in every later call
   */
  'group_snapshot_id'?: (string);
  /**
   * REQUIRED: one per volume, never empty
   */
  'snapshots'?: (_csi_v1_Snapshot)[];
  /**
   * REQUIRED: the moment the contents were frozen
   */
  'creation_time'?: (_google_protobuf_Timestamp | null);
  /**
   * REQUIRED: true once every member is ready
   */
  'ready_to_use'?: (boolean);
}

/**
 * Snapshots that were cut together.
 */
export interface VolumeGroupSnapshot__Output {
  /**
   * REQUIRED: names the group in every later call
   */
  'group_snapshot_id': (string);
  /**
   * REQUIRED: one per volume, never empty
   */
  'snapshots': (_csi_v1_Snapshot__Output)[];
  /**
   * REQUIRED: the moment the contents were frozen
   */
  'creation_time': (_google_protobuf_Timestamp__Output | null);
  /**
   * REQUIRED: true once every member is ready
   */
  'ready_to_use': (boolean);
}
