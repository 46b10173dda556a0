// Steps of the life of a pod's own volume, which kubelet leads alone, and what must be true on the machine after each.
import assert from 'node:assert/strict'
import { digest, encodeEphemeralId } from '../../../src/volume/ids.ts'
import { lookUp } from './disk.ts'
import { POOL_NAME, POOL_PATH } from './driver.ts'
import { furnish, workloadOn } from './machine.ts'
import { fileOf } from './state.ts'
import { capabilityOf, dataFile, exists, mountsAt, type Scene, type Step, targetOf } from './world.ts'

const handleOf = (name: string) => `csi-${digest(`pod of ${name}`)}`
/** More inodes than a publish makes. */
const MANY = 200

/** Whether the driver, or whoever follows it, may take back what it makes. */
function doomWhatIsMade({ machine: { state }, world }: Scene): void {
  if (Object.keys(world.written).length > 0) return
  const file = lookUp(state.disk, `${POOL_PATH}/volumes/${world.id}/data`)
  if (file) state.disk.doomed.add(file.ino)
  for (let n = 0; n < MANY; n += 1) state.disk.doomed.add(state.disk.nextInode + n)
}

export const publishOwn: Step = {
  name: 'NodePublishVolume of an ephemeral volume',
  isOfOneNode: true,
  async call(scene) {
    const { machine, driver, world } = scene
    const path = targetOf(world, 1)
    world.id = encodeEphemeralId(POOL_NAME, handleOf(world.wish.name))
    furnish(machine, path.slice(0, path.lastIndexOf('/')))
    machine.state.places.set(path, world.id)
    doomWhatIsMade(scene)
    return await driver.call('NodePublishVolume', {
      volume_id: handleOf(world.wish.name),
      publish_context: {},
      staging_target_path: '',
      target_path: path,
      volume_capability: capabilityOf(world),
      readonly: false,
      volume_context: {
        size: String(world.wish.size),
        'csi.storage.k8s.io/ephemeral': 'true',
        'csi.storage.k8s.io/pod.name': 'pod',
      },
      secrets: {},
    })
  },
  holds(scene) {
    const { machine, world } = scene
    const [mount, other] = mountsAt(scene, targetOf(world, 1))
    assert.ok(mount && !other, 'one mount')
    assert.equal(fileOf(machine.state, mount.kname), dataFile(scene))
    assert.equal(dataFile(scene).size, world.wish.size)
    assert.equal(mount.fs?.type, world.wish.fsType)
    const workload = workloadOn(machine)
    for (const [name, text] of Object.entries(world.written)) assert.equal(workload.read(mount.path, name), text, name)
  },
  workload(scene) {
    const { machine, world } = scene
    machine.state.disk.doomed.delete(dataFile(scene).ino)
    const name = `${String.fromCharCode(97 + Object.keys(world.written).length)}-own`
    workloadOn(machine).write(targetOf(world, 1), name, `precious ${name}`, true)
    world.written[name] = `precious ${name}`
  },
}

export const unpublishOwn: Step = {
  name: 'NodeUnpublishVolume of an ephemeral volume',
  isOfOneNode: true,
  async call(scene) {
    const { machine, driver, world } = scene
    const file = lookUp(machine.state.disk, `${POOL_PATH}/volumes/${world.id}/data`)
    if (file) machine.state.disk.doomed.add(file.ino)
    world.written = {}
    const request = { volume_id: handleOf(world.wish.name), target_path: targetOf(world, 1) }
    return await driver.call('NodeUnpublishVolume', request)
  },
  holds(scene) {
    const { world } = scene
    const path = targetOf(world, 1)
    assert.deepEqual(mountsAt(scene, path), [])
    assert.equal(exists(scene, path), false, `${path} is still there`)
    assert.equal(exists(scene, `${POOL_PATH}/volumes/${world.id}`), false, 'its bytes are still there')
  },
}
