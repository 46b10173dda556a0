// The configuration that the chart renders is one that the driver takes, in the role that reads it.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { PROFILES } from '../../scripts/chart-render.ts'
import { readConfig, type Settings } from '../../src/app/config.ts'
import { container, type KubeObject, objectsOf, only, podOf, workload } from './objects.ts'

function settingsOf(objects: readonly KubeObject[], name: string, isController: boolean): Settings {
  const { data } = only(objects, 'ConfigMap', `-${name}`) as KubeObject & { data: Record<string, string> }
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-chart-'))
  try {
    const file = join(folder, 'config.json')
    writeFileSync(file, data['config.json'] ?? '')
    return readConfig(['--config', file], { NODE_ID: 'worker-1' }, { isController })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('the driver takes what the chart says', () => {
  for (const profile of PROFILES) {
    it(profile, () => {
      const objects = objectsOf(profile)
      const node = settingsOf(objects, 'node', profile === 'local')
      assert.equal(node.address.kind, 'unix')
      assert.equal(node.selfPublish, profile === 'local')
      if (profile === 'local') return
      const controller = settingsOf(objects, 'controller', true)
      assert.equal(controller.defaultTransport, 'iscsi')
      assert.deepEqual([node.iscsi?.portals, node.storage, node.iscsi?.inHostNamespaces], [[], undefined, true])
      assert.equal(node.iscsi?.chap, controller.iscsi?.chap)
    })
  }

  it('finds each pool where the pod has it', () => {
    for (const [profile, kind] of [
      ['local', 'DaemonSet'],
      ['iscsi-storage-host', 'Deployment'],
    ] as const) {
      const objects = objectsOf(profile)
      const { pools } = settingsOf(objects, kind === 'DaemonSet' ? 'node' : 'controller', true)
      const { volumeMounts } = container(podOf(objects, kind), 'driver')
      for (const { path } of Object.values(pools))
        assert.ok(
          volumeMounts.some(each => each.mountPath === path),
          path,
        )
    }
  })

  it('has the pool of the driver when none is named, and none besides those that are', () => {
    const path = ({ pools }: Settings) => Object.values(pools).map(each => each.path)
    assert.deepEqual(path(settingsOf(objectsOf('local'), 'node', true)), ['/var/lib/ashlar/pool'])
    const own = [
      '--set-json',
      'config.pools={"fast":{"type":"file","path":"/fast"}}',
      '--set',
      'config.defaultPool=fast',
    ]
    assert.deepEqual(path(settingsOf(objectsOf('local', own), 'node', true)), ['/fast'])
  })

  it('starts its pods anew when the configuration changes, and only then', () => {
    const sum = (...more: string[]) =>
      workload(objectsOf('local', more), 'DaemonSet').spec.template.metadata.annotations['checksum/config']
    assert.equal(sum(), sum('--set', 'csiDriver.podInfoOnMount=true'))
    assert.notEqual(sum(), sum('--set', 'config.log.level=debug'))
  })
})
