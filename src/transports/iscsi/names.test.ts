// Tests of names on the wire: what a node is called fits wherever the name has to go.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { encodeVolumeId } from '../../volume/ids.ts'
import { encodeNodeId, isIqn, parseNodeId } from '../../volume/node-id.ts'
import { initiatorName, lunOf } from './names.ts'

const idOf = (name: string): string => encodeNodeId({ name, initiator: initiatorName(name) })

it('the initiator of a node is called as the node while its whole id has room in Kubernetes', () => {
  assert.equal(initiatorName('node-a'), 'iqn.2026-01.dev.ashlar:node.node-a')
  const longest = 'a'.repeat(81)
  assert.equal(initiatorName(longest), `iqn.2026-01.dev.ashlar:node.${longest}`)
  assert.equal(Buffer.byteLength(idOf(longest)), 191)
  assert.match(initiatorName(`${longest}a`), /:node\.[0-9a-f]{32}$/)
  assert.notEqual(initiatorName(`${longest}a`), initiatorName(`${longest}b`))
})

it('the initiator of a node has a digest for what no initiator may be called', () => {
  for (const name of ['Node', 'a_b', 'a/b', 'ä']) assert.match(initiatorName(name), /:node\.[0-9a-f]{32}$/, name)
})

it('no node that the settings allow has an id that CSI does not, and each comes back from it', () => {
  for (let length = 1; length <= 192; length += 1) {
    for (const name of ['a', 'A'].map(each => each.repeat(length))) {
      const id = idOf(name)
      assert.ok(Buffer.byteLength(id) <= (length <= 131 ? 192 : 256), `${id.length} for a name of ${length}`)
      assert.ok(isIqn(initiatorName(name)), name)
      assert.equal(parseNodeId(id).name, name)
    }
  }
})

it('no publish below the target of a node has a number that Linux makes no disk of', () => {
  const id = encodeVolumeId('p', 'one')
  for (let round = 0; round < 10_000; round += 1) {
    assert.notEqual((lunOf(id, String(round)) >> 8) & 0xff, 0xc1)
  }
})
