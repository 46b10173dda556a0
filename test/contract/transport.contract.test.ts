// The contract of transports as far as it needs no kernel, run for every entry of the registry; the rest is in test/loop.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeHost } from '../../src/host/fake.ts'
import { TRANSPORTS } from '../../src/transports/index.ts'
import { initiatorName } from '../../src/transports/iscsi/names.ts'
import type { TransportConfig } from '../../src/transports/transport.ts'
import { encodeVolumeId } from '../../src/volume/ids.ts'
import { encodeNodeId } from '../../src/volume/node-id.ts'
import type { Route } from '../../src/volume/types.ts'
import { deviceOf, EMPTY_LEDGER, failure, ISCSI, kernelOf, testOp } from '../fixtures.ts'
import { TRANSPORT_FIXTURES } from './transport-fixtures.ts'

const op = testOp()
const id = encodeVolumeId('p', 'one')
/** With everything that any transport needs. */
const CONFIG: TransportConfig = {
  nodeId: 'n1',
  stateDir: '/state',
  iscsi: { ...ISCSI, portals: ['192.0.2.1:3260'] },
}
const other = encodeVolumeId('p', 'two')

for (const [type, transport] of Object.entries(TRANSPORTS)) {
  const fixture = TRANSPORT_FIXTURES[type]
  if (!fixture) {
    it(`transport ${type} has an entry in test/contract/transport-fixtures.ts`, () => assert.fail('it has none'))
    continue
  }
  /** A machine without a single device; every command on it fails. */
  const setUp = (kernel: Record<string, string> = {}) => {
    const host = fakeHost([], { '/proc/self/mountinfo': '', ...kernel })
    const [connector, exporter] = [transport.connector(host, CONFIG), transport.exporter(host, CONFIG, EMPTY_LEDGER)]
    assert.ok(connector && exporter)
    return { host, connector, exporter }
  }

  describe(`transport ${type}`, () => {
    it('refuses every route that it did not make, before it touches the machine', async () => {
      const routes: Record<string, Route> = {
        nothing: {},
        ...fixture.tampered(id),
        'of another volume': fixture.route(other),
      }
      for (const [what, route] of Object.entries(routes)) {
        const { host, connector } = setUp()
        await assert.rejects(connector.connect(id, route, op), failure('invalid-argument', new RegExp(id)), what)
        assert.deepEqual(host.said, [], what)
      }
    })

    it('with a key less is no route', async () => {
      for (const key of Object.keys(fixture.route(id))) {
        const { [key]: _, ...rest } = fixture.route(id)
        await assert.rejects(setUp().connector.connect(id, rest, op), failure('invalid-argument'), key)
      }
    })

    it('takes a route of its own, and says what is missing', async () => {
      const ends = setUp().connector.connect(id, fixture.route(id), op)
      await assert.rejects(ends, (error: { kind?: string }) => error.kind !== 'invalid-argument')
    })

    it('finds nothing and has nothing to take away where nothing is connected', async () => {
      const { host, connector, exporter } = setUp()
      assert.equal(await connector.find(id, op), undefined)
      await connector.disconnect(id, op)
      await exporter.unexport(id, 'n1', op)
      await exporter.requireUnused(id, op)
      assert.deepEqual(host.said, [])
    })

    it('knows no volume behind a device of somebody else', async () => {
      const device = deviceOf()
      for (const backing of [undefined, '/var/lib/other/disk.img', `/x/${id}`, '/'])
        assert.equal(await setUp(kernelOf(device, backing)).connector.identify(device), undefined, String(backing))
    })

    it('reaches the node beside the bytes', () => {
      // As its node plugin reports it.
      const node = encodeNodeId({ name: CONFIG.nodeId, ...(type === 'iscsi' && { initiator: initiatorName('n1') }) })
      assert.equal(setUp().exporter.reaches(node), true)
    })
  })
}
