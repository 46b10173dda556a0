// Which rights the sidecars have been given, and which of them they used, by the audit log of the API server.
import type { Api, Kind, KubeObject } from '../../hack/kube/api.ts'
import { SYSTEM_NAMESPACE } from '../../hack/kube/rig.ts'

/** `patch storage.k8s.io/volumeattachments/status`, as an account used it. */
export type Use = string

/** Roles that are bound to an account of the driver's namespace. */
export async function given(api: Api, kind: Kind): Promise<KubeObject[]> {
  const bindings = await api.list(kind === 'Role' ? 'RoleBinding' : 'ClusterRoleBinding', SYSTEM_NAMESPACE)
  const ours = bindings.filter(
    ({ subjects, roleRef }) =>
      roleRef.kind === kind && subjects?.some((each: KubeObject) => each.namespace === SYSTEM_NAMESPACE),
  )
  const names = new Set(ours.map(({ roleRef }) => roleRef.name))
  return (await api.list(kind, SYSTEM_NAMESPACE)).filter(({ metadata }) => names.has(metadata.name))
}

const useOf = (verb: string, group: string, resource: string): Use => `${verb} ${group}/${resource}`

interface AuditLine {
  readonly verb: string
  readonly user: { readonly username: string }
  readonly objectRef?: { readonly apiGroup?: string; readonly resource?: string; readonly subresource?: string }
}

/** What was asked for by accounts of the driver's namespace, allowed or not. */
export function used(audit: string): Set<Use> {
  const lines = audit.split('\n').filter(line => line.includes(`system:serviceaccount:${SYSTEM_NAMESPACE}:`))
  return new Set(
    lines.map(line => {
      const { verb, objectRef = {} } = JSON.parse(line) as AuditLine
      const { apiGroup = '', resource = '', subresource } = objectRef
      return useOf(verb, apiGroup, subresource === undefined ? resource : `${resource}/${subresource}`)
    }),
  )
}

/** Rights that nobody used, as `role: verb group/resource`. */
export function unusedRights(roles: readonly KubeObject[], uses: ReadonlySet<Use>): string[] {
  return roles.flatMap(({ metadata, rules }) =>
    rules.flatMap(({ apiGroups, resources, verbs }: Record<string, string[]>) =>
      (apiGroups ?? []).flatMap(group =>
        (resources ?? []).flatMap(resource =>
          (verbs ?? [])
            .filter(verb => !uses.has(useOf(verb, group, resource)))
            .map(verb => `${metadata.name}: ${verb} ${group}/${resource}`),
        ),
      ),
    ),
  )
}
