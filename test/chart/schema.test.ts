// Every object of every profile is one that Kubernetes describes, with no key that it does not know.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chartFolder, helm, PROFILES, valuesOf } from '../../scripts/chart-render.ts'
import { type KubeObject, objectsOf } from './objects.ts'
import { FOREIGN, problemsOf } from './schemas.ts'

describe('the check itself', () => {
  it('finds a key that Kubernetes does not know, wherever it is, and a wrong type', () => {
    const pod = { containers: [{ name: 'a', image: 'b', volumeMount: [] }], hostPID: 'yes' }
    const object = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'x' },
      spec: { selector: {}, template: { spec: pod } },
    } as KubeObject
    const found = problemsOf(object).join('\n')
    assert.match(found, /containers\/0 must NOT have additional properties volumeMount/)
    assert.match(found, /hostPID must be boolean/)
  })
})

for (const profile of PROFILES) {
  describe(profile, () => {
    it('passes helm lint --strict', () => {
      const { code, stdout, stderr } = helm(
        'lint',
        '--strict',
        chartFolder,
        '--values',
        valuesOf(profile),
        '--kube-version',
        '1.36.0',
      )
      // Without a cluster lint knows of no VolumeAttributesClass; that refusal is looked at in values.test.ts.
      const rest = `${stdout}${stderr}`.replaceAll(/.*volumeAttributesClasses: this cluster has no.*/g, '')
      assert.ok(code === 0 || !/\[(ERROR|WARNING)\](?! templates\/: *$)/m.test(rest), `${stdout}${stderr}`)
    })

    const objects = objectsOf(profile)

    it('has objects that Kubernetes 1.36 describes', () => {
      const ours = objects.filter(({ apiVersion }) => !FOREIGN.includes(apiVersion))
      assert.ok(ours.length > 15)
      assert.deepEqual(ours.flatMap(problemsOf), [])
    })

    it('names each object once, and each in its namespace', () => {
      const names = objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`)
      assert.deepEqual(
        names.filter((name, n) => names.indexOf(name) !== n),
        [],
      )
      const wide = /^(ClusterRole|ClusterRoleBinding|CSIDriver|StorageClass|VolumeSnapshotClass|VolumeAttributesClass)$/
      for (const { kind, metadata } of objects)
        assert.equal(metadata.namespace, wide.test(kind) ? undefined : 'ashlar-system', `${kind} ${metadata.name}`)
    })
  })
}
