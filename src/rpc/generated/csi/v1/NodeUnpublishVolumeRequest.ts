// Original file: proto/csi.proto


export interface NodeUnpublishVolumeRequest {
  /**
   * REQUIRED
   */
  'volume_id'?: (string);
  /**
   * REQUIRED: as given to NodePublishVolume; we remove it
   */
  'target_path'?: (string);
}

export interface NodeUnpublishVolumeRequest__Output {
  /**
   * REQUIRED
   */
  'volume_id': (string);
  /**
   * REQUIRED: as given to NodePublishVolume; we remove it
   */
  'target_path': (string);
}
