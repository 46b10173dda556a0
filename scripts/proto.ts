// proto/csi.proto, read by protobufjs, and what the driver needs of it to run.
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import protobuf from 'protobufjs'

export const PATH = resolve(import.meta.dirname, '../proto/csi.proto')

/** All that the proto says, types resolved, comments (leading or trailing) in `comment`. */
export function loadProto(): protobuf.Root {
  const root = new protobuf.Root()
  const { resolve: resolveModule } = createRequire(import.meta.url)
  // Google's own files come with protobufjs.
  root.resolvePath = (_origin, target) =>
    target.startsWith('google/') ? resolveModule(`protobufjs/${target}`) : target
  root.loadSync(PATH, { keepCase: true, alternateCommentMode: true })
  root.resolveAll()
  return root
}

/**
 * Each service, by its name, with the messages that it needs, as JSON for protobufjs. To read that takes half as long as
 * the text. Left out are the marks for readers (`(csi_secret)` ...), which nothing on the wire depends on.
 */
export function describeServices(): Map<string, string> {
  const own = loadProto().lookup('csi.v1')
  if (!(own instanceof protobuf.Namespace)) throw new Error('proto/csi.proto has no csi.v1')
  const services = own.nestedArray.filter(each => each instanceof protobuf.Service)
  return new Map(services.map(({ name }) => [name, describeService(name)]))
}

function describeService(name: string): string {
  const root = loadProto()
  const needed = neededBy(root.lookupService(`csi.v1.${name}`))
  for (const space of ['csi.v1', 'google.protobuf'].map(path => root.lookup(path))) {
    if (!(space instanceof protobuf.Namespace)) throw new Error('proto/csi.proto imports nothing of google.protobuf')
    for (const each of space.nestedArray) if (!needed.has(each)) space.remove(each)
    if (space.nestedArray.length === 0) space.parent?.remove(space)
  }
  return `${JSON.stringify(root, (key, value: unknown) => (isMark(key, value) ? undefined : value), 1)}\n`
}

/** The service, its messages, and what these are made of; of what is declared inside a message, the message. */
function neededBy(service: protobuf.Service): Set<protobuf.ReflectionObject> {
  const needed = new Set<protobuf.ReflectionObject>([service])
  const add = (found: protobuf.ReflectionObject | null): void => {
    const outer = found && outermost(found)
    if (!outer || needed.has(outer)) return
    needed.add(outer)
    if (outer instanceof protobuf.Type) for (const field of fieldsOf(outer)) add(field.resolvedType)
  }
  for (const { resolvedRequestType, resolvedResponseType } of service.methodsArray) {
    add(resolvedRequestType)
    add(resolvedResponseType)
  }
  return needed
}

function fieldsOf(type: protobuf.Type): protobuf.Field[] {
  const inner = type.nestedArray.filter(each => each instanceof protobuf.Type)
  return [...type.fieldsArray, ...inner.flatMap(fieldsOf)]
}

function outermost(found: protobuf.ReflectionObject): protobuf.ReflectionObject {
  return found.parent instanceof protobuf.Type ? outermost(found.parent) : found
}

function isMark(key: string, value: unknown): boolean {
  if (key === 'options') return Object.keys(value as object).every(name => name.startsWith('('))
  return key === 'parsedOptions'
}
