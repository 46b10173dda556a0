// Whole lives of volumes, as orchestrators lead them, some with failures on the way.
import assert from 'node:assert/strict'
import { wipeVolume } from '../../../src/controller/wipe-volume.ts'
import {
  clone,
  controllerExpand,
  controllerPublish,
  controllerUnpublish,
  create,
  dropSnapshot,
  remove,
  removeSource,
  restore,
  snapshot,
} from './controller-steps.ts'
import { lookUp } from './disk.ts'
import { newOp, POOL_PATH, startDriver } from './driver.ts'
import type { Machine } from './machine.ts'
import { nodeExpand, publish, stage, stats, unpublish, unstage } from './node-steps.ts'
import { publishOwn, unpublishOwn } from './pod-steps.ts'
import { ask, boot, furnishedMachine, HERE, liveOn, reboot } from './run-life.ts'
import {
  claimsOf,
  dataFile,
  loopsOf,
  mountsAt,
  newWorld,
  type Scene,
  type Step,
  stagingOf,
  type Wish,
  type World,
} from './world.ts'

const MIB = 1024n * 1024n

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
  return { name, access: 'mount', fsType: '', size: 16n * MIB, parameters: {}, ...rest }
}

/** A life to be led, and from which of its steps on the driver is disturbed. */
export interface Life {
  readonly name: string
  readonly steps: readonly Step[]
  readonly isDisturbed: (step: Step, n: number) => boolean
  /** A fresh machine with what was there before the life began. */
  readonly begin: () => Promise<{ machine: Machine; world: World }>
}

const first = [create, controllerPublish, stage, publish(1)]
const leave = [unpublish(1), unstage, controllerUnpublish]
/** Of a volume that has been used before. */
export const secondLife = [controllerPublish, stage, publish(3), unpublish(3), unstage, controllerUnpublish, remove]

const anew = (wanted: Wish) => async () => ({ machine: furnishedMachine(), world: newWorld(wanted, HERE) })

/** From nothing to nothing: used, grown, published twice, moved away and back, deleted. */
function whole(wanted: Wish): Life {
  const more = wanted.access === 'block' ? 4n * MIB : 64n * MIB
  const growth = [stats(1), controllerExpand(more), nodeExpand(1, more), publish(2, true), unpublish(2)]
  return {
    name: wanted.name,
    steps: [...first, ...growth, ...leave, ...secondLife],
    isDisturbed: () => true,
    begin: anew(wanted),
  }
}

/** Written by one, then read by others. */
function reading(wanted: Wish): Life {
  const before = [...first, ...leave]
  return {
    name: `${wanted.name} for readers only`,
    steps: [...before, asReader(controllerPublish), ...secondLife.slice(1)],
    isDisturbed: (_, n) => n >= before.length,
    begin: anew(wanted),
  }
}

function asReader(step: Step): Step {
  return {
    ...step,
    async call(scene) {
      scene.world.mode = 'SINGLE_NODE_READER_ONLY'
      return await step.call(scene)
    },
  }
}

/** Commands fail, and what the driver then undoes is interrupted too. */
function failing(wanted: Wish): Life {
  const view =
    wanted.access === 'block' ? /^losetup --find .*--read-only|flock .*losetup --find .*--read-only/ : /remount/
  const steps = [
    create,
    spoil(controllerPublish, 'losetup', /losetup --find/),
    controllerPublish,
    ...(wanted.access === 'mount' ? [spoil(stage, 'mkfs', / mkfs/), spoil(stage, 'mount', /^mount -w/)] : []),
    stage,
    spoil(publish(1), 'mount', /^mount --bind/),
    spoil(publish(2, true), 'making it read-only', view),
    publish(1),
    unpublish(2),
    spoil(unpublish(1), 'umount', /^umount/),
    unpublish(1),
    ...(wanted.access === 'mount' ? [spoil(unstage, 'umount', /^umount/)] : []),
    spoil(unstage, 'losetup', /losetup --detach/),
    unstage,
    ...(wanted.access === 'mount' ? [spoil(stage, 'mount', /^mount -w/), unstage] : []),
    controllerUnpublish,
    remove,
  ]
  return {
    name: `${wanted.name} with failures`,
    steps,
    isDisturbed: step => step.spoils !== undefined,
    begin: anew(wanted),
  }
}

function spoil(step: Step, what: string, spoils: RegExp): Step {
  return {
    name: `${step.name} while ${what} fails`,
    ...(step.needs && { needs: step.needs }),
    ...(step.target !== undefined && { target: step.target }),
    spoils,
    again: step,
    async call(scene) {
      const before = loopsOf(scene).length
      const claims = claimsOf(scene)
      const answer = await ask(scene, step)
      assert.equal(typeof answer, 'string', 'it did not fail')
      if (step === controllerPublish) assert.deepEqual(claimsOf(scene), claims)
      // Whoever is told that it failed need not clean up: what the call attached is gone again.
      if (step === stage) assert.equal(loopsOf(scene).length, before)
      return {}
    },
    holds(scene) {
      if (step === stage) assert.deepEqual(mountsAt(scene, stagingOf(scene.world)), [])
    },
  }
}

/** The operator takes its data away from a volume that nobody uses. */
const wipe: Step = {
  name: 'ashlar wipe',
  mustEnd: true,
  async call(scene) {
    scene.machine.state.disk.doomed.add(dataFile(scene).ino)
    await wipeVolume(scene.driver.controller, scene.world.id, newOp())
    return {}
  },
  holds(scene) {
    const { pages, size } = dataFile(scene)
    assert.deepEqual([pages.size, size], [0, scene.world.wish.size])
  },
  workload(scene) {
    scene.machine.state.disk.doomed.delete(dataFile(scene).ino)
    scene.world.written = {}
  },
}

function wiped(wanted: Wish): Life {
  return {
    name: `${wanted.name} wiped`,
    steps: [...first, ...leave, wipe, ...secondLife],
    isDisturbed: (_, n) => n >= 7 && n <= 9,
    begin: anew(wanted),
  }
}

/** The copy of a volume that was in use: it bears the filesystem UUID of its source, and is larger. */
function copied(wanted: Wish): Life {
  return {
    name: `a copy of ${wanted.name}`,
    steps: secondLife,
    isDisturbed: (_, n) => n <= 1,
    async begin() {
      const machine = furnishedMachine()
      const driver = await startDriver(machine, HERE)
      const source = { machine, driver, world: newWorld(wanted, HERE) }
      await liveOn(source, [...first, ...leave])
      const size = wanted.size + 64n * MIB
      const scene = { machine, driver, world: newWorld({ ...wanted, name: 'copy', size }, HERE) }
      await liveOn(scene, [create])
      copyData(source, scene)
      return scene
    },
  }
}

/** Copies that the driver makes: of a snapshot or of the volume itself, by clones or byte by byte. */
function copiedBy(wanted: Wish, steps: readonly Step[], clones: boolean): Life {
  return {
    name: `${wanted.name}, ${clones ? 'cloned' : 'copied'} with ${steps.map(({ name }) => name).join(', ')}`,
    steps: [...steps, ...secondLife],
    isDisturbed: (_, n) => n < steps.length,
    async begin() {
      const machine = furnishedMachine()
      machine.state.clones = clones
      const driver = await startDriver(machine, HERE)
      const source = { machine, driver, world: newWorld(wanted, HERE) }
      await liveOn(source, [...first, ...leave])
      const world = newWorld({ ...wanted, name: 'copy', size: wanted.size + 64n * MIB }, HERE)
      Object.assign(world.written, source.world.written)
      world.others.push(source.world.id)
      return { machine, world }
    },
  }
}

/** A pod's own volume, beside a persistent one that nothing of this may touch. */
function ephemeral(wanted: Wish): Life {
  return {
    name: `${wanted.name} of a pod`,
    steps: [publishOwn, publishOwn, unpublishOwn, publishOwn, unpublishOwn],
    isDisturbed: (_, n) => n <= 2,
    async begin() {
      const machine = furnishedMachine()
      const scene = await withNeighbour(machine, wanted)
      return { machine, world: scene.world }
    },
  }
}

/** The machine was rebooted while the pod had it: kubelet publishes it again, with the data that the pod left. */
function ephemeralAfterReboot(wanted: Wish): Life {
  return {
    name: `${wanted.name} of a pod, after a reboot`,
    steps: [publishOwn, unpublishOwn],
    isDisturbed: () => true,
    async begin() {
      const machine = furnishedMachine()
      const scene = await withNeighbour(machine, wanted)
      await liveOn(scene, [publishOwn])
      reboot(machine)
      await boot(machine, HERE)
      return { machine, world: scene.world }
    },
  }
}

/** A persistent volume that was used, and is at rest now. */
async function withNeighbour(machine: Machine, wanted: Wish): Promise<Scene> {
  const driver = await startDriver(machine, HERE)
  const neighbour = { machine, driver, world: newWorld({ ...wanted, name: 'neighbour' }, HERE) }
  await liveOn(neighbour, [...first, ...leave])
  const world = newWorld(wanted, HERE)
  world.others.push(neighbour.world.id)
  return { machine, driver, world }
}

function copyData(source: Scene, { machine, world }: Scene): void {
  const [from, to] = [dataFile(source), dataFile({ ...source, world })]
  to.pages = new Map(from.pages)
  to.fs = from.fs && { ...structuredClone(from.fs), needsReplay: true }
  const spec = lookUp(machine.state.disk, `${POOL_PATH}/volumes/${world.id}/volume.json`) ?? assert.fail()
  const document = JSON.parse(spec.text) as { content: object }
  spec.text = JSON.stringify({ ...document, content: { ...document.content, contentFrom: source.world.id } })
  Object.assign(world.written, source.world.written)
  world.others.push(source.world.id)
}

export const LIVES: readonly Life[] = [
  ...Object.values(WISHES).map(whole),
  ...[WISHES.ext4, WISHES.block].map(reading),
  ...[WISHES.ext4, WISHES.block].map(failing),
  wiped(WISHES.ext4),
  wiped(WISHES.block),
  copied(WISHES.ext4),
  copied(WISHES.xfs),
  ephemeral(WISHES.ext4),
  ephemeral(WISHES.xfs),
  ephemeralAfterReboot(WISHES.ext4),
  ...[true, false].flatMap(clones => [
    copiedBy(WISHES.ext4, [snapshot, restore, removeSource, dropSnapshot], clones),
    copiedBy(WISHES.block, [clone, removeSource], clones),
  ]),
]
