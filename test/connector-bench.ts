// What tests of the iSCSI connector share: a volume, its route, and a node with portals in memory.
import assert from 'node:assert/strict'
import type { IscsiSettings } from '../src/schema/shapes/config.ts'
import { createConnector } from '../src/transports/iscsi/connector.ts'
import { serialOf, targetName } from '../src/transports/iscsi/names.ts'
import { encodeIscsiRoute, type IscsiRoute } from '../src/transports/iscsi/route.ts'
import { encodeVolumeId } from '../src/volume/ids.ts'
import { type FakeInitiator, fakeInitiator, type Portal, portalOf } from './fake-initiator.ts'
import { GIB, ISCSI, testOp } from './fixtures.ts'

const op = testOp()
export const id = encodeVolumeId('p', 'one')
export const other = encodeVolumeId('p', 'two')
export const [A, B] = ['10.0.0.1:3260', '[fd00::2]:3260'] as const
export const INITIATOR = 'iqn.2026-01.dev.ashlar:node.n1'
export const SETTINGS: IscsiSettings = {
  ...ISCSI,
  loginTimeoutSeconds: 7,
  replacementTimeoutSeconds: 33,
  noopIntervalSeconds: 3,
  noopTimeoutSeconds: 4,
}
export const good = (rest: Partial<Portal> = {}) => portalOf(serialOf(id), rest)

export function routeOf(rest: Partial<IscsiRoute> = {}) {
  return encodeIscsiRoute({
    target: targetName(id),
    lun: 0,
    portals: [A, B],
    serial: serialOf(id),
    size: GIB,
    sectorSize: 512,
    readonly: false,
    chap: { mode: 'none' },
    ...rest,
  })
}

export function setUp(
  portals: Readonly<Record<string, Portal>> = { [A]: good() },
  settings: Partial<IscsiSettings> = {},
) {
  const node = fakeInitiator(portals)
  const connector = createConnector(node.host, { ...SETTINGS, ...settings }, INITIATOR, '/state/locks')
  const anew = () => createConnector(node.host, { ...SETTINGS, ...settings }, INITIATOR, '/state/locks')
  return { node, connector, anew, connect: (rest?: Partial<IscsiRoute>) => connector.connect(id, routeOf(rest), op) }
}

/** Its disk, as if another process had connected it. */
export function onlySession(node: FakeInitiator) {
  const [first] = node.sessions.values()
  assert.ok(first && node.sessions.size === 1, `${node.sessions.size} sessions`)
  return first
}

export const ran = (node: FakeInitiator, part: string) => node.said.filter(text => text.includes(part)).length
export const pause = () => new Promise(resolve => setImmediate(resolve))

export function mountOf(kname: string, node: FakeInitiator): string {
  const number = node.kernel.get(`/sys/block/${kname}/dev`)?.trim()
  return `30 1 ${number} / /m rw - ext4 /dev/${kname} rw\n`
}
