// Tests of the object graph where settings decide what is in it.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { failure, ISCSI, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { documentOf, machine } from '../../test/lio-fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { localHost } from '../host/local.ts'
import { localFiles } from '../host/local-files.ts'
import { filePool } from '../pools/file.ts'
import { readKeys } from '../transports/iscsi/chap.ts'
import { encodeVolumeId } from '../volume/ids.ts'
import { SILENT } from '../volume/op.ts'
import { readConfig } from './config.ts'
import { controllerSite, openController } from './wire.ts'

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

it('a controller does not start beside what another target still serves; operators may still look', async () => {
  const { fake, target } = machine()
  await target.apply(documentOf(), testOp())
  const iscsi = { ...ISCSI, target: 'tgt' as const, portals: ['10.0.0.1:3260'] }
  const settings = { ...readConfig([], ENV), pools: {}, iscsi }
  await assert.rejects(openController(fake.host, settings, SILENT), failure('failed-precondition', /lio still serves/))
  await controllerSite(fake.host, settings)
})

it('a controller reads the CHAP key on its own machine, wherever the targets are', async t => {
  const folder = await temporaryFolder(t)
  const chapKeyFile = join(folder, 'chap.key')
  await writeFile(chapKeyFile, 'k'.repeat(32))
  const fake = fakeHost([])
  const storageHost = { ...fake, files: { ...fake.files, read: async () => 'of the storage host '.repeat(2) } }
  const iscsi = { ...ISCSI, portals: ['10.0.0.1:3260'], chap: 'mutual' as const, chapKeyFile }
  const settings = {
    ...readConfig([], ENV),
    pools: {},
    iscsi,
    storage: { ...STORAGE, port: 22, user: 'root', controlDir: '/run/none' },
  }
  const pool = { type: 'file', path: join(folder, 'pool'), overcommit: 1, sectorSize: 512 } as const
  const pools = new Map([['p', await filePool.open(localHost(), 'p', pool)]])
  const exporter = (await controllerSite(storageHost, settings, pools)).exporters.get('iscsi')
  const node = 'a/iqn.2026-01.dev.ashlar:node.a'
  const terms = await exporter?.enrol(encodeVolumeId('p', 'one'), node, testOp(), async each => each)
  const [key] = (await readKeys(localFiles, chapKeyFile)).keys()
  assert.deepEqual(terms?.chap, { mode: 'mutual', key })
})
