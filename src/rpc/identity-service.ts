// Identity: who this driver is, the same on every instance.

import type { Methods } from './call.ts'
import type { IdentityHandlers } from './generated/csi/v1/Identity.ts'

export interface Identity {
  readonly name: string
  readonly version: string
  /** False while starting; an error would make sidecars exit. */
  readonly ready: () => boolean
  /** The service SnapshotMetadata is served beside this one. */
  readonly snapshotMetadata: boolean
}

export function identityService({ name, version, ready, snapshotMetadata }: Identity): Methods<IdentityHandlers> {
  return {
    GetPluginInfo: async () => ({ name, vendor_version: version }),
    GetPluginCapabilities: async () => ({
      capabilities: [
        { service: { type: 'CONTROLLER_SERVICE' } },
        { service: { type: 'GROUP_CONTROLLER_SERVICE' } },
        { service: { type: 'VOLUME_ACCESSIBILITY_CONSTRAINTS' } },
        ...(snapshotMetadata ? [{ service: { type: 'SNAPSHOT_METADATA_SERVICE' as const } }] : []),
        { volume_expansion: { type: 'ONLINE' } },
      ],
    }),
    Probe: async () => ({ ready: { value: ready() } }),
  }
}
