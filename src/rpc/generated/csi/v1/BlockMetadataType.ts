// Original file: proto/csi.proto

/**
 * How the ranges of one stream are cut; the same in every message of the stream.
 */
export const BlockMetadataType = {
  /**
   * never sent
   */
  UNKNOWN: 'UNKNOWN',
  /**
   * every range has the same size
   */
  FIXED_LENGTH: 'FIXED_LENGTH',
  /**
   * ranges have their own sizes
   */
  VARIABLE_LENGTH: 'VARIABLE_LENGTH',
} as const;

/**
 * How the ranges of one stream are cut; the same in every message of the stream.
 */
export type BlockMetadataType =
  /**
   * never sent
   */
  | 'UNKNOWN'
  | 0
  /**
   * every range has the same size
   */
  | 'FIXED_LENGTH'
  | 1
  /**
   * ranges have their own sizes
   */
  | 'VARIABLE_LENGTH'
  | 2

/**
 * How the ranges of one stream are cut; the same in every message of the stream.
 */
export type BlockMetadataType__Output = typeof BlockMetadataType[keyof typeof BlockMetadataType]
