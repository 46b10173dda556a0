// Original file: proto/csi.proto


export interface ControllerModifyVolumeRequest {
  /**
   * REQUIRED
   */
  'volume_id'?: (string);
  /**
   * credentials for the change
   */
  'secrets'?: ({[key: string]: string});
  /**
   * REQUIRED: the settings to apply, all or none
   */
  'mutable_parameters'?: ({[key: string]: string});
}

export interface ControllerModifyVolumeRequest__Output {
  /**
   * REQUIRED
   */
  'volume_id': (string);
  /**
   * credentials for the change
   */
  'secrets': ({[key: string]: string});
  /**
   * REQUIRED: the settings to apply, all or none
   */
  'mutable_parameters': ({[key: string]: string});
}
