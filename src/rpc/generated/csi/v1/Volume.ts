// Original file: proto/csi.proto

import type { VolumeContentSource as _csi_v1_VolumeContentSource, VolumeContentSource__Output as _csi_v1_VolumeContentSource__Output } from '../../csi/v1/VolumeContentSource.ts';
import type { Topology as _csi_v1_Topology, Topology__Output as _csi_v1_Topology__Output } from '../../csi/v1/Topology.ts';
import type { Long } from '@grpc/proto-loader';

/**
 * A volume as the plugin describes it to the orchestrator.
 */
export interface Volume {
  /**
   * usable size; 0 when unknown
   */
  'capacity_bytes'?: (number | string | Long);
  /**
   * REQUIRED: names the volume in every later call
   */
  'volume_id'?: (string);
  /**
   * opaque facts handed back to us at publish and stage; never secrets
   */
  'volume_context'?: ({[key: string]: string});
  /**
   * what it was filled from; must be set when the request named a source
   */
  'content_source'?: (_csi_v1_VolumeContentSource | null);
  /**
   * where it can be used; empty means everywhere
   */
  'accessible_topology'?: (_csi_v1_Topology)[];
}

/**
 * A volume as the plugin describes it to the orchestrator.
 */
export interface Volume__Output {
  /**
   * usable size; 0 when unknown
   */
  'capacity_bytes': (string);
  /**
   * REQUIRED: names the volume in every later call
   */
  'volume_id': (string);
  /**
   * opaque facts handed back to us at publish and stage; never secrets
   */
  'volume_context': ({[key: string]: string});
  /**
   * what it was filled from; must be set when the request named a source
   */
  'content_source': (_csi_v1_VolumeContentSource__Output | null);
  /**
   * where it can be used; empty means everywhere
   */
  'accessible_topology': (_csi_v1_Topology__Output)[];
}
