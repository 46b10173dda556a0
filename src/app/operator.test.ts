// Tests of what the operator's commands look at: the pools of this host, or of the storage host, and nothing that is not there.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { temporaryFolder } from '../../test/fixtures.ts'
import { openSites } from './operator.ts'

async function sitesOf(t: TestContext, settings: object, env: Readonly<Record<string, string>> = {}) {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'config.json')
  const pools = { default: { type: 'file', path: join(folder, 'absent') } }
  await writeFile(path, JSON.stringify({ stateDir: join(folder, 'state'), pools, ...settings }))
  const { controller, node, unseen = [] } = await openSites(['--config', path], env)
  return {
    nodeId: node.nodeId,
    exporters: [...controller.exporters.keys()],
    connectors: [...node.connectors.keys()],
    unseen,
  }
}

describe('what commands of the operator look at', () => {
  it('misses a pool that is not there', async t => {
    const { exporters, unseen } = await sitesOf(t, {})
    assert.deepEqual(exporters, ['loop'])
    assert.match(unseen.map(({ what }) => what).join(), /^pool default in /)
  })

  it('misses none on a node that reaches its volumes over a network', async t => {
    const { connectors, unseen } = await sitesOf(t, { iscsi: {} })
    assert.deepEqual([connectors, unseen], [['loop', 'iscsi'], []])
  })

  it('misses it on the storage host, which has portals', async t => {
    const { exporters, unseen } = await sitesOf(t, { iscsi: { portals: ['10.0.0.1:3260'] } })
    assert.deepEqual([exporters, unseen.length], [['loop', 'iscsi'], 1])
  })

  it('is of the node that file or environment name, with its initiator, and needs no name at all', async t => {
    const id = (name: string) => `${name}/iqn.2026-01.dev.ashlar:node.${name}`
    const nodeIdOf = async (...of: [object, Readonly<Record<string, string>>?]) => (await sitesOf(t, ...of)).nodeId
    assert.equal(await nodeIdOf({ iscsi: {}, nodeId: 'worker-1' }), id('worker-1'))
    assert.equal(await nodeIdOf({ iscsi: {}, nodeId: 'worker-1' }, { NODE_ID: 'worker-2' }), id('worker-2'))
    assert.equal(await nodeIdOf({ iscsi: {} }), id('unused'))
  })
})
