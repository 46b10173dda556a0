// Original file: proto/csi.proto


export interface ControllerPublishVolumeResponse {
  /**
   * opaque facts for the node's stage and publish calls; never secrets
   */
  'publish_context'?: ({[key: string]: string});
}

export interface ControllerPublishVolumeResponse__Output {
  /**
   * opaque facts for the node's stage and publish calls; never secrets
   */
  'publish_context': ({[key: string]: string});
}
