// Tests of which pod a target path is for.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { podOf } from './pod.ts'

const UID = '0b5e8f4c-1d2e-4f3a-9b8c-7d6e5f4a3b2c'
const OTHER = '1b5e8f4c-1d2e-4f3a-9b8c-7d6e5f4a3b2c'
const CSI = 'plugins/kubernetes.io/csi'

it('a pod is known by the paths of kubelet, or by what kubelet says of it', () => {
  assert.equal(podOf(`/var/lib/kubelet/pods/${UID}/volumes/kubernetes.io~csi/pvc-1/mount`, {}), UID)
  assert.equal(podOf(`/var/lib/kubelet/${CSI}/volumeDevices/publish/pvc-1/${UID}`, {}), UID)
  assert.equal(podOf('/mnt/x', { 'csi.storage.k8s.io/pod.uid': UID }), UID)
  assert.equal(podOf(`/pods/${OTHER}/volumes/x/y/mount`, { 'csi.storage.k8s.io/pod.uid': UID }), UID)
})

it('a pod is not guessed', () => {
  for (const path of [
    '/mnt/x',
    `/pods/${UID}/mount`,
    `/pods/${UID}`,
    '/pods/../volumes/x',
    '/pods/1/volumes/x',
    `/pods/${UID}x/volumes/x`,
    `/var/lib/kubelet/${CSI}/volumeDevices/staging/pvc-1/${UID}`,
  ])
    assert.equal(podOf(path, {}), undefined, path)
  assert.equal(podOf('/mnt/x', { 'csi.storage.k8s.io/pod.uid': '../../x' }), undefined)
})
