// The rights of the sidecars: each that is taken away is missed, and none is there that nobody uses.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Kind, KubeObject } from '../../hack/kube/api.ts'
import { SYSTEM_NAMESPACE } from '../../hack/kube/rig.ts'
import { useCluster } from './cluster.ts'
import { DRIVER_NAME, NODE } from './names.ts'
import { attributesClass, snapshotClass, storageClass } from './objects.ts'
import { given, unusedRights, used } from './rights.ts'

const bench = useCluster()

const ROLES: readonly Kind[] = ['ClusterRole', 'Role']

/** Takes a right away wherever it is given; answers how to give it back. */
const without = async (resource: string, verb: string): Promise<() => Promise<void>> => {
  const { api } = bench.cluster
  const changed: { kind: Kind; name: string; rules: KubeObject[] }[] = []
  for (const kind of ROLES) {
    for (const { metadata, rules } of await given(api, kind)) {
      const split = rules.flatMap((rule: KubeObject) => narrowed(rule, resource, verb))
      if (JSON.stringify(split) === JSON.stringify(rules)) continue
      changed.push({ kind, name: metadata.name, rules })
      await api.patch(kind, metadata.name, { rules: split }, SYSTEM_NAMESPACE)
    }
  }
  assert.ok(changed.length > 0, `nobody has the right to ${verb} ${resource}`)
  await bench.cluster.until(`the right to ${verb} ${resource} is gone`, async () => !(await may(resource, verb)))
  return async () => {
    for (const { kind, name, rules } of changed) await api.patch(kind, name, { rules }, SYSTEM_NAMESPACE)
  }
}

/** May the sidecars' account do that? The API server learns of new rules a moment after they are written. */
const may = async (resource: string, verb: string): Promise<boolean> => {
  const { rig } = bench.cluster
  const group = GROUPS[resource]
  const [plural, subresource] = resource.split('/')
  const review = await rig.api.call(
    'POST',
    '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    JSON.stringify({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: rig.user,
        groups: ['system:serviceaccounts', 'system:authenticated'],
        resourceAttributes: { verb, group, resource: plural, subresource, namespace: SYSTEM_NAMESPACE },
      },
    }),
  )
  return review.status.allowed
}

/** The rule without that one right: for its other resources, and with its other verbs. */
const narrowed = (rule: KubeObject, resource: string, verb: string): KubeObject[] => {
  if (!rule.resources.includes(resource) || !rule.verbs.includes(verb)) return [rule]
  const others = { ...rule, resources: rule.resources.filter((each: string) => each !== resource) }
  const less = { ...rule, resources: [resource], verbs: rule.verbs.filter((each: string) => each !== verb) }
  return [others, less].filter(each => each.resources.length > 0 && each.verbs.length > 0)
}

/** API groups of the resources below. */
const GROUPS: Readonly<Record<string, string>> = {
  persistentvolumes: '',
  'persistentvolumeclaims/status': '',
  'volumeattachments/status': 'storage.k8s.io',
  csistoragecapacities: 'storage.k8s.io',
  'volumesnapshotcontents/status': 'snapshot.storage.k8s.io',
}

interface Lack {
  readonly resource: string
  readonly verb: string
  readonly sidecar: string
  /** Begins what needs the right, and answers what shows that it came about. */
  readonly attempt: () => Promise<() => Promise<boolean>>
}

const phaseOf = async (claim: string): Promise<string> =>
  (await bench.cluster.api.get('PersistentVolumeClaim', claim)).status.phase

const LACKS: readonly Lack[] = [
  {
    resource: 'persistentvolumes',
    verb: 'create',
    sidecar: 'csi-provisioner',
    attempt: async () => {
      const claim = await bench.cluster.claim()
      return async () => (await phaseOf(claim)) === 'Bound'
    },
  },
  {
    resource: 'persistentvolumes',
    verb: 'delete',
    sidecar: 'csi-provisioner',
    attempt: async () => {
      const { cluster } = bench
      const claim = await cluster.claim()
      const { metadata } = await cluster.bound(claim)
      await cluster.api.remove('PersistentVolumeClaim', claim)
      return async () => (await cluster.api.find('PersistentVolume', metadata.name)) === undefined
    },
  },
  {
    resource: 'volumeattachments/status',
    verb: 'patch',
    sidecar: 'csi-attacher',
    attempt: async () => {
      const { cluster } = bench
      const claim = await cluster.claim()
      await cluster.bound(claim)
      await cluster.schedule(claim, NODE)
      return async () => (await cluster.node.attachmentOf(claim))?.status?.attached === true
    },
  },
  {
    resource: 'persistentvolumeclaims/status',
    verb: 'patch',
    sidecar: 'csi-resizer',
    attempt: async () => {
      const { cluster } = bench
      const claim = await cluster.claim({ mode: 'Block', size: '8Mi' })
      await cluster.bound(claim)
      await cluster.api.patch('PersistentVolumeClaim', claim, {
        spec: { resources: { requests: { storage: '12Mi' } } },
      })
      return async () => {
        const { status } = await cluster.api.get('PersistentVolumeClaim', claim)
        return status.allocatedResourceStatuses?.storage === 'NodeResizePending'
      }
    },
  },
  {
    resource: 'volumesnapshotcontents/status',
    verb: 'patch',
    sidecar: 'csi-snapshotter',
    attempt: async () => {
      const { cluster } = bench
      await cluster.api.create('VolumeSnapshotClass', snapshotClass('snapshots'))
      const claim = await cluster.claim()
      await cluster.bound(claim)
      await cluster.api.create('VolumeSnapshot', {
        metadata: { name: 'lacking' },
        spec: { volumeSnapshotClassName: 'snapshots', source: { persistentVolumeClaimName: claim } },
      })
      return async () => (await cluster.api.get('VolumeSnapshot', 'lacking')).status?.readyToUse === true
    },
  },
  {
    resource: 'csistoragecapacities',
    verb: 'create',
    sidecar: 'csi-provisioner',
    attempt: async () => {
      const { cluster } = bench
      const name = cluster.name('class')
      await cluster.api.create('StorageClass', storageClass(name, { volumeBindingMode: 'WaitForFirstConsumer' }))
      return async () => {
        const all = await cluster.api.list('CSIStorageCapacity', SYSTEM_NAMESPACE)
        return all.some(each => each.storageClassName === name)
      }
    },
  },
]

/** What a log says that was refused, as `verb resource`; quotes inside of quotes are escaped. */
const refusedIn = (log: string): string[] =>
  [...log.matchAll(/cannot (\w+) resource \\*"([^"\\]+)/g)].map(([, verb, resource]) => `${verb} ${resource}`)

describe('a sidecar that lacks a right', () => {
  for (const { resource, verb, sidecar, attempt } of LACKS) {
    it(`does not get far without ${verb} ${resource}, and goes on when it has it`, async () => {
      const { cluster } = bench
      const giveBack = await without(resource, verb)
      const complaint = `${verb} ${resource}`
      const mark = cluster.rig.sidecar(sidecar).log.length
      try {
        const cameAbout = await attempt()
        await cluster.until(`${sidecar} complains`, async () =>
          refusedIn(cluster.rig.sidecar(sidecar).log.slice(mark)).includes(complaint),
        )
        assert.equal(await cameAbout(), false)
        await giveBack()
        await cluster.until(`it comes about`, cameAbout)
      } finally {
        await giveBack()
      }
    })
  }
})

/** A life with everything in it that the sidecars do. */
const wholeLife = async (): Promise<void> => {
  const { cluster } = bench
  const { api } = cluster
  await api.create('VolumeSnapshotClass', snapshotClass('snapshots'))
  await api.create('VolumeAttributesClass', attributesClass('one', { readIops: '100' }))
  await api.create('VolumeAttributesClass', attributesClass('two', { readIops: '200' }))
  await api.create('StorageClass', storageClass('late', { volumeBindingMode: 'WaitForFirstConsumer' }))
  await api.create('StorageClass', storageClass('wrong', { parameters: { flavour: 'vanilla' } }))
  const wrong = await cluster.claim({ class: 'wrong' })
  await cluster.event(wrong, 'ProvisioningFailed', /flavour/)
  const claim = await cluster.claim({ mode: 'Block', size: '8Mi', attributes: 'one' })
  await cluster.bound(claim)
  const pod = await cluster.run(claim, 'Block')
  const grow = { resources: { requests: { storage: '12Mi' } } }
  await api.patch('PersistentVolumeClaim', claim, { spec: { ...grow, volumeAttributesClassName: 'two' } })
  await cluster.node.expand(pod.name)
  await cluster.until('it is modified', async () => {
    const { status } = await api.get('PersistentVolumeClaim', claim)
    return status.currentVolumeAttributesClassName === 'two'
  })
  await cluster.snapshot(claim, 'snapshots', 'whole')
  const restored = await cluster.claim({
    mode: 'Block',
    size: '12Mi',
    source: { kind: 'VolumeSnapshot', name: 'whole' },
  })
  await cluster.bound(restored)
  const clone = await cluster.claim({
    mode: 'Block',
    size: '12Mi',
    source: { kind: 'PersistentVolumeClaim', name: claim },
  })
  await cluster.bound(clone)
  await cluster.end(pod.name)
  const published = async () =>
    (await api.list('CSIStorageCapacity', SYSTEM_NAMESPACE)).find(
      each => each.storageClassName === 'late' && each.nodeTopology.matchLabels[`${DRIVER_NAME}/node`] === NODE,
    )?.capacity
  await cluster.until('capacity is published', async () => (await published()) !== undefined)
  const before = await published()
  await cluster.bound(await cluster.claim({ mode: 'Block', size: '16Mi' }))
  await cluster.until('capacity is published anew', async () => (await published()) !== before)
  await cluster.remove('StorageClass', 'late')
  await cluster.until('capacity is withdrawn', async () =>
    (await api.list('CSIStorageCapacity', SYSTEM_NAMESPACE)).every(each => each.storageClassName !== 'late'),
  )
  await cluster.clean()
}

describe('the rights of all sidecars', () => {
  it(`are used, each of them, in the life of one volume of ${DRIVER_NAME}`, async () => {
    const { cluster } = bench
    await wholeLife()
    const rights = (await Promise.all(ROLES.map(kind => given(cluster.api, kind)))).flat()
    assert.ok(rights.length > 0)
    assert.deepEqual(unusedRights(rights, used(cluster.rig.plane.audit)), [])
  })

  it('are enough: nobody was refused anything else', () => {
    const refused = bench.cluster.rig
      .programs()
      .filter(program => program.options.name.startsWith('csi-'))
      .flatMap(program => refusedIn(program.log))
    const taken = LACKS.map(({ verb, resource }) => `${verb} ${resource}`)
    assert.deepEqual(
      [...new Set(refused)].filter(each => !taken.includes(each)),
      [],
    )
  })
})
