// Original file: proto/csi.proto


/**
 * Health of a volume in words.
 */
export interface VolumeCondition {
  /**
   * REQUIRED: true when the volume needs attention
   */
  'abnormal'?: (boolean);
  /**
   * REQUIRED: what is wrong, for people
   */
  'message'?: (string);
}

/**
 * Health of a volume in words.
 */
export interface VolumeCondition__Output {
  /**
   * REQUIRED: true when the volume needs attention
   */
  'abnormal': (boolean);
  /**
   * REQUIRED: what is wrong, for people
   */
  'message': (string);
}
