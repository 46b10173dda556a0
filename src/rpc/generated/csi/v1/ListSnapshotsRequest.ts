// Original file: proto/csi.proto


export interface ListSnapshotsRequest {
  /**
   * page size; 0 means no limit, negative is invalid
   */
  'max_entries'?: (number);
  /**
   * next_token of the page before; empty starts from the top
   */
  'starting_token'?: (string);
  /**
   * only snapshots of this volume
   */
  'source_volume_id'?: (string);
  /**
   * only this snapshot; an unknown id is an empty list
   */
  'snapshot_id'?: (string);
  /**
   * credentials for listing
   */
  'secrets'?: ({[key: string]: string});
}

export interface ListSnapshotsRequest__Output {
  /**
   * page size; 0 means no limit, negative is invalid
   */
  'max_entries': (number);
  /**
   * next_token of the page before; empty starts from the top
   */
  'starting_token': (string);
  /**
   * only snapshots of this volume
   */
  'source_volume_id': (string);
  /**
   * only this snapshot; an unknown id is an empty list
   */
  'snapshot_id': (string);
  /**
   * credentials for listing
   */
  'secrets': ({[key: string]: string});
}
