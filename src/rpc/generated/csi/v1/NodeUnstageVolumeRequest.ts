// Original file: proto/csi.proto


export interface NodeUnstageVolumeRequest {
  /**
   * REQUIRED
   */
  'volume_id'?: (string);
  /**
   * REQUIRED: as given to NodeStageVolume
   */
  'staging_target_path'?: (string);
}

export interface NodeUnstageVolumeRequest__Output {
  /**
   * REQUIRED
   */
  'volume_id': (string);
  /**
   * REQUIRED: as given to NodeStageVolume
   */
  'staging_target_path': (string);
}
