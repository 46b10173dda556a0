// Tests of the configuration's shape: defaults, and every problem at once.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ISCSI } from '../../test/fixtures.ts'
import { validateConfig } from './config.ts'

const least = { nodeId: 'n1', endpoint: 'unix:///csi.sock' }
const problems = (more: object) => validateConfig({ ...least, ...more }).problems.join('\n')

describe('the configuration', () => {
  it('has a default for all but the node and the endpoint', () => {
    const result = validateConfig(least)
    assert.ok('value' in result)
    assert.deepEqual(result.value, {
      ...least,
      driverName: 'csi.ashlar.dev',
      socketMode: '0660',
      allowTcp: false,
      stateDir: '/var/lib/ashlar/node',
      maxVolumesPerNode: 0,
      offerGetSnapshot: false,
      selfPublish: false,
      maxConcurrentCalls: 16,
      drainSeconds: 25,
      defaultPool: 'default',
      defaultTransport: 'loop',
      pools: { default: { type: 'file', path: '/var/lib/ashlar/pool', overcommit: 1, sectorSize: 512 } },
      log: { level: 'info' },
    })
    assert.match(validateConfig({}).problems.join(), /missing key nodeId.*missing key endpoint/)
  })

  it('fills in the rest of a pool, and does not touch what it was given', () => {
    const given = { ...least, pools: { default: { type: 'file', path: '/p' } } }
    const result = validateConfig(given)
    assert.ok('value' in result)
    assert.deepEqual(result.value.pools['default'], { type: 'file', path: '/p', overcommit: 1, sectorSize: 512 })
    assert.deepEqual(given.pools.default, { type: 'file', path: '/p' })
  })

  it('is refused with every problem at once, each with its key', () => {
    const text = problems({
      driverName: '-x',
      sockteMode: '1',
      drainSeconds: -1,
      pools: { default: { type: 'file', path: 'relative', sectorSize: 1024 } },
      log: { level: 'loud' },
    })
    for (const each of [
      'driverName must match pattern',
      'unknown key sockteMode',
      'drainSeconds must be >= 0',
      'pools.default.path must match pattern',
      'pools.default.sectorSize must be one of: 512, 4096',
      'log.level must be one of: trace, debug, info, warn, error',
    ])
      assert.ok(text.includes(each), `${each}\nnot in\n${text}`)
  })

  it('takes driver names as the CSI spec wants them', () => {
    for (const driverName of ['csi.ashlar.dev', 'a', 'a'.repeat(63), 'x-1.y'])
      assert.equal(problems({ driverName }), '')
    for (const driverName of ['', 'a'.repeat(64), '.a', 'a.', 'a_b', 'a/b', 'a b', 'a\n'])
      assert.notEqual(problems({ driverName }), '', driverName)
  })

  it('is refused where a schema cannot look', () => {
    const pool = { type: 'file', path: '/p' }
    assert.match(problems({ pools: { 'Bad/Name': pool, default: pool } }), /pools\.Bad\/Name must be named/)
    assert.match(problems({ pools: { fast: pool } }), /defaultPool must be one of: fast/)
    assert.match(problems({ defaultPool: 'constructor' }), /defaultPool must be one of: default/)
    assert.match(problems({ zone: 'a b', region: '-' }), /zone must.*\nregion must/)
    assert.match(problems({ zone: null }), /zone must/)
    for (const input of [undefined, null, 'text', [], 7]) assert.notEqual(validateConfig(input).problems.length, 0)
  })

  it('takes a node id that is plain and fits into CSI with the name of the initiator', () => {
    for (const nodeId of ['n', 'Node_1.example:x/y', 'n'.repeat(192)]) {
      assert.equal(problems({ nodeId }), '')
      assert.equal(problems({ nodeId, iscsi: {} }), '')
    }
    for (const nodeId of ['', 'n'.repeat(193), 'ä', 'a b', '(ashlar wipe)', 'a\n', '\u007f'])
      assert.match(problems({ nodeId }), /^nodeId must/, nodeId)
    assert.match(problems({ nodeId: 'a/iqn.2026-01.org.example:a' }), /^nodeId "a\/iqn.*" ends with "\/" and the name/)
    const initiatorName = `iqn.2026-01.org.example:${'x'.repeat(100)}`
    const room = 256 - 1 - initiatorName.length
    assert.equal(problems({ nodeId: 'n'.repeat(room), iscsi: { initiatorName } }), '')
    assert.match(
      problems({ nodeId: 'n'.repeat(room + 1), iscsi: { initiatorName } }),
      /^nodeId and iscsi\.initiatorName must have at most 255 bytes together, not 256$/,
    )
  })

  it('of ephemeral volumes names every limit, and a pool that is here', () => {
    const limits = { maxVolumes: 4, maxVolumeMiB: 1024, maxTotalMiB: 2048 }
    assert.equal(problems({ ephemeral: limits }), '')
    assert.equal(problems({ ephemeral: { ...limits, maxVolumes: 0, pool: 'default' } }), '')
    for (const key of Object.keys(limits))
      assert.match(problems({ ephemeral: { ...limits, [key]: undefined } }), new RegExp(`${key}`))
    assert.match(problems({ ephemeral: {} }), /maxVolumes(.|\n)*maxVolumeMiB(.|\n)*maxTotalMiB/)
    assert.match(problems({ ephemeral: { ...limits, pool: 'other' } }), /ephemeral\.pool must be one of: default/)
    const storage = { address: '10.0.0.1', identityFile: '/etc/ashlar/id', knownHostsFile: '/etc/ashlar/known' }
    const far = { storage, iscsi: { portals: ['10.0.0.1:3260'] } }
    assert.match(problems({ ephemeral: limits, ...far }), /ephemeral cannot be with storage/)
  })

  it('of iSCSI has a default for everything', () => {
    const result = validateConfig({ ...least, iscsi: {} })
    assert.ok('value' in result)
    assert.deepEqual(result.value.iscsi, ISCSI)
  })

  it('of iSCSI is refused where its settings contradict each other', () => {
    const iscsi = (settings: object) => problems({ iscsi: settings })
    const portals = ['10.0.0.1:3260', '[fd00::1]:3260']
    const chapKeyFile = '/etc/ashlar/chap.key'
    assert.equal(iscsi({ portals, chap: 'mutual', chapKeyFile, initiatorName: 'iqn.2026-01.org.example:a' }), '')
    assert.match(
      iscsi({ portals: ['storage:3260', ...portals] }),
      /^iscsi\.portals: "storage:3260" is not IP:PORT[^\n]*$/,
    )
    assert.match(iscsi({ chap: 'one-way' }), /iscsi\.chapKeyFile is needed for iscsi\.chap one-way/)
    assert.match(iscsi({ chap: 'mutual', chapKeyFile, target: 'tgt' }), /iscsi\.chap must be none for target tgt/)
    assert.match(iscsi({ initiatorName: 'node-a' }), /iscsi\.initiatorName "node-a" is not a name/)
  })

  it('of a storage host elsewhere needs a network that leads there', () => {
    const storage = { address: '10.0.0.1', identityFile: '/etc/ashlar/id', knownHostsFile: '/etc/ashlar/known' }
    assert.match(problems({ storage }), /storage needs iscsi\.portals/)
    assert.match(problems({ storage, iscsi: {} }), /storage needs iscsi\.portals/)
    assert.equal(problems({ storage, iscsi: { portals: ['10.0.0.1:3260'] } }), '')
  })
})
