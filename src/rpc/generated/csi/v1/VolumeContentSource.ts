// Original file: proto/csi.proto


/**
 * An existing snapshot.
 */
export interface _csi_v1_VolumeContentSource_SnapshotSource {
  /**
   * REQUIRED
   */
  'snapshot_id'?: (string);
}

/**
 * An existing snapshot.
 */
export interface _csi_v1_VolumeContentSource_SnapshotSource__Output {
  /**
   * REQUIRED
   */
  'snapshot_id': (string);
}

/**
 * An existing volume (a clone).
 */
export interface _csi_v1_VolumeContentSource_VolumeSource {
  /**
   * REQUIRED
   */
  'volume_id'?: (string);
}

/**
 * An existing volume (a clone).
 */
export interface _csi_v1_VolumeContentSource_VolumeSource__Output {
  /**
   * REQUIRED
   */
  'volume_id': (string);
}

/**
 * What a new volume is filled from.
 */
export interface VolumeContentSource {
  /**
   * restore a snapshot
   */
  'snapshot'?: (_csi_v1_VolumeContentSource_SnapshotSource | null);
  /**
   * clone a volume
   */
  'volume'?: (_csi_v1_VolumeContentSource_VolumeSource | null);
  'type'?: "snapshot"|"volume";
}

/**
 * What a new volume is filled from.
 */
export interface VolumeContentSource__Output {
  /**
   * restore a snapshot
   */
  'snapshot'?: (_csi_v1_VolumeContentSource_SnapshotSource__Output | null);
  /**
   * clone a volume
   */
  'volume'?: (_csi_v1_VolumeContentSource_VolumeSource__Output | null);
  'type'?: "snapshot"|"volume";
}
