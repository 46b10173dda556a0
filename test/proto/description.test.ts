// The description that the driver loads means on the wire what proto/csi.proto says: each message and method, by protobuf's own terms.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromJSON, loadSync, type PackageDefinition } from '@grpc/proto-loader'
import { describeProto, PATH } from '../../scripts/proto.ts'
import { protoLoaderOptions } from '../../src/rpc/proto-options.ts'

/** By name, without the options, which are marks for readers. */
function meaningOf(definitions: PackageDefinition): Map<string, unknown> {
  return new Map(
    Object.entries(definitions)
      .filter(([name]) => name.startsWith('csi.v1.'))
      .map(([name, definition]) => [name, JSON.parse(JSON.stringify(definition, withoutMarks)) as unknown]),
  )
}

function withoutMarks(key: string, value: unknown): unknown {
  // Packed or not is an option too, and changes the bytes.
  if (key === 'options') return (value as { packed?: boolean } | null)?.packed === true
  return key === 'fileDescriptorProtos' || key === 'extension' ? undefined : value
}

test('the description that the driver loads says of each message and service what proto/csi.proto says', async t => {
  const expected = meaningOf(loadSync(PATH, protoLoaderOptions))
  const found = meaningOf(fromJSON(JSON.parse(describeProto()) as Parameters<typeof fromJSON>[0], protoLoaderOptions))
  assert.deepEqual([...found.keys()].sort(), [...expected.keys()].sort())
  for (const [name, meaning] of expected) {
    await t.test(name, () => {
      assert.deepEqual(found.get(name), meaning)
    })
  }
})
