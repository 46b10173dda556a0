// Original file: proto/csi.proto


export interface _csi_v1_ControllerServiceCapability_RPC {
  /**
   * which ability
   */
  'type'?: (_csi_v1_ControllerServiceCapability_RPC_Type);
}

export interface _csi_v1_ControllerServiceCapability_RPC__Output {
  /**
   * which ability
   */
  'type': (_csi_v1_ControllerServiceCapability_RPC_Type__Output);
}

// Original file: proto/csi.proto

export const _csi_v1_ControllerServiceCapability_RPC_Type = {
  /**
   * to be ignored by the reader
   */
  UNKNOWN: 'UNKNOWN',
  /**
   * CreateVolume and DeleteVolume
   */
  CREATE_DELETE_VOLUME: 'CREATE_DELETE_VOLUME',
  /**
   * ControllerPublishVolume and ControllerUnpublishVolume
   */
  PUBLISH_UNPUBLISH_VOLUME: 'PUBLISH_UNPUBLISH_VOLUME',
  /**
   * ListVolumes
   */
  LIST_VOLUMES: 'LIST_VOLUMES',
  /**
   * GetCapacity
   */
  GET_CAPACITY: 'GET_CAPACITY',
  /**
   * CreateSnapshot and DeleteSnapshot
   */
  CREATE_DELETE_SNAPSHOT: 'CREATE_DELETE_SNAPSHOT',
  /**
   * ListSnapshots
   */
  LIST_SNAPSHOTS: 'LIST_SNAPSHOTS',
  /**
   * CreateVolume can copy a volume
   */
  CLONE_VOLUME: 'CLONE_VOLUME',
  /**
   * ControllerPublishVolume honours readonly
   */
  PUBLISH_READONLY: 'PUBLISH_READONLY',
  /**
   * ControllerExpandVolume
   */
  EXPAND_VOLUME: 'EXPAND_VOLUME',
  /**
   * ListVolumes tells the nodes of each volume
   */
  LIST_VOLUMES_PUBLISHED_NODES: 'LIST_VOLUMES_PUBLISHED_NODES',
  /**
   * health is reported with volumes
   */
  VOLUME_CONDITION: 'VOLUME_CONDITION',
  /**
   * ControllerGetVolume
   */
  GET_VOLUME: 'GET_VOLUME',
  /**
   * the two SINGLE_NODE_*_WRITER modes are understood
   */
  SINGLE_NODE_MULTI_WRITER: 'SINGLE_NODE_MULTI_WRITER',
  /**
   * ControllerModifyVolume, and mutable_parameters in CreateVolume
   */
  MODIFY_VOLUME: 'MODIFY_VOLUME',
  /**
   * GetSnapshot
   */
  GET_SNAPSHOT: 'GET_SNAPSHOT',
} as const;

export type _csi_v1_ControllerServiceCapability_RPC_Type =
  /**
   * to be ignored by the reader
   */
  | 'UNKNOWN'
  | 0
  /**
   * CreateVolume and DeleteVolume
   */
  | 'CREATE_DELETE_VOLUME'
  | 1
  /**
   * ControllerPublishVolume and ControllerUnpublishVolume
   */
  | 'PUBLISH_UNPUBLISH_VOLUME'
  | 2
  /**
   * ListVolumes
   */
  | 'LIST_VOLUMES'
  | 3
  /**
   * GetCapacity
   */
  | 'GET_CAPACITY'
  | 4
  /**
   * CreateSnapshot and DeleteSnapshot
   */
  | 'CREATE_DELETE_SNAPSHOT'
  | 5
  /**
   * ListSnapshots
   */
  | 'LIST_SNAPSHOTS'
  | 6
  /**
   * CreateVolume can copy a volume
   */
  | 'CLONE_VOLUME'
  | 7
  /**
   * ControllerPublishVolume honours readonly
   */
  | 'PUBLISH_READONLY'
  | 8
  /**
   * ControllerExpandVolume
   */
  | 'EXPAND_VOLUME'
  | 9
  /**
   * ListVolumes tells the nodes of each volume
   */
  | 'LIST_VOLUMES_PUBLISHED_NODES'
  | 10
  /**
   * health is reported with volumes
   */
  | 'VOLUME_CONDITION'
  | 11
  /**
   * ControllerGetVolume
   */
  | 'GET_VOLUME'
  | 12
  /**
   * the two SINGLE_NODE_*_WRITER modes are understood
   */
  | 'SINGLE_NODE_MULTI_WRITER'
  | 13
  /**
   * ControllerModifyVolume, and mutable_parameters in CreateVolume
   */
  | 'MODIFY_VOLUME'
  | 14
  /**
   * GetSnapshot
   */
  | 'GET_SNAPSHOT'
  | 15

export type _csi_v1_ControllerServiceCapability_RPC_Type__Output = typeof _csi_v1_ControllerServiceCapability_RPC_Type[keyof typeof _csi_v1_ControllerServiceCapability_RPC_Type]

/**
 * One ability of the Controller service.
 */
export interface ControllerServiceCapability {
  /**
   * an ability tied to a call
   */
  'rpc'?: (_csi_v1_ControllerServiceCapability_RPC | null);
  'type'?: "rpc";
}

/**
 * One ability of the Controller service.
 */
export interface ControllerServiceCapability__Output {
  /**
   * an ability tied to a call
   */
  'rpc'?: (_csi_v1_ControllerServiceCapability_RPC__Output | null);
  'type'?: "rpc";
}
