// Original file: proto/csi.proto

import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.ts';
import type { Long } from '@grpc/proto-loader';

/**
 * A frozen image of one volume.
 */
export interface Snapshot {
  /**
   * smallest volume that can hold its content; 0 when unknown
   */
  'size_bytes'?: (number | string | Long);
  /**
   * REQUIRED: names the snapshot in every later call
   */
  'snapshot_id'?: (string);
  /**
   * REQUIRED: the volume it was cut from
   */
  'source_volume_id'?: (string);
  /**
   * REQUIRED: the moment its content was frozen
   */
  'creation_time'?: (_google_protobuf_Timestamp | null);
  /**
   * REQUIRED: false while still being processed after the cut
   */
  'ready_to_use'?: (boolean);
  /**
   * the group it was cut with; empty for a lone snapshot
   */
  'group_snapshot_id'?: (string);
}

/**
 * A frozen image of one volume.
 */
export interface Snapshot__Output {
  /**
   * smallest volume that can hold its content; 0 when unknown
   */
  'size_bytes': (string);
  /**
   * REQUIRED: names the snapshot in every later call
   */
  'snapshot_id': (string);
  /**
   * REQUIRED: the volume it was cut from
   */
  'source_volume_id': (string);
  /**
   * REQUIRED: the moment its content was frozen
   */
  'creation_time': (_google_protobuf_Timestamp__Output | null);
  /**
   * REQUIRED: false while still being processed after the cut
   */
  'ready_to_use': (boolean);
  /**
   * the group it was cut with; empty for a lone snapshot
   */
  'group_snapshot_id': (string);
}
