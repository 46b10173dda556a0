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
 * The messages and services as JSON for protobufjs. To read that takes half as long as the text, which is a third of the
 * driver's start. Left out are the marks for readers (`(csi_secret)` ...), which nothing on the wire depends on, and
 * Google's description of descriptors, in which they are declared.
 */
export function describeProto(): string {
  const root = loadProto()
  const [own, google] = [root.lookup('csi.v1'), root.lookup('google.protobuf')]
  for (const space of [own, google]) {
    if (!(space instanceof protobuf.Namespace))
      throw new Error('proto/csi.proto has no csi.v1, or imports nothing of google.protobuf')
    for (const each of space.nestedArray) {
      if (each instanceof protobuf.Field || each.filename?.endsWith('descriptor.proto')) space.remove(each)
    }
  }
  return `${JSON.stringify(root, (key, value: unknown) => (isMark(key, value) ? undefined : value), 1)}\n`
}

function isMark(key: string, value: unknown): boolean {
  if (key === 'options') return Object.keys(value as object).every(name => name.startsWith('('))
  return key === 'parsedOptions'
}
