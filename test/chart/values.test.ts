// Values that are wrong fail, with their path or with what to do; and switches switch.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CLUSTER, template } from '../../scripts/chart-render.ts'
import { container, kind, objectsOf, only, podOf } from './objects.ts'

function refused(profile: string, wanted: RegExp, more: readonly string[], apis?: readonly string[]): void {
  const { code, stderr } = template(profile, more, apis)
  assert.notEqual(code, 0, `${more.join(' ')} was taken`)
  assert.match(stderr, wanted)
}

describe('an unknown or wrong value fails with its path', () => {
  const CASES: readonly (readonly [value: string, path: RegExp])[] = [
    ['nothing=1', /at '': additional properties 'nothing' not allowed/],
    ['config.nothing=1', /at '\/config': additional properties 'nothing' not allowed/],
    ['config.endpoint=unix:///x', /at '\/config': additional properties 'endpoint' not allowed/],
    ['config.pools.default.sizze=1', /at '\/config\/pools\/default': additional properties 'sizze' not allowed/],
    ['config.pools.default.overcommit=0', /at '\/config\/pools\/default\/overcommit': minimum: got 0, want 0\.1/],
    ['config.log.level=loud', /at '\/config\/log\/level': value must be one of/],
    ['config.maxVolumesPerNode=x', /at '\/config\/maxVolumesPerNode': got string, want integer/],
    ['controller.replica=2', /at '\/controller': additional properties 'replica' not allowed/],
    ['sidecars.attacher.image.tagg=1', /at '\/sidecars\/attacher\/image': additional properties 'tagg' not allowed/],
    ['sidecars.provisioner.timeout=60', /at '\/sidecars\/provisioner\/timeout'/],
    [
      'storageClasses[0].name=a,storageClasses[0].parameters.blocksize=1',
      /at '\/storageClasses\/0\/parameters': additional properties 'blocksize'/,
    ],
    [
      'storageClasses[0].name=a,storageClasses[0].parameters.reflink=maybe',
      /at '\/storageClasses\/0\/parameters\/reflink'/,
    ],
    [
      'volumeAttributesClasses[0].name=a,volumeAttributesClasses[0].parameters.iops=1',
      /at '\/volumeAttributesClasses\/0\/parameters'.*'iops'/,
    ],
    ['monitoring.podMonitor.enable=true', /at '\/monitoring\/podMonitor': additional properties 'enable'/],
    ['kubeletDir=var/lib/kubelet', /at '\/kubeletDir'/],
    ['profile=nvme', /at '\/profile': value must be one of 'local', 'iscsi'/],
  ]
  for (const [value, path] of CASES) it(value, () => refused('local', path, ['--set', value]))
})

describe('what no schema can say fails with what to do', () => {
  const CASES: readonly (readonly [profile: string, value: string, wanted: RegExp])[] = [
    ['local', 'config.defaultPool=none', /config\.defaultPool: there is no pool "none"/],
    ['local', 'config.iscsi.chap=none', /config\.iscsi: profile local .* set profile: iscsi/],
    ['local', 'config.defaultTransport=iscsi', /config\.defaultTransport/],
    [
      'local',
      'volumeAttributesClasses[0].name=a,volumeAttributesClasses[0].parameters.readIops=none',
      /volumeAttributesClasses: profile local has none/,
    ],
    ['local', 'profile=iscsi', /config\.iscsi\.portals: .*10\.0\.0\.1:3260/],
    ['iscsi-ssh', 'sshSecret.name=', /sshSecret\.name/],
    ['iscsi-ssh', 'chapSecret.name=', /chapSecret\.name/],
    [
      'iscsi-storage-host',
      'config.storage.address=s,sshSecret.name=s',
      /config\.iscsi\.chapKeyFile: the path on the storage host/,
    ],
    ['iscsi-storage-host', 'controller.nodeSelector=null', /controller\.nodeSelector: select the storage host/],
    ['iscsi-storage-host', 'controller.replicas=2', /controller\.replicas: .* alone there/],
  ]
  for (const [profile, value, wanted] of CASES)
    it(`${profile}: ${value}`, () => refused(profile, wanted, ['--set', value]))

  it('a cluster without VolumeAttributesClass', () => {
    refused('everything', /Kubernetes 1\.34 or later/, [], [])
  })
  it('a cluster that is too old', () => {
    refused('local', /kubeVersion: >=1\.30\.0-0/, ['--kube-version', '1.29.9'])
  })
})

describe('switches', () => {
  it('snapshots follow the cluster, and can be forced', () => {
    const has = (more: string[], apis: readonly string[]) => {
      const objects = objectsOf('iscsi-ssh', more, apis)
      const sidecars = podOf(objects, 'Deployment').containers.map(({ name }) => name)
      return [sidecars.includes('snapshotter'), kind(objects, 'VolumeSnapshotClass').length > 0]
    }
    assert.deepEqual(has([], CLUSTER), [true, true])
    assert.deepEqual(has([], []), [false, false])
    assert.deepEqual(has(['--set', 'snapshots=true'], []), [true, true])
    assert.deepEqual(has(['--set', 'snapshots=false'], CLUSTER), [false, false])
  })

  it('capacity objects are off for CSIDriver and provisioner together', () => {
    const objects = objectsOf('iscsi-ssh', ['--set', 'csiDriver.storageCapacity=false'])
    assert.equal((only(objects, 'CSIDriver')['spec'] as { storageCapacity: boolean }).storageCapacity, false)
    const { args = [] } = container(podOf(objects, 'Deployment'), 'provisioner')
    assert.ok(!args.includes('--enable-capacity'))
  })

  it('volumes of pods need a CSIDriver that says so', () => {
    const limits = ['maxVolumes=4', 'maxVolumeMiB=64', 'maxTotalMiB=256'].map(each => `config.ephemeral.${each}`).join()
    const { podInfoOnMount, volumeLifecycleModes } = only(objectsOf('local', ['--set', limits]), 'CSIDriver')[
      'spec'
    ] as Record<string, unknown>
    assert.deepEqual([podInfoOnMount, volumeLifecycleModes], [true, ['Persistent', 'Ephemeral']])
    refused('iscsi-ssh', /config\.ephemeral/, ['--set', limits])
  })

  it('nothing of monitoring.coreos.com is there unless it is asked for', () => {
    const foreign = (profile: string) =>
      objectsOf(profile).filter(each => each.apiVersion === 'monitoring.coreos.com/v1')
    assert.deepEqual(foreign('local'), [])
    assert.equal(foreign('everything').length, 3)
  })

  it('monitors name ports that are there', () => {
    const objects = objectsOf('everything')
    for (const monitor of kind(objects, 'PodMonitor')) {
      const pod = podOf(objects, monitor.metadata.name.endsWith('controller') ? 'Deployment' : 'DaemonSet')
      const ports = pod.containers.flatMap(each => each.ports ?? []).map(({ name }) => name)
      const { podMetricsEndpoints } = monitor['spec'] as { podMetricsEndpoints: { port: string }[] }
      assert.deepEqual(podMetricsEndpoints.map(({ port }) => port).sort(), ports.sort())
    }
  })

  it('the dashboard is JSON, and asks about this driver', () => {
    const { data } = only(objectsOf('everything'), 'ConfigMap', '-dashboard') as unknown as {
      data: Record<string, string>
    }
    const { panels } = JSON.parse(data['ashlar.json'] ?? '') as { panels: { targets: { expr: string }[] }[] }
    const asked = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join('\n')
    assert.match(asked, /driver_name="csi\.example\.org"/)
    assert.doesNotMatch(asked, /csi\.ashlar\.dev/)
  })
})
