// Kubernetes' own description of its API, made strict: a key that it does not name is an error.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv, type ValidateFunction } from 'ajv'
import { openApiFolder } from '../layers/requirements.ts'
import type { KubeObject } from './objects.ts'

interface Described {
  readonly components: { readonly schemas: Record<string, Record<string, unknown>> }
}

/** By a URI that ajv can find them under. */
const FILES: Readonly<Record<string, string>> = {
  v1: 'api__v1',
  'apps/v1': 'apis__apps__v1',
  'networking.k8s.io/v1': 'apis__networking.k8s.io__v1',
  'policy/v1': 'apis__policy__v1',
  'rbac.authorization.k8s.io/v1': 'apis__rbac.authorization.k8s.io__v1',
  'storage.k8s.io/v1': 'apis__storage.k8s.io__v1',
}
/** Kinds of others: there is nothing to check them against. */
export const FOREIGN: readonly string[] = ['snapshot.storage.k8s.io/v1', 'monitoring.coreos.com/v1']

/** Unknown keys are errors; `default` of Kubernetes is no concern of a check. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict)
  if (typeof schema !== 'object' || schema === null) return schema
  const entries = Object.entries(schema).map(([key, value]) => [key, strict(value)] as const)
  const closed = 'properties' in schema && !('additionalProperties' in schema) ? { additionalProperties: false } : {}
  return { ...Object.fromEntries(entries.filter(([key]) => key !== 'default' && key !== 'format')), ...closed }
}

interface Group {
  readonly ajv: Ajv
  readonly schemas: Described['components']['schemas']
}
const groups = new Map<string, Group>()

function groupOf(apiVersion: string): Group {
  const known = groups.get(apiVersion)
  if (known) return known
  const file = FILES[apiVersion]
  if (file === undefined) throw new Error(`no schema for ${apiVersion}`)
  const { components } = JSON.parse(readFileSync(join(openApiFolder(), `${file}_openapi.json`), 'utf8')) as Described
  const ajv = new Ajv({ allErrors: true, strict: false })
  ajv.addSchema({ $id: 'api', components: strict(components) as object })
  const group = { ajv, schemas: components.schemas }
  groups.set(apiVersion, group)
  return group
}

function validatorOf({ apiVersion, kind }: KubeObject): ValidateFunction {
  const { ajv, schemas } = groupOf(apiVersion)
  const isMeant = (schema: Record<string, unknown>) => {
    const kinds = (schema['x-kubernetes-group-version-kind'] ?? []) as {
      group: string
      version: string
      kind: string
    }[]
    return kinds.some(each => each.kind === kind && [each.group, each.version].filter(Boolean).join('/') === apiVersion)
  }
  const name = Object.keys(schemas).find(each => isMeant(schemas[each] ?? {}))
  if (name === undefined) throw new Error(`${apiVersion} has no ${kind}`)
  const validate = ajv.getSchema(`api#/components/schemas/${name}`)
  if (!validate) throw new Error(`no schema ${name}`)
  return validate
}

/** What is wrong with the object, each with its path. */
export function problemsOf(object: KubeObject): string[] {
  const validate = validatorOf(object)
  const isRight: boolean = validate(object)
  if (isRight) return []
  return (validate.errors ?? []).map(({ instancePath, message, params }) => {
    const { additionalProperty = '' } = params as { additionalProperty?: string }
    return `${object.kind} ${object.metadata.name}: ${instancePath} ${message ?? ''} ${additionalProperty}`.trimEnd()
  })
}
