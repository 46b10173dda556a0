// Original file: proto/csi.proto


export interface _csi_v1_NodeServiceCapability_RPC {
  /**
   * which ability
   */
  'type'?: (_csi_v1_NodeServiceCapability_RPC_Type);
}

export interface _csi_v1_NodeServiceCapability_RPC__Output {
  /**
   * which ability
   */
  'type': (_csi_v1_NodeServiceCapability_RPC_Type__Output);
}

// Original file: proto/csi.proto

export const _csi_v1_NodeServiceCapability_RPC_Type = {
  /**
   * to be ignored by the reader
   */
  UNKNOWN: 'UNKNOWN',
  /**
   * NodeStageVolume and NodeUnstageVolume
   */
  STAGE_UNSTAGE_VOLUME: 'STAGE_UNSTAGE_VOLUME',
  /**
   * NodeGetVolumeStats
   */
  GET_VOLUME_STATS: 'GET_VOLUME_STATS',
  /**
   * NodeExpandVolume
   */
  EXPAND_VOLUME: 'EXPAND_VOLUME',
  /**
   * stats carry health
   */
  VOLUME_CONDITION: 'VOLUME_CONDITION',
  /**
   * the two SINGLE_NODE_*_WRITER modes are understood
   */
  SINGLE_NODE_MULTI_WRITER: 'SINGLE_NODE_MULTI_WRITER',
  /**
   * volume_mount_group is applied by us
   */
  VOLUME_MOUNT_GROUP: 'VOLUME_MOUNT_GROUP',
} as const;

export type _csi_v1_NodeServiceCapability_RPC_Type =
  /**
   * to be ignored by the reader
   */
  | 'UNKNOWN'
  | 0
  /**
   * NodeStageVolume and NodeUnstageVolume
   */
  | 'STAGE_UNSTAGE_VOLUME'
  | 1
  /**
   * NodeGetVolumeStats
   */
  | 'GET_VOLUME_STATS'
  | 2
  /**
   * NodeExpandVolume
   */
  | 'EXPAND_VOLUME'
  | 3
  /**
   * stats carry health
   */
  | 'VOLUME_CONDITION'
  | 4
  /**
   * the two SINGLE_NODE_*_WRITER modes are understood
   */
  | 'SINGLE_NODE_MULTI_WRITER'
  | 5
  /**
   * volume_mount_group is applied by us
   */
  | 'VOLUME_MOUNT_GROUP'
  | 6

export type _csi_v1_NodeServiceCapability_RPC_Type__Output = typeof _csi_v1_NodeServiceCapability_RPC_Type[keyof typeof _csi_v1_NodeServiceCapability_RPC_Type]

/**
 * One ability of the Node service.
 */
export interface NodeServiceCapability {
  /**
   * an ability tied to a call
   */
  'rpc'?: (_csi_v1_NodeServiceCapability_RPC | null);
  'type'?: "rpc";
}

/**
 * One ability of the Node service.
 */
export interface NodeServiceCapability__Output {
  /**
   * an ability tied to a call
   */
  'rpc'?: (_csi_v1_NodeServiceCapability_RPC__Output | null);
  'type'?: "rpc";
}
