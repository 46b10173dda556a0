// Original file: proto/csi.proto


/**
 * A service that is served beyond Identity and Node, or a promise about volumes.
 */
export interface _csi_v1_PluginCapability_Service {
  /**
   * which service or promise
   */
  'type'?: (_csi_v1_PluginCapability_Service_Type);
}

/**
 * A service that is served beyond Identity and Node, or a promise about volumes.
 */
export interface _csi_v1_PluginCapability_Service__Output {
  /**
   * which service or promise
   */
  'type': (_csi_v1_PluginCapability_Service_Type__Output);
}

// Original file: proto/csi.proto

export const _csi_v1_PluginCapability_Service_Type = {
  /**
   * to be ignored by the reader
   */
  UNKNOWN: 'UNKNOWN',
  /**
   * the Controller service is served
   */
  CONTROLLER_SERVICE: 'CONTROLLER_SERVICE',
  /**
   * volumes are not usable everywhere: topology matters
   */
  VOLUME_ACCESSIBILITY_CONSTRAINTS: 'VOLUME_ACCESSIBILITY_CONSTRAINTS',
  /**
   * the GroupController service is served
   */
  GROUP_CONTROLLER_SERVICE: 'GROUP_CONTROLLER_SERVICE',
  /**
   * the SnapshotMetadata service is served
   */
  SNAPSHOT_METADATA_SERVICE: 'SNAPSHOT_METADATA_SERVICE',
} as const;

export type _csi_v1_PluginCapability_Service_Type =
  /**
   * to be ignored by the reader
   */
  | 'UNKNOWN'
  | 0
  /**
   * the Controller service is served
   */
  | 'CONTROLLER_SERVICE'
  | 1
  /**
   * volumes are not usable everywhere: topology matters
   */
  | 'VOLUME_ACCESSIBILITY_CONSTRAINTS'
  | 2
  /**
   * the GroupController service is served
   */
  | 'GROUP_CONTROLLER_SERVICE'
  | 3
  /**
   * the SnapshotMetadata service is served
   */
  | 'SNAPSHOT_METADATA_SERVICE'
  | 4

export type _csi_v1_PluginCapability_Service_Type__Output = typeof _csi_v1_PluginCapability_Service_Type[keyof typeof _csi_v1_PluginCapability_Service_Type]

// Original file: proto/csi.proto

export const _csi_v1_PluginCapability_VolumeExpansion_Type = {
  /**
   * to be ignored by the reader
   */
  UNKNOWN: 'UNKNOWN',
  /**
   * also while it is published
   */
  ONLINE: 'ONLINE',
  /**
   * only while it is published nowhere
   */
  OFFLINE: 'OFFLINE',
} as const;

export type _csi_v1_PluginCapability_VolumeExpansion_Type =
  /**
   * to be ignored by the reader
   */
  | 'UNKNOWN'
  | 0
  /**
   * also while it is published
   */
  | 'ONLINE'
  | 1
  /**
   * only while it is published nowhere
   */
  | 'OFFLINE'
  | 2

export type _csi_v1_PluginCapability_VolumeExpansion_Type__Output = typeof _csi_v1_PluginCapability_VolumeExpansion_Type[keyof typeof _csi_v1_PluginCapability_VolumeExpansion_Type]

/**
 * When a volume may grow.
 */
export interface _csi_v1_PluginCapability_VolumeExpansion {
  /**
   * online or offline
   */
  'type'?: (_csi_v1_PluginCapability_VolumeExpansion_Type);
}

/**
 * When a volume may grow.
 */
export interface _csi_v1_PluginCapability_VolumeExpansion__Output {
  /**
   * online or offline
   */
  'type': (_csi_v1_PluginCapability_VolumeExpansion_Type__Output);
}

/**
 * One ability of the plugin as a whole.
 */
export interface PluginCapability {
  /**
   * a service that is served
   */
  'service'?: (_csi_v1_PluginCapability_Service | null);
  /**
   * a way to expand
   */
  'volume_expansion'?: (_csi_v1_PluginCapability_VolumeExpansion | null);
  'type'?: "service"|"volume_expansion";
}

/**
 * One ability of the plugin as a whole.
 */
export interface PluginCapability__Output {
  /**
   * a service that is served
   */
  'service'?: (_csi_v1_PluginCapability_Service__Output | null);
  /**
   * a way to expand
   */
  'volume_expansion'?: (_csi_v1_PluginCapability_VolumeExpansion__Output | null);
  'type'?: "service"|"volume_expansion";
}
