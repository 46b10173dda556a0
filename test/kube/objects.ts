// The objects that the tests make, as a user would write them; short names, everything else by default.
import { DRIVER_NAME } from './names.ts'

type Fields = Record<string, unknown>
export const MIB = 1024 * 1024

export interface ClaimOptions {
  readonly name: string
  readonly class: string
  readonly size?: string
  readonly mode?: 'Filesystem' | 'Block'
  readonly access?: string
  readonly source?: { readonly kind: 'VolumeSnapshot' | 'PersistentVolumeClaim'; readonly name: string }
  readonly attributes?: string
  readonly volume?: string
}

export const claim = (options: ClaimOptions): Fields => {
  const { name, size = '64Mi', mode = 'Filesystem', access = 'ReadWriteOnce', source, attributes, volume } = options
  const group = source?.kind === 'VolumeSnapshot' ? { apiGroup: 'snapshot.storage.k8s.io' } : {}
  return {
    metadata: { name },
    spec: {
      storageClassName: options.class,
      accessModes: [access],
      volumeMode: mode,
      resources: { requests: { storage: size } },
      ...(source && { dataSource: { ...group, ...source } }),
      ...(attributes !== undefined && { volumeAttributesClassName: attributes }),
      ...(volume !== undefined && { volumeName: volume }),
    },
  }
}

export const storageClass = (name: string, over: Fields = {}): Fields => ({
  metadata: { name },
  provisioner: DRIVER_NAME,
  allowVolumeExpansion: true,
  ...over,
})

/** A pod that is on a node already: no scheduler is here. */
export const pod = (
  name: string,
  node: string,
  claimName: string,
  mode: 'Filesystem' | 'Block' = 'Filesystem',
): Fields => ({
  metadata: { name },
  spec: {
    nodeName: node,
    automountServiceAccountToken: false,
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
    containers: [
      {
        name: 'app',
        image: 'none',
        ...(mode === 'Block'
          ? { volumeDevices: [{ name: 'data', devicePath: '/dev/data' }] }
          : { volumeMounts: [{ name: 'data', mountPath: '/data' }] }),
      },
    ],
  },
})

export const snapshotClass = (name: string): Fields => ({
  metadata: { name },
  driver: DRIVER_NAME,
  deletionPolicy: 'Delete',
})

export const snapshot = (name: string, className: string, claimName: string): Fields => ({
  metadata: { name },
  spec: { volumeSnapshotClassName: className, source: { persistentVolumeClaimName: claimName } },
})

export const attributesClass = (name: string, parameters: Record<string, string>): Fields => ({
  metadata: { name },
  driverName: DRIVER_NAME,
  parameters,
})
