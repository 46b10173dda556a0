// Tests of node ids: what goes in comes out, and a renamed initiator does not make another node.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { encodeNodeId, isIqn, isSameNode, parseNodeId } from './node-id.ts'

const iqn = 'iqn.2026-01.dev.ashlar:node.node-a'

it('a node id comes back as it was made, whatever the node is called', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'aB-_./:'), minLength: 1 }), name => {
      fc.pre(parseNodeId(name).initiator === undefined)
      assert.deepEqual(parseNodeId(encodeNodeId({ name, initiator: iqn })), { name, initiator: iqn })
      assert.deepEqual(parseNodeId(encodeNodeId({ name })), { name })
    }),
  )
})

it('a node whose initiator was renamed, added or removed is the same node; another name is another', () => {
  const [a, renamed, bare] = [`node-a/${iqn}`, 'node-a/iqn.2001-04.com.example:x', 'node-a']
  assert.ok(isSameNode(a, renamed) && isSameNode(a, bare) && isSameNode(bare, renamed))
  assert.equal(isSameNode(a, `node-b/${iqn}`), false)
})

it('only what a target takes for a name is one', () => {
  for (const good of [iqn, 'iqn.2001-04.com.example', 'iqn.2001-04.com.example:storage.disk2.sys1.xyz'])
    assert.ok(isIqn(good), good)
  for (const bad of [
    '',
    'iqn',
    'iqn.2001-4.com',
    'iqn.2001-04.',
    `${iqn}/x`,
    `${iqn} `,
    `${iqn}\n`,
    `${iqn}_x`,
    'eui.02004567A425678D',
    `${iqn}${'x'.repeat(200)}`,
  ])
    assert.equal(isIqn(bad), false, bad)
})
