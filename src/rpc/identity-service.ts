// Identity: who this driver is, the same on every instance.

import type { Methods } from './call.ts'
import type { IdentityHandlers } from './generated/csi/v1/Identity.ts'

export interface Identity {
  readonly name: string
  readonly version: string
  /** False while starting; an error would make sidecars exit. */
  readonly ready: () => boolean
}

export function identityService({ name, version, ready }: Identity): Methods<IdentityHandlers> {
  return {
    GetPluginInfo: async () => ({ name, vendor_version: version }),
    GetPluginCapabilities: async () => ({
      capabilities: [
        { service: { type: 'CONTROLLER_SERVICE' } },
        { service: { type: 'GROUP_CONTROLLER_SERVICE' } },
        { service: { type: 'VOLUME_ACCESSIBILITY_CONSTRAINTS' } },
        { volume_expansion: { type: 'ONLINE' } },
      ],
    }),
    Probe: async () => ({ ready: { value: ready() } }),
  }
}
