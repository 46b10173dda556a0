// Original file: proto/csi.proto


export interface CreateSnapshotRequest {
  /**
   * REQUIRED
   */
  'source_volume_id'?: (string);
  /**
   * REQUIRED: the caller's name and idempotency key, up to 128 bytes of nearly any Unicode
   */
  'name'?: (string);
  /**
   * credentials for the snapshot
   */
  'secrets'?: ({[key: string]: string});
  /**
   * settings, from the VolumeSnapshotClass
   */
  'parameters'?: ({[key: string]: string});
}

export interface CreateSnapshotRequest__Output {
  /**
   * REQUIRED
   */
  'source_volume_id': (string);
  /**
   * REQUIRED: the caller's name and idempotency key, up to 128 bytes of nearly any Unicode
   */
  'name': (string);
  /**
   * credentials for the snapshot
   */
  'secrets': ({[key: string]: string});
  /**
   * settings, from the VolumeSnapshotClass
   */
  'parameters': ({[key: string]: string});
}
