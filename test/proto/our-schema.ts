// Parses proto/csi.proto with protobufjs and turns it into a Schema.
import { readFileSync } from 'node:fs'
import protobuf from 'protobufjs'
import { loadProto, PATH } from '../../scripts/proto.ts'
import { type Facts, formatOptions, type Schema } from './schema.ts'

const packageName = 'csi.v1'

/** The namespace csi.v1 of proto/csi.proto, types resolved, comments (leading or trailing) in `comment`. */
export function loadOurProto(): protobuf.Namespace {
  const namespace = loadProto().lookup(packageName)
  if (!(namespace instanceof protobuf.Namespace)) throw new Error(`proto/csi.proto declares no package ${packageName}`)
  return namespace
}

/** A full name without the leading dot. */
function nameOf(element: protobuf.ReflectionObject): string {
  return element.fullName.slice(1)
}

/** `(csi_secret)`, as written in the proto, becomes `csi.v1.csi_secret`; a name with dots is already complete. */
function optionText(options: Record<string, unknown> | null | undefined): string {
  const rename = (name: string): string => {
    const custom = /^\(\.?(.*)\)$/.exec(name)?.[1]
    if (custom === undefined) return name
    return custom.includes('.') ? custom : `${packageName}.${custom}`
  }
  return formatOptions(Object.fromEntries(Object.entries(options ?? {}).map(([name, value]) => [rename(name), value])))
}

function typeText(field: protobuf.FieldBase): string {
  const target = field.resolvedType
  if (target === null) return field.type
  return `${target instanceof protobuf.Enum ? 'enum' : 'message'} ${nameOf(target)}`
}

function labelText(field: protobuf.Field): string {
  if (field.repeated) return 'repeated'
  return field.required ? 'required' : 'optional'
}

function messageFacts(message: protobuf.Type): Facts {
  const facts: Facts = new Map([['options', optionText(message.options)]])
  for (const field of message.fieldsArray) {
    const isMap = field instanceof protobuf.MapField
    facts.set(`${field.name} number`, String(field.id))
    facts.set(`${field.name} type`, isMap ? `map<${field.keyType}, ${typeText(field)}>` : typeText(field))
    facts.set(`${field.name} label`, isMap ? 'map' : labelText(field))
    facts.set(`${field.name} oneof`, field.partOf?.name ?? 'none')
    facts.set(`${field.name} options`, optionText(field.options))
  }
  return facts
}

function enumFacts(definition: protobuf.Enum): Facts {
  const facts: Facts = new Map([['options', optionText(definition.options)]])
  for (const [name, number] of Object.entries(definition.values)) {
    facts.set(`${name} number`, String(number))
    facts.set(`${name} options`, optionText(definition.valuesOptions?.[name]))
  }
  return facts
}

function serviceFacts(service: protobuf.Service): Facts {
  const facts: Facts = new Map([['options', optionText(service.options)]])
  for (const method of service.methodsArray) {
    const { resolvedRequestType: request, resolvedResponseType: response } = method
    if (!request || !response) throw new Error(`proto/csi.proto: ${nameOf(method)} has a type that does not resolve`)
    facts.set(`${method.name} request`, nameOf(request))
    facts.set(`${method.name} response`, nameOf(response))
    facts.set(`${method.name} request stream`, String(method.requestStream ?? false))
    facts.set(`${method.name} response stream`, String(method.responseStream ?? false))
    facts.set(`${method.name} options`, optionText(method.options))
  }
  return facts
}

function extensionFacts(field: protobuf.Field): Facts {
  return new Map([
    ['number', String(field.id)],
    ['type', typeText(field)],
    ['label', labelText(field)],
    ['extends', field.extend ?? 'none'],
    ['options', optionText(field.options)],
  ])
}

function addNamespace(schema: Schema, namespace: protobuf.NamespaceBase): void {
  for (const element of namespace.nestedArray) {
    const name = nameOf(element)
    if (element instanceof protobuf.Type) {
      schema.set(`message ${name}`, messageFacts(element))
      addNamespace(schema, element)
    } else if (element instanceof protobuf.Enum) schema.set(`enum ${name}`, enumFacts(element))
    else if (element instanceof protobuf.Service) schema.set(`service ${name}`, serviceFacts(element))
    else if (element instanceof protobuf.Field) schema.set(`extension ${name}`, extensionFacts(element))
    else throw new Error(`proto/csi.proto: cannot compare ${name}`)
  }
}

/** proto/csi.proto as a Schema. Throws when it does not parse or names a type that does not exist. */
export function readOurSchema(): Schema {
  // protobufjs keeps no syntax on its objects; without the line a file would be proto2.
  const syntax = /^syntax = "(.*)";$/m.exec(readFileSync(PATH, 'utf8'))?.[1] ?? 'proto2'
  const schema: Schema = new Map([['file', new Map([['syntax', syntax]])]])
  addNamespace(schema, loadOurProto())
  return schema
}
