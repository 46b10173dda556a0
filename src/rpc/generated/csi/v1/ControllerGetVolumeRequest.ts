// Original file: proto/csi.proto


export interface ControllerGetVolumeRequest {
  /**
   * REQUIRED
   */
  'volume_id'?: (string);
}

export interface ControllerGetVolumeRequest__Output {
  /**
   * REQUIRED
   */
  'volume_id': (string);
}
