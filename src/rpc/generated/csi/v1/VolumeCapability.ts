// Original file: proto/csi.proto


/**
 * How many nodes and workloads share the volume, and whether they write.
 */
export interface _csi_v1_VolumeCapability_AccessMode {
  /**
   * REQUIRED
   */
  'mode'?: (_csi_v1_VolumeCapability_AccessMode_Mode);
}

/**
 * How many nodes and workloads share the volume, and whether they write.
 */
export interface _csi_v1_VolumeCapability_AccessMode__Output {
  /**
   * REQUIRED
   */
  'mode': (_csi_v1_VolumeCapability_AccessMode_Mode__Output);
}

/**
 * Raw block: the workload sees a device node.
 */
export interface _csi_v1_VolumeCapability_BlockVolume {
}

/**
 * Raw block: the workload sees a device node.
 */
export interface _csi_v1_VolumeCapability_BlockVolume__Output {
}

// Original file: proto/csi.proto

export const _csi_v1_VolumeCapability_AccessMode_Mode = {
  /**
   * never valid in a request
   */
  UNKNOWN: 'UNKNOWN',
  /**
   * one node, read and write
   */
  SINGLE_NODE_WRITER: 'SINGLE_NODE_WRITER',
  /**
   * one node, read only
   */
  SINGLE_NODE_READER_ONLY: 'SINGLE_NODE_READER_ONLY',
  /**
   * many nodes, read only
   */
  MULTI_NODE_READER_ONLY: 'MULTI_NODE_READER_ONLY',
  /**
   * many nodes, one of them writes
   */
  MULTI_NODE_SINGLE_WRITER: 'MULTI_NODE_SINGLE_WRITER',
  /**
   * many nodes, all may write
   */
  MULTI_NODE_MULTI_WRITER: 'MULTI_NODE_MULTI_WRITER',
  /**
   * one node, one workload on it
   */
  SINGLE_NODE_SINGLE_WRITER: 'SINGLE_NODE_SINGLE_WRITER',
  /**
   * one node, many workloads on it
   */
  SINGLE_NODE_MULTI_WRITER: 'SINGLE_NODE_MULTI_WRITER',
} as const;

export type _csi_v1_VolumeCapability_AccessMode_Mode =
  /**
   * never valid in a request
   */
  | 'UNKNOWN'
  | 0
  /**
   * one node, read and write
   */
  | 'SINGLE_NODE_WRITER'
  | 1
  /**
   * one node, read only
   */
  | 'SINGLE_NODE_READER_ONLY'
  | 2
  /**
   * many nodes, read only
   */
  | 'MULTI_NODE_READER_ONLY'
  | 3
  /**
   * many nodes, one of them writes
   */
  | 'MULTI_NODE_SINGLE_WRITER'
  | 4
  /**
   * many nodes, all may write
   */
  | 'MULTI_NODE_MULTI_WRITER'
  | 5
  /**
   * one node, one workload on it
   */
  | 'SINGLE_NODE_SINGLE_WRITER'
  | 6
  /**
   * one node, many workloads on it
   */
  | 'SINGLE_NODE_MULTI_WRITER'
  | 7

export type _csi_v1_VolumeCapability_AccessMode_Mode__Output = typeof _csi_v1_VolumeCapability_AccessMode_Mode[keyof typeof _csi_v1_VolumeCapability_AccessMode_Mode]

/**
 * Filesystem: the workload sees a directory.
 */
export interface _csi_v1_VolumeCapability_MountVolume {
  /**
   * filesystem to make and mount; empty leaves the choice to us
   */
  'fs_type'?: (string);
  /**
   * mount options, one per entry; may carry sensitive values
   */
  'mount_flags'?: (string)[];
  /**
   * gid (as text) that must be able to use the mount; needs VOLUME_MOUNT_GROUP
   */
  'volume_mount_group'?: (string);
}

/**
 * Filesystem: the workload sees a directory.
 */
export interface _csi_v1_VolumeCapability_MountVolume__Output {
  /**
   * filesystem to make and mount; empty leaves the choice to us
   */
  'fs_type': (string);
  /**
   * mount options, one per entry; may carry sensitive values
   */
  'mount_flags': (string)[];
  /**
   * gid (as text) that must be able to use the mount; needs VOLUME_MOUNT_GROUP
   */
  'volume_mount_group': (string);
}

/**
 * How a workload wants to use a volume: one access type and one access mode.
 */
export interface VolumeCapability {
  /**
   * as a block device
   */
  'block'?: (_csi_v1_VolumeCapability_BlockVolume | null);
  /**
   * as a mounted filesystem
   */
  'mount'?: (_csi_v1_VolumeCapability_MountVolume | null);
  /**
   * REQUIRED
   */
  'access_mode'?: (_csi_v1_VolumeCapability_AccessMode | null);
  /**
   * REQUIRED: exactly one of the two.
   */
  'access_type'?: "block"|"mount";
}

/**
 * How a workload wants to use a volume: one access type and one access mode.
 */
export interface VolumeCapability__Output {
  /**
   * as a block device
   */
  'block'?: (_csi_v1_VolumeCapability_BlockVolume__Output | null);
  /**
   * as a mounted filesystem
   */
  'mount'?: (_csi_v1_VolumeCapability_MountVolume__Output | null);
  /**
   * REQUIRED
   */
  'access_mode': (_csi_v1_VolumeCapability_AccessMode__Output | null);
  /**
   * REQUIRED: exactly one of the two.
   */
  'access_type'?: "block"|"mount";
}
