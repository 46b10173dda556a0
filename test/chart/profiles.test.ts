// What each profile promises: who runs where, who may do what, who has a token, and what the images' containers may touch.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PROFILES } from '../../scripts/chart-render.ts'
import { container, type KubeObject, kind, objectsOf, only, podOf, type Rule, workload } from './objects.ts'

const rendered = new Map(PROFILES.map(profile => [profile, objectsOf(profile)]))
const of = (profile: string): KubeObject[] => rendered.get(profile) ?? []
const namesOf = (objects: readonly KubeObject[], wanted: 'Deployment' | 'DaemonSet') =>
  podOf(objects, wanted).containers.map(({ name }) => name)
const specOf = (object: KubeObject) => object['spec'] as Record<string, unknown>

describe('profile local', () => {
  const objects = of('local')
  const pod = podOf(objects, 'DaemonSet')

  it('has a controller beside each node plugin, and none elsewhere', () => {
    assert.deepEqual(kind(objects, 'Deployment'), [])
    assert.deepEqual(kind(objects, 'PodDisruptionBudget'), [])
    assert.deepEqual(container(pod, 'driver').command, ['ashlar-all-in-one'])
    assert.deepEqual(namesOf(objects, 'DaemonSet'), [
      'driver',
      'provisioner',
      'resizer',
      'snapshotter',
      'registrar',
      'livenessprobe',
    ])
  })

  it('needs no attachment, and tells the scheduler the room on each node', () => {
    const { attachRequired, storageCapacity, fsGroupPolicy } = specOf(only(objects, 'CSIDriver'))
    assert.deepEqual(
      { attachRequired, storageCapacity, fsGroupPolicy },
      { attachRequired: false, storageCapacity: true, fsGroupPolicy: 'File' },
    )
    const args = container(pod, 'provisioner').args ?? []
    for (const arg of ['--node-deployment', '--strict-topology', '--enable-capacity', '--capacity-ownerref-level=1'])
      assert.ok(args.includes(arg), arg)
    assert.ok(!args.includes('--leader-election'))
    assert.ok(container(pod, 'snapshotter').args?.includes('--node-deployment'))
    assert.ok(container(pod, 'resizer').args?.includes('--leader-election'))
  })
})

describe('profile iscsi', () => {
  it('has two controllers with non-root drivers when the storage host is reached over ssh', () => {
    const objects = of('iscsi-ssh')
    const { spec } = workload(objects, 'Deployment')
    const pod = spec.template.spec
    assert.equal(spec.replicas, 2)
    assert.equal(pod.securityContext.runAsNonRoot, true)
    assert.deepEqual([pod.hostNetwork, pod.hostPID], [undefined, undefined])
    assert.deepEqual(
      pod.volumes.filter(({ hostPath }) => hostPath),
      [],
    )
    for (const { name, securityContext } of pod.containers) {
      assert.deepEqual(securityContext.capabilities?.drop, ['ALL'], name)
      assert.equal(securityContext.allowPrivilegeEscalation, false, name)
    }
    for (const name of ['provisioner', 'attacher', 'resizer', 'snapshotter'])
      assert.ok(container(pod, name).args?.includes('--leader-election'), name)
    assert.equal(specOf(only(objects, 'CSIDriver'))['attachRequired'], true)
    assert.equal(specOf(only(objects, 'PodDisruptionBudget'))['maxUnavailable'], 1)
  })

  it('has one on the storage host, privileged, on its network, with configfs for LIO', () => {
    const { spec } = workload(of('iscsi-storage-host'), 'Deployment')
    const pod = spec.template.spec
    assert.deepEqual([spec.replicas, pod.hostNetwork, pod.hostPID], [1, true, undefined])
    const driver = container(pod, 'driver')
    assert.equal(driver.securityContext.privileged, true)
    const mounts = driver.volumeMounts.map(({ mountPath }) => mountPath)
    for (const path of ['/srv/ashlar', '/dev', '/lib/modules', '/sys/kernel/config', '/etc/ashlar/chap'])
      assert.ok(mounts.includes(path), path)
    for (const each of pod.containers.filter(({ name }) => name !== 'driver'))
      assert.deepEqual(each.securityContext.capabilities?.drop, ['ALL'], each.name)
  })

  it('sees the process and the socket of tgtd, and no configfs', () => {
    const pod = podOf(of('iscsi-tgt'), 'Deployment')
    assert.equal(pod.hostPID, true)
    const mounts = container(pod, 'driver').volumeMounts.map(({ mountPath }) => mountPath)
    assert.ok(mounts.includes('/run/tgtd') && !mounts.includes('/sys/kernel/config'))
  })

  it('has nodes that call no API server, and no token for one', () => {
    const objects = of('iscsi-ssh')
    const pod = podOf(objects, 'DaemonSet')
    assert.deepEqual(namesOf(objects, 'DaemonSet'), ['driver', 'registrar', 'livenessprobe'])
    assert.equal(pod.hostPID, true)
    assert.deepEqual(
      pod.volumes.filter(({ name }) => name === 'api-token'),
      [],
    )
    const bound = kind(objects, 'ClusterRoleBinding').flatMap(each => each['subjects'] as { name: string }[])
    assert.deepEqual([...new Set(bound.map(({ name }) => name))], ['ashlar-controller'])
  })
})

for (const profile of PROFILES) {
  describe(profile, () => {
    const objects = of(profile)
    const pods = (['Deployment', 'DaemonSet'] as const)
      .filter(wanted => kind(objects, wanted).length > 0)
      .map(wanted => podOf(objects, wanted))

    it('gives the token to those that call the API server, never to a driver', () => {
      const callers = ['attacher', 'provisioner', 'resizer', 'snapshotter']
      for (const pod of pods) {
        assert.equal(pod.automountServiceAccountToken, false)
        for (const { name, volumeMounts } of pod.containers)
          assert.equal(
            volumeMounts.some(each => each.name === 'api-token'),
            callers.includes(name),
            name,
          )
      }
      for (const account of kind(objects, 'ServiceAccount'))
        assert.equal(account['automountServiceAccountToken'], false)
    })

    it('has read-only roots, limits of memory and none of processors, and pinned images', () => {
      for (const { name, securityContext, resources, image } of pods.flatMap(pod => pod.containers)) {
        assert.equal(securityContext.readOnlyRootFilesystem, true, name)
        assert.ok(resources.limits?.memory !== undefined && resources.limits.cpu === undefined, name)
        assert.match(image, /(:v?\d+\.\d+\.\d+|@sha256:[0-9a-f]{64})$/, name)
      }
    })

    it('mounts what it names, and names what it mounts', () => {
      for (const pod of pods) {
        const mounted = new Set(pod.containers.flatMap(each => each.volumeMounts.map(({ name }) => name)))
        assert.deepEqual([...mounted].sort(), pod.volumes.map(({ name }) => name).sort())
        const ports = pod.containers.flatMap(each => each.ports ?? []).map(({ containerPort }) => containerPort)
        assert.equal(new Set(ports).size, ports.length)
      }
    })

    it('uses one kubelet folder everywhere', () => {
      const pod = podOf(objects, 'DaemonSet')
      const path = pod.volumes.find(({ name }) => name === 'kubelet')?.hostPath?.path ?? ''
      const mount = container(pod, 'driver').volumeMounts.find(({ name }) => name === 'kubelet')
      assert.deepEqual(mount, { name: 'kubelet', mountPath: path, mountPropagation: 'Bidirectional' })
      const driver = only(objects, 'CSIDriver').metadata.name
      const hostPath = (name: string) => pod.volumes.find(each => each.name === name)?.hostPath?.path
      assert.equal(hostPath('socket'), `${path}/plugins/${driver}`)
      assert.equal(hostPath('registration'), `${path}/plugins_registry`)
      assert.ok(
        container(pod, 'registrar').args?.includes(`--kubelet-registration-path=${path}/plugins/${driver}/csi.sock`),
      )
    })

    it('has a role for each sidecar and no more: nothing about Secrets, no star, leases by their names', () => {
      const names = kind(objects, 'ClusterRole').map(({ metadata }) => metadata.name.replace(/^.*-/, ''))
      const callers = pods
        .flatMap(pod => pod.containers)
        .filter(each => each.volumeMounts.some(({ name }) => name === 'api-token'))
      assert.deepEqual(names.sort(), callers.map(({ name }) => name).sort())
      const rules = [...kind(objects, 'ClusterRole'), ...kind(objects, 'Role')].flatMap(each => each['rules'] as Rule[])
      for (const rule of rules) {
        assert.ok(!rule.resources.includes('secrets'))
        for (const list of [rule.apiGroups, rule.resources, rule.verbs]) assert.ok(!list.includes('*'))
        if (rule.resources.includes('leases') && rule.verbs.join() !== 'create')
          assert.equal(rule.resourceNames?.length, 1)
      }
      for (const binding of [...kind(objects, 'ClusterRoleBinding'), ...kind(objects, 'RoleBinding')]) {
        const [subject] = binding['subjects'] as { name: string }[]
        assert.ok(kind(objects, 'ServiceAccount').some(({ metadata }) => metadata.name === subject?.name))
        const { kind: role, name } = binding['roleRef'] as { kind: string; name: string }
        assert.ok(kind(objects, role).some(({ metadata }) => metadata.name === name))
      }
    })

    it('has policies that let in the ports that are there, for pods that have a network of their own', () => {
      for (const policy of kind(objects, 'NetworkPolicy')) {
        const pod = podOf(objects, policy.metadata.name.endsWith('controller') ? 'Deployment' : 'DaemonSet')
        assert.notEqual(pod.hostNetwork, true)
        const [rule] = specOf(policy)['ingress'] as { ports: { port: number }[] }[]
        const served = pod.containers.flatMap(each => each.ports ?? []).map(({ containerPort }) => containerPort)
        assert.deepEqual(rule?.ports.map(({ port }) => port).sort(), served.sort())
      }
    })
  })
}
