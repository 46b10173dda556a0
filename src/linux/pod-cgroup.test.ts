// Tests of finding the cgroup of a pod: both drivers of kubelet, both versions of cgroups, and never a guess.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { findPodCgroup, waitForPodCgroup } from './pod-cgroup.ts'

const op = testOp()
const UID = '0b5e8f4c-1d2e-4f3a-9b8c-7d6e5f4a3b2c'
const LOW = UID.replaceAll('-', '_')
const V2 = '30 25 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n'
const V1 = '33 25 0:29 / /sys/fs/cgroup/blkio rw,nosuid - cgroup cgroup rw,blkio\n'
const HYBRID = `${V1}34 25 0:30 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw\n`
const ROOT = '/sys/fs/cgroup'

/** A tree of version 2 with these folders, whose I/O controller is on. */
const tree = (...folders: string[]): Record<string, string> => ({
  '/proc/self/mountinfo': V2,
  [`${ROOT}/cgroup.controllers`]: 'cpuset cpu io memory pids\n',
  ...Object.fromEntries(folders.map(each => [`${ROOT}/${each}/io.max`, ''])),
})
const find = (kernel: Record<string, string>) => findPodCgroup(fakeHost([], kernel), UID)

describe('the cgroup of a pod', () => {
  for (const folder of [
    `kubepods/pod${UID}`,
    `kubepods/burstable/pod${UID}`,
    `kubepods/besteffort/pod${UID}`,
    `kubepods.slice/kubepods-pod${LOW}.slice`,
    `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${LOW}.slice`,
    `kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${LOW}.slice`,
    `kubelet/kubepods/burstable/pod${UID}`,
    `kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${LOW}.slice`,
  ]) {
    it(`is ${folder}, beside those of others`, async () => {
      const others = [folder.replaceAll('0b5e8f4c', 'ffffffff'), `other/pod${UID}`]
      assert.deepEqual(await find(tree(folder, ...others)), { path: `${ROOT}/${folder}` })
    })
  }

  it('is not there yet, or is ambiguous, or has no I/O controller', async () => {
    assert.deepEqual(await find(tree('kubepods/burstable/podx')), {
      missing: `there is no cgroup of pod ${UID}`,
      isEarly: true,
    })
    const two = await find(tree(`kubepods/pod${UID}`, `kubepods/burstable/pod${UID}`))
    assert.ok('missing' in two && /^both .* and .* are there/.test(two.missing) && !two.isEarly)
    const off = await find({ ...tree(), [`${ROOT}/kubepods/pod${UID}/cgroup.procs`]: '' })
    assert.ok('missing' in off && /I\/O controller is off in .*\/kubepods\/pod/.test(off.missing) && !off.isEarly)
  })

  it('is of no use in version 1, where limits of a pod do not reach its containers', async () => {
    const kernel = {
      [`${ROOT}/blkio/kubepods/pod${UID}/blkio.throttle.read_bps_device`]: '',
      [`${ROOT}/unified/kubepods/pod${UID}/cgroup.procs`]: '',
      [`${ROOT}/unified/cgroup.controllers`]: 'hugetlb\n',
    }
    for (const mountinfo of [V1, HYBRID]) {
      const found = await find({ ...kernel, '/proc/self/mountinfo': mountinfo })
      assert.ok('missing' in found && /version 1/.test(found.missing) && !found.isEarly)
    }
    const none = await find({ '/proc/self/mountinfo': '' })
    assert.ok('missing' in none && /no cgroups/.test(none.missing))
  })

  it('is waited for a while, because kubelet asks for volumes as soon as it makes it', async () => {
    const host = fakeHost([], tree())
    setTimeout(() => host.kernel.set(`${ROOT}/kubepods/pod${UID}/io.max`, ''), 30)
    assert.deepEqual(await waitForPodCgroup(host, UID, op), { path: `${ROOT}/kubepods/pod${UID}` })
    assert.deepEqual(await waitForPodCgroup(fakeHost([], tree()), UID, op, 20), {
      missing: `there is no cgroup of pod ${UID}`,
    })
  })
})
