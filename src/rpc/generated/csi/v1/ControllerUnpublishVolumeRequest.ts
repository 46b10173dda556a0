// Original file: proto/csi.proto


export interface ControllerUnpublishVolumeRequest {
  /**
   * REQUIRED
   */
  'volume_id'?: (string);
  /**
   * empty means: detach from every node
   */
  'node_id'?: (string);
  /**
   * credentials for detaching
   */
  'secrets'?: ({[key: string]: string});
}

export interface ControllerUnpublishVolumeRequest__Output {
  /**
   * REQUIRED
   */
  'volume_id': (string);
  /**
   * empty means: detach from every node
   */
  'node_id': (string);
  /**
   * credentials for detaching
   */
  'secrets': ({[key: string]: string});
}
