// Original file: proto/csi.proto


export interface _csi_v1_GroupControllerServiceCapability_RPC {
  /**
   * which ability
   */
  'type'?: (_csi_v1_GroupControllerServiceCapability_RPC_Type);
}

export interface _csi_v1_GroupControllerServiceCapability_RPC__Output {
  /**
   * which ability
   */
  'type': (_csi_v1_GroupControllerServiceCapability_RPC_Type__Output);
}

// Original file: proto/csi.proto

export const _csi_v1_GroupControllerServiceCapability_RPC_Type = {
  /**
   * to be ignored by the reader
   */
  UNKNOWN: 'UNKNOWN',
  /**
   * all three group snapshot calls
   */
  CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT: 'CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT',
} as const;

export type _csi_v1_GroupControllerServiceCapability_RPC_Type =
  /**
   * to be ignored by the reader
   */
  | 'UNKNOWN'
  | 0
  /**
   * all three group snapshot calls
   */
  | 'CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT'
  | 1

export type _csi_v1_GroupControllerServiceCapability_RPC_Type__Output = typeof _csi_v1_GroupControllerServiceCapability_RPC_Type[keyof typeof _csi_v1_GroupControllerServiceCapability_RPC_Type]

/**
 * One ability of the GroupController service.
 */
export interface GroupControllerServiceCapability {
  /**
   * an ability tied to a call
   */
  'rpc'?: (_csi_v1_GroupControllerServiceCapability_RPC | null);
  'type'?: "rpc";
}

/**
 * One ability of the GroupController service.
 */
export interface GroupControllerServiceCapability__Output {
  /**
   * an ability tied to a call
   */
  'rpc'?: (_csi_v1_GroupControllerServiceCapability_RPC__Output | null);
  'type'?: "rpc";
}
