// Tests of the mains' first step: wrong settings end them with code 2, by what each of them needs.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { temporaryFolder } from '../fixtures.ts'

it('a main that makes volumes wants the transport of those that name none; a node has no portals', async t => {
  const config = join(await temporaryFolder(t), 'config.json')
  // Found last, so that a node ends too.
  const endpoint = 'tcp://127.0.0.1:1'
  await writeFile(config, JSON.stringify({ endpoint, nodeId: 'n', defaultTransport: 'iscsi', iscsi: {} }))
  for (const [role, words] of [
    ['controller', /^defaultTransport iscsi needs iscsi\.portals on a controller\n$/],
    ['all-in-one', /^defaultTransport iscsi needs iscsi\.portals on a controller\n$/],
    ['node', /allowTcp/],
  ] as const) {
    const main = join(import.meta.dirname, '../../src/bin', `${role}.ts`)
    const { status, stderr } = spawnSync(process.execPath, [main, '--config', config], { encoding: 'utf8', env: {} })
    assert.equal(status, 2, `${role}: ${stderr}`)
    assert.match(stderr, words, role)
  }
})
