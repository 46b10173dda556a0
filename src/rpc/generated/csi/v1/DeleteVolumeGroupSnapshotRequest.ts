// Original file: proto/csi.proto


export interface DeleteVolumeGroupSnapshotRequest {
  /**
   * REQUIRED: an unknown id is success
   */
  'group_snapshot_id'?: (string);
  /**
   * REQUIRED: the members the caller believes in; a mismatch is refused
   */
  'snapshot_ids'?: (string)[];
  /**
   * credentials for deletion
   */
  'secrets'?: ({[key: string]: string});
}

export interface DeleteVolumeGroupSnapshotRequest__Output {
  /**
   * REQUIRED: an unknown id is success
   */
  'group_snapshot_id': (string);
  /**
   * REQUIRED: the members the caller believes in; a mismatch is refused
   */
  'snapshot_ids': (string)[];
  /**
   * credentials for deletion
   */
  'secrets': ({[key: string]: string});
}
