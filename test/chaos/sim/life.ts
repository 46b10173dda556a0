// The life of a volume as an orchestrator leads it: each step one RPC, with what must be true on the machine afterwards.
import assert from 'node:assert/strict'
import { digest, filesystemUuid } from '../../../src/volume/ids.ts'
import { type Inode, lookUp } from './disk.ts'
import { type Driver, type Place, POOL_PATH, type Reply } from './driver.ts'
import { furnish, type Machine, workloadOn } from './machine.ts'
import { fileOf, type Mount } from './state.ts'

const MIB = 1024n * 1024n

/** How a volume is wanted. */
export interface Wish {
  readonly name: string
  readonly access: 'mount' | 'block'
  readonly fsType: '' | 'ext4' | 'xfs'
  readonly mode: string
  readonly size: bigint
  readonly parameters: Readonly<Record<string, string>>
}

export const WISHES = {
  ext4: wish('ext4', { fsType: 'ext4', size: 16n * MIB }),
  xfs: wish('xfs', {
    fsType: 'xfs',
    size: 300n * MIB,
    parameters: { uid: '1000', gid: '1001', mountPermissions: '0770' },
  }),
  block: wish('block', { access: 'block', size: 4n * MIB }),
} satisfies Record<string, Wish>

function wish(name: string, rest: Partial<Wish>): Wish {
  return { name, access: 'mount', fsType: '', mode: 'SINGLE_NODE_WRITER', size: 16n * MIB, parameters: {}, ...rest }
}

/** What the orchestrator knows; plain data, so that it can be copied together with the machine. */
export interface World {
  readonly wish: Wish
  place: Place
  id: string
  publishContext: Record<string, string>
  volumeContext: Record<string, string>
  /** Durable writes of the workload, by name. */
  written: Record<string, string>
}

export function newWorld(wanted: Wish, place: Place): World {
  return { wish: wanted, place, id: '', publishContext: {}, volumeContext: {}, written: {} }
}

export interface Scene {
  readonly machine: Machine
  readonly driver: Driver
  readonly world: World
}

export interface Step {
  readonly name: string
  /** One RPC; it may be repeated. */
  readonly call: (scene: Scene) => Promise<Reply>
  /** The truth after OK. Throws when the machine shows something else. */
  readonly holds: (scene: Scene, reply: Reply) => void
  /** What a workload does then. */
  readonly workload?: (scene: Scene) => void
  /** What must be made again after a reboot, for this step or the next ones. */
  readonly needs?: 'staged' | 'published'
  /** The target path. */
  readonly target?: number
}

const stagingOf = ({ wish: { name } }: World): string => `/kubelet/staging/${name}/globalmount`
export const targetOf = ({ wish: { name } }: World, n: number): string => `/kubelet/pods/${n}/${name}/mount`

export function dataFile({ machine, world }: Scene): Inode {
  return (
    lookUp(machine.state.disk, `${POOL_PATH}/volumes/${world.id}/data`) ?? assert.fail(`${world.id} has no data file`)
  )
}

const mountsAt = ({ machine }: Scene, path: string): Mount[] => machine.state.mounts.filter(each => each.path === path)
const loopsOf = (scene: Scene) => [...scene.machine.state.loops.values()].filter(each => each.file === dataFile(scene))
const exists = ({ machine }: Scene, path: string): boolean => lookUp(machine.state.disk, path) !== undefined

export function capabilityOf({ access, fsType, mode }: Wish): object {
  const mount = access === 'mount' ? { fs_type: fsType, mount_flags: [], volume_mount_group: '' } : null
  return { access_type: access, access_mode: { mode }, mount, block: access === 'block' ? {} : null }
}

/** Only here may this volume be mounted. */
function allow(scene: Scene, path: string): void {
  scene.machine.state.places.set(path, dataFile(scene).ino)
}

export const create: Step = {
  name: 'CreateVolume',
  async call({ driver, world }) {
    const { name, size, parameters } = world.wish
    const reply = await driver.call('CreateVolume', {
      name,
      capacity_range: { required_bytes: String(size), limit_bytes: '0' },
      volume_capabilities: [capabilityOf(world.wish)],
      parameters,
      accessibility_requirements: null,
      volume_content_source: null,
      mutable_parameters: {},
      secrets: {},
    })
    const { volume_id: id, volume_context: context } = reply['volume'] as Record<string, unknown>
    world.id = String(id)
    world.volumeContext = context as Record<string, string>
    return reply
  },
  holds: scene => assert.equal(dataFile(scene).size, scene.world.wish.size),
}

export const controllerPublish: Step = {
  name: 'ControllerPublishVolume',
  async call({ driver, world }) {
    const reply = await driver.call('ControllerPublishVolume', {
      volume_id: world.id,
      node_id: world.place.nodeId,
      volume_capability: capabilityOf(world.wish),
      readonly: false,
      volume_context: world.volumeContext,
      secrets: {},
    })
    world.publishContext = reply['publish_context'] as Record<string, string>
    return reply
  },
  holds(scene) {
    const claims = lookUp(scene.machine.state.disk, `${POOL_PATH}/volumes/${scene.world.id}/claims`)
    const own = [...(claims?.entries.keys() ?? [])].filter(name => name.endsWith('.json'))
    assert.deepEqual(own, [`${digest(scene.world.place.nodeId).slice(0, 32)}.json`])
    if (Object.keys(scene.world.written).length > 0) assert.notEqual(scene.world.publishContext['blank'], 'true')
  },
}

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
      volume_capability: capabilityOf(world.wish),
      volume_context: world.volumeContext,
      secrets: {},
    })
  },
  holds(scene) {
    const { world } = scene
    const [loop, second] = loopsOf(scene)
    assert.ok(loop && !second, 'one loop device')
    assert.equal(loop.readonly, false)
    if (world.wish.access === 'block') return
    const [mount, other] = mountsAt(scene, stagingOf(world))
    assert.ok(mount && !other, 'one mount')
    assert.equal(fileOf(scene.machine.state, mount.kname), dataFile(scene))
    const { fs } = mount
    assert.ok(fs)
    assert.deepEqual([fs.type, fs.uuid], [world.wish.fsType, filesystemUuid(world.id)])
    assert.equal(mount.superReadonly || mount.options.includes('ro'), false)
    assert.equal(fs.size, loop.size)
    if (world.wish.parameters['uid'] !== undefined)
      assert.deepEqual([fs.owner, fs.mode.replace(/^0/, '')], ['1000:1001', '770'])
    for (const [name, text] of Object.entries(world.written)) assert.equal(fs.files.get(name), text, `data of ${name}`)
  },
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
        volume_capability: capabilityOf(world.wish),
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
      assert.equal(isReadonly, readonly)
      const workload = workloadOn(machine)
      for (const [name, text] of Object.entries(world.written))
        assert.equal(workload.read(mount.path, name), text, `data of ${name}`)
    },
    workload({ machine, world }) {
      if (readonly) return
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
      const { abnormal } = reply['volume_condition'] as { abnormal: boolean }
      assert.equal(abnormal, false)
    },
  }
}

export function controllerExpand(by: bigint): Step {
  return {
    name: 'ControllerExpandVolume',
    needs: 'published',
    call: async ({ driver, world }) =>
      await driver.call('ControllerExpandVolume', {
        volume_id: world.id,
        capacity_range: { required_bytes: String(world.wish.size + by), limit_bytes: '0' },
        volume_capability: capabilityOf(world.wish),
        secrets: {},
      }),
    holds: scene => assert.equal(dataFile(scene).size, scene.world.wish.size + by),
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
        volume_capability: capabilityOf(world.wish),
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

export const controllerUnpublish: Step = {
  name: 'ControllerUnpublishVolume',
  call: async ({ driver, world }) =>
    await driver.call('ControllerUnpublishVolume', { volume_id: world.id, node_id: world.place.nodeId, secrets: {} }),
  holds(scene) {
    assert.deepEqual(loopsOf(scene), [])
    const claims = lookUp(scene.machine.state.disk, `${POOL_PATH}/volumes/${scene.world.id}/claims`)
    assert.deepEqual(
      [...(claims?.entries.keys() ?? [])].filter(name => name.endsWith('.json')),
      [],
    )
  },
}

export const remove: Step = {
  name: 'DeleteVolume',
  async call(scene) {
    if (exists(scene, `${POOL_PATH}/volumes/${scene.world.id}`))
      scene.machine.state.disk.doomed.add(dataFile(scene).ino)
    return await scene.driver.call('DeleteVolume', { volume_id: scene.world.id, secrets: {} })
  },
  holds: scene => assert.equal(exists(scene, `${POOL_PATH}/volumes/${scene.world.id}`), false),
}

/** From nothing to nothing: used, grown, published twice, moved away and back, deleted. */
export function lifeOf({ access }: Wish): Step[] {
  const more = access === 'block' ? 4n * MIB : 64n * MIB
  return [
    create,
    controllerPublish,
    stage,
    publish(1),
    stats(1),
    controllerExpand(more),
    nodeExpand(1, more),
    publish(2, true),
    unpublish(2),
    unpublish(1),
    unstage,
    controllerUnpublish,
    ...secondLife(),
  ]
}

/** Of a volume that has been used before. */
export function secondLife(): Step[] {
  return [controllerPublish, stage, publish(3), unpublish(3), unstage, controllerUnpublish, remove]
}
