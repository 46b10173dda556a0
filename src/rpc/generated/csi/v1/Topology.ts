// Original file: proto/csi.proto


/**
 * A place in the cluster: key and value pairs that must all match.
 */
export interface Topology {
  /**
   * domain/key to value, for example a zone or a host
   */
  'segments'?: ({[key: string]: string});
}

/**
 * A place in the cluster: key and value pairs that must all match.
 */
export interface Topology__Output {
  /**
   * domain/key to value, for example a zone or a host
   */
  'segments': ({[key: string]: string});
}
