// Original file: proto/csi.proto

import type { Topology as _csi_v1_Topology, Topology__Output as _csi_v1_Topology__Output } from '../../csi/v1/Topology.ts';
import type { Long } from '@grpc/proto-loader';

export interface NodeGetInfoResponse {
  /**
   * REQUIRED: names this node in ControllerPublishVolume; at most 256 bytes
   */
  'node_id'?: (string);
  /**
   * how many volumes may be attached here; 0 leaves it to the orchestrator
   */
  'max_volumes_per_node'?: (number | string | Long);
  /**
   * where this node is
   */
  'accessible_topology'?: (_csi_v1_Topology | null);
}

export interface NodeGetInfoResponse__Output {
  /**
   * REQUIRED: names this node in ControllerPublishVolume; at most 256 bytes
   */
  'node_id': (string);
  /**
   * how many volumes may be attached here; 0 leaves it to the orchestrator
   */
  'max_volumes_per_node': (string);
  /**
   * where this node is
   */
  'accessible_topology': (_csi_v1_Topology__Output | null);
}
