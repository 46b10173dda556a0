// Original file: proto/csi.proto

import type { Topology as _csi_v1_Topology, Topology__Output as _csi_v1_Topology__Output } from '../../csi/v1/Topology.ts';

/**
 * Where a volume must, and would better, be usable from.
 */
export interface TopologyRequirement {
  /**
   * the volume must be usable from at least one of these
   */
  'requisite'?: (_csi_v1_Topology)[];
  /**
   * subset of requisite (when that is given), best first
   */
  'preferred'?: (_csi_v1_Topology)[];
}

/**
 * Where a volume must, and would better, be usable from.
 */
export interface TopologyRequirement__Output {
  /**
   * the volume must be usable from at least one of these
   */
  'requisite': (_csi_v1_Topology__Output)[];
  /**
   * subset of requisite (when that is given), best first
   */
  'preferred': (_csi_v1_Topology__Output)[];
}
