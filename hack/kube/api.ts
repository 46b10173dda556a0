// The API of Kubernetes over HTTPS: objects as they are, YAML as it is; the server reads both.
import { Agent, request } from 'node:https'

/** Whatever JSON has: objects of Kubernetes have no types here, and the tests look into them. */
export type KubeObject = ReturnType<typeof JSON.parse>

/** Where the objects of a kind are, and whether they are in a namespace. */
const KINDS = {
  ConfigMap: ['/api/v1', 'configmaps', true],
  ClusterRole: ['/apis/rbac.authorization.k8s.io/v1', 'clusterroles', false],
  ClusterRoleBinding: ['/apis/rbac.authorization.k8s.io/v1', 'clusterrolebindings', false],
  CSIDriver: ['/apis/storage.k8s.io/v1', 'csidrivers', false],
  CSINode: ['/apis/storage.k8s.io/v1', 'csinodes', false],
  CSIStorageCapacity: ['/apis/storage.k8s.io/v1', 'csistoragecapacities', true],
  CustomResourceDefinition: ['/apis/apiextensions.k8s.io/v1', 'customresourcedefinitions', false],
  DaemonSet: ['/apis/apps/v1', 'daemonsets', true],
  Deployment: ['/apis/apps/v1', 'deployments', true],
  Event: ['/api/v1', 'events', true],
  Lease: ['/apis/coordination.k8s.io/v1', 'leases', true],
  Namespace: ['/api/v1', 'namespaces', false],
  NetworkPolicy: ['/apis/networking.k8s.io/v1', 'networkpolicies', true],
  Node: ['/api/v1', 'nodes', false],
  PersistentVolume: ['/api/v1', 'persistentvolumes', false],
  PersistentVolumeClaim: ['/api/v1', 'persistentvolumeclaims', true],
  Pod: ['/api/v1', 'pods', true],
  PodDisruptionBudget: ['/apis/policy/v1', 'poddisruptionbudgets', true],
  Role: ['/apis/rbac.authorization.k8s.io/v1', 'roles', true],
  RoleBinding: ['/apis/rbac.authorization.k8s.io/v1', 'rolebindings', true],
  ServiceAccount: ['/api/v1', 'serviceaccounts', true],
  StorageClass: ['/apis/storage.k8s.io/v1', 'storageclasses', false],
  VolumeAttachment: ['/apis/storage.k8s.io/v1', 'volumeattachments', false],
  VolumeAttributesClass: ['/apis/storage.k8s.io/v1', 'volumeattributesclasses', false],
  VolumeSnapshot: ['/apis/snapshot.storage.k8s.io/v1', 'volumesnapshots', true],
  VolumeSnapshotClass: ['/apis/snapshot.storage.k8s.io/v1', 'volumesnapshotclasses', false],
  VolumeSnapshotContent: ['/apis/snapshot.storage.k8s.io/v1', 'volumesnapshotcontents', false],
} as const satisfies Record<string, readonly [string, string, boolean]>

export type Kind = keyof typeof KINDS
export const NAMESPACE = 'default'

export const isKind = (text: string): text is Kind => Object.hasOwn(KINDS, text)

export const kindOf = (yaml: string): string => /^kind: *["']?(\w+)/m.exec(yaml)?.[1] ?? ''

export class ApiError extends Error {
  readonly code: number
  readonly reason: string

  constructor(what: string, code: number, body: string) {
    const status = body.startsWith('{') ? (JSON.parse(body) as { message?: string; reason?: string }) : {}
    super(`${what}: ${code} ${status.message ?? body}`)
    this.code = code
    this.reason = status.reason ?? ''
  }
}

const MERGE = 'application/merge-patch+json'

export class Api {
  readonly #port: number
  readonly #ca: string
  readonly #token: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 })

  constructor(port: number, ca: string, token: string) {
    this.#port = port
    this.#ca = ca
    this.#token = token
  }

  async call(method: string, path: string, body?: string, type = 'application/json'): Promise<KubeObject> {
    const { code, text } = await new Promise<{ code: number; text: string }>((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${this.#token}`,
        accept: 'application/json',
        'content-type': type,
        // Node sends the body of a DELETE without its length, and the server takes it for the next request.
        'content-length': Buffer.byteLength(body ?? ''),
      }
      const options = { host: '127.0.0.1', port: this.#port, ca: this.#ca, agent: this.#agent, method, path, headers }
      const sent = request(options, reply => {
        const chunks: Buffer[] = []
        reply.on('data', (chunk: Buffer) => chunks.push(chunk)).once('error', reject)
        reply.once('end', () => resolve({ code: reply.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
      })
      sent.once('error', reject)
      sent.end(body)
    })
    if (code >= 300) throw new ApiError(`${method} ${path}`, code, text)
    return text.startsWith('{') ? JSON.parse(text) : text
  }

  async create(kind: Kind, object: object, namespace = NAMESPACE): Promise<KubeObject> {
    const [group] = KINDS[kind]
    const apiVersion = group.replace(/^\/apis?\//, '')
    return await this.call('POST', pathOf(kind, undefined, namespace), JSON.stringify({ apiVersion, kind, ...object }))
  }

  /** One document of YAML; `namespace` for what names none. Answers the object as the server understood it. */
  async createYaml(text: string, namespace = NAMESPACE): Promise<KubeObject> {
    const kind = kindOf(text)
    if (!isKind(kind)) throw new Error(`no place is known for objects of kind ${kind}`)
    const place = /^ {2}namespace: *["']?([\w-]+)/m.exec(text)?.[1] ?? namespace
    return await this.call('POST', pathOf(kind, undefined, place), text, 'application/yaml')
  }

  async get(kind: Kind, name: string, namespace = NAMESPACE): Promise<KubeObject> {
    return await this.call('GET', pathOf(kind, name, namespace))
  }

  async find(kind: Kind, name: string, namespace = NAMESPACE): Promise<KubeObject | undefined> {
    return await this.get(kind, name, namespace).catch((error: unknown) => {
      if (error instanceof ApiError && error.code === 404) return undefined
      throw error
    })
  }

  async list(kind: Kind, namespace = NAMESPACE): Promise<KubeObject[]> {
    const { items } = (await this.call('GET', pathOf(kind, undefined, namespace))) as { items: KubeObject[] }
    return items
  }

  async patch(kind: Kind, name: string, change: object, namespace = NAMESPACE): Promise<KubeObject> {
    return await this.call('PATCH', pathOf(kind, name, namespace), JSON.stringify(change), MERGE)
  }

  /** What kubelet says about an object. */
  async patchStatus(kind: Kind, name: string, status: object, namespace = NAMESPACE): Promise<KubeObject> {
    return await this.call('PATCH', `${pathOf(kind, name, namespace)}/status`, JSON.stringify({ status }), MERGE)
  }

  /** The object may stay for a while: finalizers. What is gone already is fine. */
  async remove(kind: Kind, name: string, options: { now?: boolean; namespace?: string } = {}): Promise<void> {
    const body = options.now === true ? JSON.stringify({ gracePeriodSeconds: 0 }) : undefined
    await this.call('DELETE', pathOf(kind, name, options.namespace), body).catch((error: unknown) => {
      if (!(error instanceof ApiError) || error.code !== 404) throw error
    })
  }

  /** A token of a service account, as a pod of it has. */
  async tokenOf(account: string, namespace: string): Promise<string> {
    const path = `${pathOf('ServiceAccount', account, namespace)}/token`
    const { status } = (await this.call('POST', path, '{"spec":{"expirationSeconds":7200}}')) as {
      status: { token: string }
    }
    return status.token
  }

  close(): void {
    this.#agent.destroy()
  }
}

function pathOf(kind: Kind, name?: string, namespace = NAMESPACE): string {
  const [group, plural, isNamespaced] = KINDS[kind]
  return [
    group,
    ...(isNamespaced ? ['namespaces', namespace] : []),
    plural,
    ...(name === undefined ? [] : [name]),
  ].join('/')
}
