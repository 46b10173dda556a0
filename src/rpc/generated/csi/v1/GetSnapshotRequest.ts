// Original file: proto/csi.proto


export interface GetSnapshotRequest {
  /**
   * REQUIRED
   */
  'snapshot_id'?: (string);
  /**
   * credentials for the look-up
   */
  'secrets'?: ({[key: string]: string});
}

export interface GetSnapshotRequest__Output {
  /**
   * REQUIRED
   */
  'snapshot_id': (string);
  /**
   * credentials for the look-up
   */
  'secrets': ({[key: string]: string});
}
