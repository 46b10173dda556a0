// Original file: proto/csi.proto


export interface DeleteVolumeRequest {
  /**
   * REQUIRED: an unknown id is success
   */
  'volume_id'?: (string);
  /**
   * credentials for deletion
   */
  'secrets'?: ({[key: string]: string});
}

export interface DeleteVolumeRequest__Output {
  /**
   * REQUIRED: an unknown id is success
   */
  'volume_id': (string);
  /**
   * credentials for deletion
   */
  'secrets': ({[key: string]: string});
}
