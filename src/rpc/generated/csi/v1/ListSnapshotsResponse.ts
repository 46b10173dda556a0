// Original file: proto/csi.proto

import type { Snapshot as _csi_v1_Snapshot, Snapshot__Output as _csi_v1_Snapshot__Output } from '../../csi/v1/Snapshot.ts';

export interface _csi_v1_ListSnapshotsResponse_Entry {
  /**
   * the snapshot
   */
  'snapshot'?: (_csi_v1_Snapshot | null);
}

export interface _csi_v1_ListSnapshotsResponse_Entry__Output {
  /**
   * the snapshot
   */
  'snapshot': (_csi_v1_Snapshot__Output | null);
}

export interface ListSnapshotsResponse {
  /**
   * this page
   */
  'entries'?: (_csi_v1_ListSnapshotsResponse_Entry)[];
  /**
   * empty on the last page
   */
  'next_token'?: (string);
}

export interface ListSnapshotsResponse__Output {
  /**
   * this page
   */
  'entries': (_csi_v1_ListSnapshotsResponse_Entry__Output)[];
  /**
   * empty on the last page
   */
  'next_token': (string);
}
