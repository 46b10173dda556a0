// Original file: proto/csi.proto


export interface NodeGetVolumeStatsRequest {
  /**
   * REQUIRED
   */
  'volume_id'?: (string);
  /**
   * REQUIRED: a path where it is staged or published
   */
  'volume_path'?: (string);
  /**
   * where it was staged, when the caller knows
   */
  'staging_target_path'?: (string);
}

export interface NodeGetVolumeStatsRequest__Output {
  /**
   * REQUIRED
   */
  'volume_id': (string);
  /**
   * REQUIRED: a path where it is staged or published
   */
  'volume_path': (string);
  /**
   * where it was staged, when the caller knows
   */
  'staging_target_path': (string);
}
