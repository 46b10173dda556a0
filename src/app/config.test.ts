// Tests of the configuration's sources: flags over environment over file, and every problem in words.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { temporaryFolder } from '../../test/fixtures.ts'
import { ConfigError, readConfig } from './config.ts'

const ENV = { CSI_ENDPOINT: 'unix:///env.sock', NODE_ID: 'env-node', NODE_ZONE: 'env-zone', NODE_REGION: 'env-region' }
const FILE = {
  endpoint: 'unix:///file.sock',
  nodeId: 'file-node',
  zone: 'file-zone',
  driverName: 'file.driver',
  drainSeconds: 7,
}
async function fileOf(t: TestContext, content: unknown): Promise<string> {
  const path = join(await temporaryFolder(t), 'config.json')
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

describe('settings', () => {
  it('come from the file, over it the environment, over it the flags', async t => {
    const file = await fileOf(t, FILE)
    const only = readConfig(['--config', file], {})
    assert.deepEqual(
      [only.nodeId, only.endpoint, only.zone, only.drainSeconds],
      ['file-node', 'unix:///file.sock', 'file-zone', 7],
    )
    const env = readConfig(['--config', file], ENV)
    assert.deepEqual(
      [env.nodeId, env.endpoint, env.zone, env.region],
      ['env-node', 'unix:///env.sock', 'env-zone', 'env-region'],
    )
    assert.equal(env.driverName, 'file.driver')
    const flags = [
      '--node-id=flag-node',
      '--endpoint',
      '/flag.sock',
      '--zone',
      'flag-zone',
      '--region',
      'flag-region',
      '--driver-name',
      'flag.driver',
    ]
    const all = readConfig(['--config', file, ...flags], ENV)
    assert.deepEqual(
      [all.nodeId, all.endpoint, all.zone, all.region, all.driverName],
      ['flag-node', '/flag.sock', 'flag-zone', 'flag-region', 'flag.driver'],
    )
    assert.deepEqual(all.address, { kind: 'unix', address: '/flag.sock' })
  })

  it('ignore empty variables, as an unset field of a pod spec leaves them', async t => {
    const file = await fileOf(t, FILE)
    const settings = readConfig(['--config', file], { NODE_ID: '', NODE_ZONE: '', CSI_ENDPOINT: '' })
    assert.deepEqual([settings.nodeId, settings.zone], ['file-node', 'file-zone'])
  })

  it('come from the presets where nobody else gives them', async t => {
    const presets = { endpoint: 'unix:///preset.sock', nodeId: 'preset-node' }
    const file = await fileOf(t, { nodeId: 'file-node' })
    const names = ({ nodeId, endpoint }: { nodeId: string; endpoint: string }) => [nodeId, endpoint]
    assert.deepEqual(names(readConfig([], {}, { presets })), ['preset-node', 'unix:///preset.sock'])
    assert.deepEqual(names(readConfig(['--config', file], {}, { presets })), ['file-node', 'unix:///preset.sock'])
    assert.deepEqual(names(readConfig(['--config', file], ENV, { presets })), ['env-node', 'unix:///env.sock'])
  })

  it('take one pool, the state folder and the log level from flags', () => {
    const settings = readConfig(['--pool-dir', '/p', '--state-dir', '/s', '--log-level', 'debug'], ENV)
    assert.deepEqual(settings.pools, { default: { type: 'file', path: '/p', overcommit: 1, sectorSize: 512 } })
    assert.deepEqual([settings.stateDir, settings.log.level], ['/s', 'debug'])
    assert.ok(Object.isFrozen(settings))
  })

  it('refuse TCP unless it is allowed', () => {
    assert.throws(() => readConfig(['--endpoint', 'tcp://0.0.0.0:1'], ENV), /--allow-tcp/)
    assert.equal(readConfig(['--endpoint', 'tcp://0.0.0.0:1', '--allow-tcp'], ENV).address.kind, 'tcp')
  })
})

describe('what is wrong', () => {
  const wrong = (argv: string[], env: Record<string, string> = ENV): string => {
    try {
      readConfig(argv, env)
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error))
      return error.message
    }
    throw new assert.AssertionError({ message: 'it was accepted' })
  }

  it('is said line by line, all at once', () => {
    assert.deepEqual(wrong([], {}).split('\n').sort(), ['missing key endpoint', 'missing key nodeId'])
    assert.match(wrong(['--driver-name', '-', '--log-level', 'loud']), /driverName[\s\S]*log\.level/)
  })

  it('in a way to the storage host is said before ssh is asked', async t => {
    const storage = { address: '10.0.0.1', identityFile: '/id', knownHostsFile: '/known' }
    const network = { ...FILE, defaultTransport: 'iscsi', iscsi: { portals: ['10.0.0.1:3260'] } }
    const bad = { address: '-oProxyCommand=id', user: '-l', controlDir: `/${'ä'.repeat(24)}` }
    assert.deepEqual(
      wrong(['--config', await fileOf(t, { ...network, storage: { ...storage, ...bad } })]).split('\n'),
      [
        'storage.address "-oProxyCommand=id" is no name or address',
        'storage.user "-l" is no user name',
        `storage.controlDir ${bad.controlDir} has more than 48 bytes`,
      ],
    )
    const port = await fileOf(t, { ...network, storage: { ...storage, port: 70_000 } })
    assert.equal(wrong(['--config', port]), 'storage.port must be <= 65535')
    assert.ok(readConfig(['--config', await fileOf(t, { ...network, storage })], ENV).storage)
  })

  it('in the default transport is said before a volume needs it', async t => {
    const file = async (more: object) => ['--config', await fileOf(t, { ...FILE, ...more })]
    for (const defaultTransport of ['nfs', '', 'constructor'])
      assert.equal(wrong(await file({ defaultTransport })), 'defaultTransport must be one of: loop, iscsi')
    const iscsi = { portals: ['10.0.0.1:3260'] }
    const storage = { address: '10.0.0.1', identityFile: '/id', knownHostsFile: '/known' }
    assert.match(wrong(await file({ iscsi, storage })), /^defaultTransport must not be loop with storage: [^\n]*$/)
    for (const more of [{}, { iscsi: {} }]) {
      const given = await file({ defaultTransport: 'iscsi', ...more })
      const asController = () => readConfig(given, ENV, { isController: true })
      assert.throws(asController, { message: /^defaultTransport iscsi needs iscsi\.portals on a controller$/ })
      assert.equal(readConfig(given, ENV).defaultTransport, 'iscsi', 'a node has no portals')
    }
    const sound = await file({ defaultTransport: 'iscsi', iscsi })
    assert.equal(readConfig(sound, ENV, { isController: true }).defaultTransport, 'iscsi')
  })

  it('in the flags is answered with the usage', () => {
    for (const argv of [['--unknown'], ['positional'], ['--node-id'], ['--allow-tcp=yes']])
      assert.match(wrong(argv), /--endpoint URL/)
  })

  it('in the file names the file', async t => {
    for (const content of ['{', '[]', 'null', '"text"']) {
      const path = await fileOf(t, content)
      assert.ok(wrong(['--config', path]).startsWith(`${path}: `), content)
    }
    assert.match(wrong(['--config', '/nonexistent/config.json']), /ENOENT/)
    assert.match(wrong(['--config', await fileOf(t, { ...FILE, typo: 1 })]), /unknown key typo/)
  })
})
