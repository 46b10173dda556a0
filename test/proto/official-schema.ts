// Reads the official CSI descriptor from the pinned Go module and turns it into a Schema.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { type Facts, formatOptions, type Schema } from './schema.ts'

// The parts of descriptor.proto that the comparison reads, in protojson spelling.
type Options = Record<string, unknown>
type Field = {
  name: string
  number: number
  label: string
  type: string
  typeName?: string
  oneofIndex?: number
  extendee?: string
  options?: Options
}
type Enum = { name: string; value?: { name: string; number?: number; options?: Options }[]; options?: Options }
type Message = {
  name: string
  field?: Field[]
  nestedType?: Message[]
  enumType?: Enum[]
  oneofDecl?: { name: string }[]
  extension?: Field[]
  options?: Options
}
type Method = {
  name: string
  inputType: string
  outputType: string
  clientStreaming?: boolean
  serverStreaming?: boolean
  options?: Options
}
type Service = { name: string; method?: Method[]; options?: Options }
type File = {
  package: string
  syntax: string
  messageType: Message[]
  enumType?: Enum[]
  service: Service[]
  extension?: Field[]
}

/** Runs the Go program beside this file. Throws with the way out when Go is missing or the build fails. */
function readDescriptor(): File {
  const run = spawnSync('go', ['run', '.'], {
    cwd: join(import.meta.dirname, 'official'),
    encoding: 'utf8',
    maxBuffer: 16 * 1024 * 1024,
  })
  if (run.error !== undefined) {
    const missing = 'code' in run.error && run.error.code === 'ENOENT'
    throw new Error(
      missing
        ? 'the official CSI descriptor is read with Go, and `go` is not on PATH: run scripts/setup, which installs it'
        : `cannot run go: ${run.error.message}`,
    )
  }
  if (run.status !== 0) throw new Error(`\`go run .\` in test/proto/official failed:\n${run.stderr}`)
  return JSON.parse(run.stdout) as File
}

/** `[csi.v1.csi_secret]`, as protojson writes an extension, becomes `csi.v1.csi_secret`. */
function optionText(options: Options | undefined): string {
  return formatOptions(
    Object.fromEntries(Object.entries(options ?? {}).map(([name, value]) => [name.replace(/^\[(.*)\]$/, '$1'), value])),
  )
}

function typeText(field: Field): string {
  const kind = field.type.replace('TYPE_', '').toLowerCase()
  return field.typeName === undefined ? kind : `${kind} ${field.typeName.slice(1)}`
}

/** `map<key, value>` when the field is one, else undefined: a map is a repeated message marked as map entry. */
function mapText(field: Field, owner: Message): string | undefined {
  const entry = owner.nestedType?.find(
    nested => nested.options?.['mapEntry'] === true && field.typeName?.endsWith(`.${owner.name}.${nested.name}`),
  )
  const [key, value] = entry?.field ?? []
  return key === undefined || value === undefined ? undefined : `map<${typeText(key)}, ${typeText(value)}>`
}

function messageFacts(message: Message): Facts {
  const facts: Facts = new Map([['options', optionText(message.options)]])
  for (const field of message.field ?? []) {
    const map = mapText(field, message)
    const oneof = field.oneofIndex === undefined ? undefined : message.oneofDecl?.[field.oneofIndex]?.name
    facts.set(`${field.name} number`, String(field.number))
    facts.set(`${field.name} type`, map ?? typeText(field))
    facts.set(`${field.name} label`, map === undefined ? field.label.replace('LABEL_', '').toLowerCase() : 'map')
    facts.set(`${field.name} oneof`, oneof ?? 'none')
    facts.set(`${field.name} options`, optionText(field.options))
  }
  return facts
}

function enumFacts(definition: Enum): Facts {
  const facts: Facts = new Map([['options', optionText(definition.options)]])
  for (const value of definition.value ?? []) {
    facts.set(`${value.name} number`, String(value.number ?? 0))
    facts.set(`${value.name} options`, optionText(value.options))
  }
  return facts
}

function serviceFacts(service: Service): Facts {
  const facts: Facts = new Map([['options', optionText(service.options)]])
  for (const method of service.method ?? []) {
    facts.set(`${method.name} request`, method.inputType.slice(1))
    facts.set(`${method.name} response`, method.outputType.slice(1))
    facts.set(`${method.name} request stream`, String(method.clientStreaming ?? false))
    facts.set(`${method.name} response stream`, String(method.serverStreaming ?? false))
    facts.set(`${method.name} options`, optionText(method.options))
  }
  return facts
}

function addExtensions(schema: Schema, extensions: Field[] | undefined, scope: string): void {
  for (const field of extensions ?? []) {
    const facts: Facts = new Map([
      ['number', String(field.number)],
      ['type', typeText(field)],
      ['label', field.label.replace('LABEL_', '').toLowerCase()],
      ['extends', field.extendee?.slice(1) ?? 'none'],
      ['options', optionText(field.options)],
    ])
    schema.set(`extension ${scope}.${field.name}`, facts)
  }
}

function addMessage(schema: Schema, message: Message, scope: string): void {
  if (message.options?.['mapEntry'] === true) return
  const name = `${scope}.${message.name}`
  schema.set(`message ${name}`, messageFacts(message))
  for (const nested of message.nestedType ?? []) addMessage(schema, nested, name)
  for (const nested of message.enumType ?? []) schema.set(`enum ${name}.${nested.name}`, enumFacts(nested))
  addExtensions(schema, message.extension, name)
}

/** The official CSI 1.12.0 as a Schema. Needs `go` and, the first time, the Go module proxy. */
export function readOfficialSchema(): Schema {
  const file = readDescriptor()
  const schema: Schema = new Map([['file', new Map([['syntax', file.syntax]])]])
  for (const message of file.messageType) addMessage(schema, message, file.package)
  for (const definition of file.enumType ?? []) {
    schema.set(`enum ${file.package}.${definition.name}`, enumFacts(definition))
  }
  for (const service of file.service) schema.set(`service ${file.package}.${service.name}`, serviceFacts(service))
  addExtensions(schema, file.extension, file.package)
  return schema
}
