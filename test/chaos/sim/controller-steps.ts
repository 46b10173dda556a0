// Steps of a volume's life that the controller does, and what must be true on the machine after each.
import assert from 'node:assert/strict'
import { digest } from '../../../src/volume/ids.ts'
import { lookUp } from './disk.ts'
import { POOL_PATH } from './driver.ts'
import { capabilityOf, claimsOf, dataFile, exists, loopsOf, type Scene, type Step, type World } from './world.ts'

export const create = createFrom('CreateVolume', () => null)

/** Of the snapshot of the first of the other volumes. */
export const snapshot: Step = {
  name: 'CreateSnapshot',
  isBesideTheBytes: true,
  async call({ driver, world }) {
    const request = { source_volume_id: world.others[0], name: 'snap', parameters: {}, secrets: {} }
    const reply = await driver.call('CreateSnapshot', request)
    world.snapshot = (reply['snapshot'] as { snapshot_id: string }).snapshot_id
    return reply
  },
  holds(scene, reply) {
    assert.equal((reply['snapshot'] as { ready_to_use: boolean }).ready_to_use, true)
    assert.deepEqual(claimsOf({ ...scene, world: { ...scene.world, id: scene.world.others[0] ?? '' } }), [])
    const at = (path: string) => lookUp(scene.machine.state.disk, `${POOL_PATH}/${path}/data`)
    const [source, copy] = [at(`volumes/${scene.world.others[0]}`), at(`snapshots/${scene.world.snapshot}`)]
    assert.deepEqual([copy?.size, copy?.pages], [source?.size, source?.pages])
  },
}

export const dropSnapshot: Step = {
  name: 'DeleteSnapshot',
  isBesideTheBytes: true,
  call: async ({ driver, world }) => await driver.call('DeleteSnapshot', { snapshot_id: world.snapshot, secrets: {} }),
  holds: scene => assert.equal(exists(scene, `${POOL_PATH}/snapshots/${scene.world.snapshot}`), false),
}

export const restore: Step = {
  ...createFrom('CreateVolume from a snapshot', ({ snapshot }) => ({
    type: 'snapshot',
    snapshot: { snapshot_id: snapshot },
    volume: null,
  })),
  isBesideTheBytes: true,
  workload: rely,
}

export const clone: Step = {
  ...createFrom('CreateVolume from a volume', ({ others }) => ({
    type: 'volume',
    snapshot: null,
    volume: { volume_id: others[0] },
  })),
  isBesideTheBytes: true,
  workload: rely,
}

/** The copy does not need it. */
export const removeSource: Step = {
  name: 'DeleteVolume of the source',
  isBesideTheBytes: true,
  async call({ driver, machine, world }) {
    const [id = ''] = world.others
    const data = lookUp(machine.state.disk, `${POOL_PATH}/volumes/${id}/data`)
    if (data) machine.state.disk.doomed.add(data.ino)
    return await driver.call('DeleteVolume', { volume_id: id, secrets: {} })
  },
  holds: scene => assert.equal(exists(scene, `${POOL_PATH}/volumes/${scene.world.others[0]}`), false),
  workload: ({ world }) => {
    world.others = []
  },
}

/** From now on whoever removes or formats it is caught. */
function rely(scene: Scene): void {
  scene.machine.state.disk.doomed.delete(dataFile(scene).ino)
}

function createFrom(name: string, sourceOf: (world: World) => object | null): Step {
  return {
    name,
    call: async scene => await createVolume(scene, sourceOf(scene.world)),
    holds: scene => assert.equal(dataFile(scene).size, scene.world.wish.size),
  }
}

async function createVolume({ driver, world }: Scene, source: object | null) {
  const { name, size, parameters } = world.wish
  const reply = await driver.call('CreateVolume', {
    name,
    capacity_range: { required_bytes: String(size), limit_bytes: '0' },
    volume_capabilities: [capabilityOf(world)],
    parameters,
    accessibility_requirements: null,
    volume_content_source: source,
    mutable_parameters: {},
    secrets: {},
  })
  const { volume_id: id, volume_context: context } = reply['volume'] as Record<string, unknown>
  world.id = String(id)
  world.volumeContext = context as Record<string, string>
  return reply
}

export const controllerPublish: Step = {
  name: 'ControllerPublishVolume',
  async call({ driver, world }) {
    const reply = await driver.call('ControllerPublishVolume', {
      volume_id: world.id,
      node_id: world.place.nodeId,
      volume_capability: capabilityOf(world),
      readonly: false,
      volume_context: world.volumeContext,
      secrets: {},
    })
    world.publishContext = reply['publish_context'] as Record<string, string>
    return reply
  },
  holds(scene) {
    assert.deepEqual(claimsOf(scene), [`${digest(scene.world.place.nodeId).slice(0, 32)}.json`])
    if (Object.keys(scene.world.written).length > 0) assert.notEqual(scene.world.publishContext['blank'], 'true')
  },
}

export function controllerExpand(by: bigint): Step {
  return {
    name: 'ControllerExpandVolume',
    needs: 'published',
    call: async ({ driver, world }) =>
      await driver.call('ControllerExpandVolume', {
        volume_id: world.id,
        capacity_range: { required_bytes: String(world.wish.size + by), limit_bytes: '0' },
        volume_capability: capabilityOf(world),
        secrets: {},
      }),
    holds: scene => assert.equal(dataFile(scene).size, scene.world.wish.size + by),
  }
}

export const controllerUnpublish: Step = {
  name: 'ControllerUnpublishVolume',
  call: async ({ driver, world }) =>
    await driver.call('ControllerUnpublishVolume', { volume_id: world.id, node_id: world.place.nodeId, secrets: {} }),
  holds(scene) {
    assert.deepEqual(loopsOf(scene), [])
    assert.deepEqual(claimsOf(scene), [])
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
