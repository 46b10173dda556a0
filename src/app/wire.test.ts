// Tests of the object graph where settings decide what is in it.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ISCSI } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { readConfig } from './config.ts'
import { controllerSite } from './wire.ts'

const ENV = { CSI_ENDPOINT: 'unix:///unused.sock', NODE_ID: 'n' }
const STORAGE = { address: '10.0.0.1', identityFile: '/id', knownHostsFile: '/known' }

it('a controller beside its volumes can attach them here; one of another host only exports them', async () => {
  const settings = { ...readConfig([], ENV), pools: {}, iscsi: { ...ISCSI, portals: ['10.0.0.1:3260'] } }
  const exporters = async (more: object) => [
    ...(await controllerSite(fakeHost([]), { ...settings, ...more })).exporters.keys(),
  ]
  assert.deepEqual(await exporters({}), ['loop', 'iscsi'])
  assert.deepEqual(await exporters({ storage: STORAGE }), ['iscsi'])
})
