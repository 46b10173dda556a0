// What the chart renders, as objects to look into.
import { parseAllDocuments } from 'yaml'
import { template } from '../../scripts/chart-render.ts'

export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> }
  readonly [key: string]: unknown
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly args?: readonly string[]
  readonly command?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value?: string }[]
  readonly securityContext: {
    readonly privileged?: boolean
    readonly runAsUser?: number
    readonly runAsGroup?: number
    readonly readOnlyRootFilesystem?: boolean
    readonly allowPrivilegeEscalation?: boolean
    readonly capabilities?: { readonly drop: readonly string[] }
  }
  readonly resources: {
    readonly requests?: object
    readonly limits?: { readonly cpu?: string; readonly memory?: string }
  }
  readonly volumeMounts: readonly {
    readonly name: string
    readonly mountPath: string
    readonly mountPropagation?: 'Bidirectional' | 'HostToContainer'
    readonly readOnly?: boolean
  }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
}

export interface PodSpec {
  readonly automountServiceAccountToken: boolean
  readonly serviceAccountName: string
  readonly priorityClassName: string
  readonly hostNetwork?: boolean
  readonly hostPID?: boolean
  readonly securityContext: {
    readonly runAsNonRoot?: boolean
    readonly runAsUser?: number
    readonly runAsGroup?: number
    readonly fsGroup?: number
  }
  readonly containers: readonly Container[]
  readonly volumes: readonly {
    readonly name: string
    readonly hostPath?: { readonly path: string; readonly type: string }
  }[]
}

export interface Workload extends KubeObject {
  readonly spec: {
    readonly replicas?: number
    readonly template: { readonly metadata: { readonly annotations: Record<string, string> }; readonly spec: PodSpec }
  }
}

export interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
  readonly resourceNames?: readonly string[]
}

export function parseObjects(text: string): KubeObject[] {
  return parseAllDocuments(text, { uniqueKeys: true }).flatMap(document => {
    if (document.errors[0]) throw document.errors[0]
    const value = document.toJS() as KubeObject | null
    return value === null ? [] : [value]
  })
}

/** Of a profile of charts/ashlar/ci; throws what helm says. */
export function objectsOf(profile: string, more: readonly string[] = [], apis?: readonly string[]): KubeObject[] {
  const { stdout, stderr, code } = template(profile, more, apis)
  if (code !== 0) throw new Error(stderr)
  return parseObjects(stdout)
}

export function kind(objects: readonly KubeObject[], wanted: string): KubeObject[] {
  return objects.filter(each => each.kind === wanted)
}

export function only(objects: readonly KubeObject[], wanted: string, ending = ''): KubeObject {
  const [found, second] = kind(objects, wanted).filter(each => each.metadata.name.endsWith(ending))
  if (!found || second) throw new Error(`${found ? 'several' : 'no'} ${wanted} ${ending}`)
  return found
}

export const workload = (objects: readonly KubeObject[], wanted: 'Deployment' | 'DaemonSet'): Workload =>
  only(objects, wanted) as Workload

export const podOf = (objects: readonly KubeObject[], wanted: 'Deployment' | 'DaemonSet'): PodSpec =>
  workload(objects, wanted).spec.template.spec

export function container(pod: PodSpec, name: string): Container {
  const found = pod.containers.find(each => each.name === name)
  if (!found) throw new Error(`no container ${name} among ${pod.containers.map(each => each.name).join(', ')}`)
  return found
}
