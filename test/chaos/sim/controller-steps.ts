// Steps of a volume's life that the controller does, and what must be true on the machine after each.
import assert from 'node:assert/strict'
import { digest } from '../../../src/volume/ids.ts'
import { POOL_PATH } from './driver.ts'
import { capabilityOf, claimsOf, dataFile, exists, loopsOf, type Step } from './world.ts'

export const create: Step = {
  name: 'CreateVolume',
  async call({ driver, world }) {
    const { name, size, parameters } = world.wish
    const reply = await driver.call('CreateVolume', {
      name,
      capacity_range: { required_bytes: String(size), limit_bytes: '0' },
      volume_capabilities: [capabilityOf(world)],
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
