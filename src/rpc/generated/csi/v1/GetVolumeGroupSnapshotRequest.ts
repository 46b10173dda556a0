// Original file: proto/csi.proto


export interface GetVolumeGroupSnapshotRequest {
  /**
   * REQUIRED
   */
  'group_snapshot_id'?: (string);
  /**
   * REQUIRED: the members the caller believes in; a mismatch is refused
   */
  'snapshot_ids'?: (string)[];
  /**
   * credentials for the look-up
   */
  'secrets'?: ({[key: string]: string});
}

export interface GetVolumeGroupSnapshotRequest__Output {
  /**
   * REQUIRED
   */
  'group_snapshot_id': (string);
  /**
   * REQUIRED: the members the caller believes in; a mismatch is refused
   */
  'snapshot_ids': (string)[];
  /**
   * credentials for the look-up
   */
  'secrets': ({[key: string]: string});
}
