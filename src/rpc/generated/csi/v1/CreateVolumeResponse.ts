// Original file: proto/csi.proto

import type { Volume as _csi_v1_Volume, Volume__Output as _csi_v1_Volume__Output } from '../../csi/v1/Volume.ts';

export interface CreateVolumeResponse {
  /**
   * REQUIRED: the new volume, or the one that already had this name
   */
  'volume'?: (_csi_v1_Volume | null);
}

export interface CreateVolumeResponse__Output {
  /**
   * REQUIRED: the new volume, or the one that already had this name
   */
  'volume': (_csi_v1_Volume__Output | null);
}
