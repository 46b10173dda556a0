// Steps of a volume's life that a node does, and what must be true on the machine after each.
import assert from 'node:assert/strict'
import { digest, filesystemUuid } from '../../../src/volume/ids.ts'
import { lookUp } from './disk.ts'
import { furnish, workloadOn } from './machine.ts'
import { fileOf } from './state.ts'
import {
  allow,
  capabilityOf,
  dataFile,
  exists,
  isReader,
  loopsOf,
  mountsAt,
  type Scene,
  type Step,
  stagingOf,
  targetOf,
} from './world.ts'

export const stage: Step = {
  name: 'NodeStageVolume',
  async call(scene) {
    const { machine, driver, world } = scene
    const path = stagingOf(world)
    if (mountsAt(scene, path).length === 0) furnish(machine, path)
    allow(scene, path)
    return await driver.call('NodeStageVolume', {
      volume_id: world.id,
      publish_context: world.publishContext,
      staging_target_path: path,
      volume_capability: capabilityOf(world),
      volume_context: world.volumeContext,
      secrets: {},
    })
  },
  holds(scene) {
    const { world } = scene
    const [loop, second] = loopsOf(scene)
    assert.ok(loop && !second, 'one loop device')
    assert.equal(loop.readonly, isReader(world))
    if (world.wish.access === 'block') return
    const [mount, other] = mountsAt(scene, stagingOf(world))
    assert.ok(mount && !other, 'one mount')
    assert.equal(fileOf(scene.machine.state, mount.kname), dataFile(scene))
    const { fs } = mount
    assert.ok(fs)
    assert.deepEqual([fs.type, fs.uuid], [world.wish.fsType, filesystemUuid(world.id)])
    assert.equal(mount.superReadonly, isReader(world))
    if (!isReader(world) && fs.size !== loop.size)
      assert.ok(isGrowthFailureNoted(scene), 'it did not grow, and nobody knows')
    if (world.wish.parameters['uid'] !== undefined)
      assert.deepEqual([fs.owner, fs.mode.replace(/^0/, '')], ['1000:1001', '770'])
    for (const [name, text] of Object.entries(world.written)) assert.equal(fs.files.get(name), text, `data of ${name}`)
  },
}

/** Growth fails no mount, but it must not be forgotten. */
function isGrowthFailureNoted({ machine, world }: Scene): boolean {
  const { text = '' } = lookUp(machine.state.disk, `${world.place.stateDir}/${digest(world.id)}.json`) ?? {}
  return text.includes('"growthFailure"')
}

export function publish(n: number, readonly = false): Step {
  return {
    name: readonly ? 'NodePublishVolume read-only' : 'NodePublishVolume',
    needs: 'staged',
    target: n,
    async call(scene) {
      const { machine, driver, world } = scene
      const path = targetOf(world, n)
      furnish(machine, path.slice(0, path.lastIndexOf('/')))
      allow(scene, path)
      return await driver.call('NodePublishVolume', {
        volume_id: world.id,
        publish_context: world.publishContext,
        staging_target_path: stagingOf(world),
        target_path: path,
        volume_capability: capabilityOf(world),
        readonly,
        volume_context: world.volumeContext,
        secrets: {},
      })
    },
    holds(scene) {
      const { machine, world } = scene
      const [mount, other] = mountsAt(scene, targetOf(world, n))
      assert.ok(mount && !other, 'one mount')
      assert.equal(fileOf(machine.state, mount.kname), dataFile(scene))
      assert.equal(mount.kind, world.wish.access === 'block' ? 'node' : 'filesystem')
      const isReadonly =
        mount.kind === 'node' ? machine.state.loops.get(mount.kname)?.readonly : mount.options.includes('ro')
      assert.equal(isReadonly, readonly || isReader(world))
      const workload = workloadOn(machine)
      for (const [name, text] of Object.entries(world.written))
        assert.equal(workload.read(mount.path, name), text, `data of ${name}`)
    },
    workload({ machine, world }) {
      if (readonly || isReader(world)) return
      const name = `${String.fromCharCode(97 + Object.keys(world.written).length)}-${n}`
      workloadOn(machine).write(targetOf(world, n), name, `precious ${name}`, true)
      world.written[name] = `precious ${name}`
    },
  }
}

export function stats(n: number): Step {
  return {
    name: 'NodeGetVolumeStats',
    needs: 'published',
    async call(scene) {
      const { driver, world } = scene
      const path = targetOf(world, n)
      return await driver.call('NodeGetVolumeStats', {
        volume_id: world.id,
        volume_path: path,
        staging_target_path: '',
      })
    },
    holds(scene, reply) {
      const [bytes] = reply['usage'] as { total: string }[]
      const [loop] = loopsOf(scene)
      assert.equal(BigInt(bytes?.total ?? -1), loop?.size, 'a wrong size with OK')
    },
    honestly(reply) {
      const { abnormal, message } = reply['volume_condition'] as { abnormal: boolean; message: string }
      assert.equal(abnormal, false, message)
    },
  }
}

export function nodeExpand(n: number, by: bigint): Step {
  return {
    name: 'NodeExpandVolume',
    needs: 'published',
    call: async ({ driver, world }) =>
      await driver.call('NodeExpandVolume', {
        volume_id: world.id,
        volume_path: targetOf(world, n),
        capacity_range: { required_bytes: String(world.wish.size + by), limit_bytes: '0' },
        staging_target_path: stagingOf(world),
        volume_capability: capabilityOf(world),
        secrets: {},
      }),
    holds(scene) {
      const file = dataFile(scene)
      for (const loop of loopsOf(scene)) assert.equal(loop.size, file.size)
      if (scene.world.wish.access === 'mount') assert.equal(file.fs?.size, file.size)
    },
  }
}

export function unpublish(n: number): Step {
  return {
    name: 'NodeUnpublishVolume',
    call: async ({ driver, world }) =>
      await driver.call('NodeUnpublishVolume', { volume_id: world.id, target_path: targetOf(world, n) }),
    holds(scene) {
      const path = targetOf(scene.world, n)
      assert.deepEqual(mountsAt(scene, path), [])
      assert.equal(exists(scene, path), false, `${path} is still there`)
    },
  }
}

export const unstage: Step = {
  name: 'NodeUnstageVolume',
  call: async ({ driver, world }) =>
    await driver.call('NodeUnstageVolume', { volume_id: world.id, staging_target_path: stagingOf(world) }),
  holds(scene) {
    assert.deepEqual(mountsAt(scene, stagingOf(scene.world)), [])
    assert.deepEqual(loopsOf(scene), [])
    const { stateDir } = scene.world.place
    const own = digest(scene.world.id)
    const left = [...(lookUp(scene.machine.state.disk, stateDir)?.entries.keys() ?? [])].filter(name =>
      name.startsWith(own),
    )
    assert.deepEqual(left, [])
  },
}
