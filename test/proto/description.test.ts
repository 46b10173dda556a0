// The descriptions that the driver loads mean on the wire what proto/csi.proto says: each message and method, by protobuf's own terms.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromJSON, loadSync, type PackageDefinition } from '@grpc/proto-loader'
import { describeServices, PATH } from '../../scripts/proto.ts'
import { protoLoaderOptions } from '../../src/rpc/proto-options.ts'

/** By name, without the options, which are marks for readers. */
function meaningOf(definitions: PackageDefinition): Map<string, unknown> {
  return new Map(
    Object.entries(definitions)
      .filter(([name]) => name.startsWith('csi.v1.'))
      .map(([name, definition]) => [name, JSON.parse(JSON.stringify(definition, withoutMarks)) as unknown]),
  )
}

function meaningIn(json: string): Map<string, unknown> {
  return meaningOf(fromJSON(JSON.parse(json) as Parameters<typeof fromJSON>[0], protoLoaderOptions))
}

function withoutMarks(key: string, value: unknown): unknown {
  // Packed or not is an option too, and changes the bytes.
  if (key === 'options') return (value as { packed?: boolean } | null)?.packed === true
  return key === 'fileDescriptorProtos' || key === 'extension' ? undefined : value
}

const expected = meaningOf(loadSync(PATH, protoLoaderOptions))
const services = describeServices()

test('the descriptions that the driver loads have each message and service of proto/csi.proto', () => {
  const found = [...services.values()].flatMap(json => [...meaningIn(json).keys()])
  assert.deepEqual([...new Set(found)].sort(), [...expected.keys()].sort())
})

for (const [service, json] of services) {
  test(`the description of ${service} says of its messages what proto/csi.proto says`, async t => {
    const found = meaningIn(json)
    assert.ok(found.has(`csi.v1.${service}`))
    for (const [name, meaning] of found) {
      await t.test(name, () => {
        assert.deepEqual(meaning, expected.get(name))
      })
    }
  })
}
