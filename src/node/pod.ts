// Which pod a target path is for: kubelet says so in the volume context if it is asked to, and in the path always.
import type { Parameters } from '../volume/types.ts'

/** With podInfoOnMount of the CSIDriver object. */
const POD_UID_KEY = 'csi.storage.k8s.io/pod.uid'
const UID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
/** Of filesystems <root>/pods/UID/volumes/..., of block volumes <root>/plugins/.../volumeDevices/publish/NAME/UID. */
const IN_PATH = /\/pods\/([^/]+)\/volumes\/|\/volumeDevices\/publish\/[^/]+\/([^/]+)$/

/** undefined when nobody says so. */
export function podOf(targetPath: string, volumeContext: Parameters): string | undefined {
  const [, ofMount, ofBlock] = IN_PATH.exec(targetPath) ?? []
  const uid = volumeContext[POD_UID_KEY] ?? ofMount ?? ofBlock
  return uid !== undefined && UID.test(uid) ? uid : undefined
}
