// Original file: proto/csi.proto


export interface CreateVolumeGroupSnapshotRequest {
  /**
   * REQUIRED: the caller's name and idempotency key, up to 128 bytes of nearly any Unicode
   */
  'name'?: (string);
  /**
   * REQUIRED: the volumes to freeze together
   */
  'source_volume_ids'?: (string)[];
  /**
   * credentials for the snapshots
   */
  'secrets'?: ({[key: string]: string});
  /**
   * settings, from the VolumeGroupSnapshotClass
   */
  'parameters'?: ({[key: string]: string});
}

export interface CreateVolumeGroupSnapshotRequest__Output {
  /**
   * REQUIRED: the caller's name and idempotency key, up to 128 bytes of nearly any Unicode
   */
  'name': (string);
  /**
   * REQUIRED: the volumes to freeze together
   */
  'source_volume_ids': (string)[];
  /**
   * credentials for the snapshots
   */
  'secrets': ({[key: string]: string});
  /**
   * settings, from the VolumeGroupSnapshotClass
   */
  'parameters': ({[key: string]: string});
}
