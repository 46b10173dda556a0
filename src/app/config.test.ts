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
