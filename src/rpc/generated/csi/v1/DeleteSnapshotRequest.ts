// Original file: proto/csi.proto


export interface DeleteSnapshotRequest {
  /**
   * REQUIRED: an unknown id is success
   */
  'snapshot_id'?: (string);
  /**
   * credentials for deletion
   */
  'secrets'?: ({[key: string]: string});
}

export interface DeleteSnapshotRequest__Output {
  /**
   * REQUIRED: an unknown id is success
   */
  'snapshot_id': (string);
  /**
   * credentials for deletion
   */
  'secrets': ({[key: string]: string});
}
