// One cluster for a test file: control plane, sidecars, driver and nodes; and the proof after each test that nothing is left.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, beforeEach } from 'node:test'
import type { Api, Kind, KubeObject } from '../../hack/kube/api.ts'
import type { Program } from '../../hack/kube/program.ts'
import { Rig } from '../../hack/kube/rig.ts'
import { Driver } from '../loop/driver.ts'
import { clear, loopsBelow, mountsBelow } from '../loop/machine.ts'
import { poolFilesystem } from '../loop/pool-filesystem.ts'
import { PATIENCE_MS, waitUntil } from '../patience.ts'
import { Kubelet } from './kubelet.ts'
import { DRIVER_NAME, NODE, OTHER_NODE } from './names.ts'
import { type ClaimOptions, claim, pod, snapshot } from './objects.ts'

/** Who uses goes before who is used. */
const USERS: readonly Kind[] = ['Pod', 'VolumeSnapshot', 'PersistentVolumeClaim']
/** What is gone when all is well. */
const VOLUMES: readonly Kind[] = [
  'PersistentVolumeClaim',
  'VolumeSnapshotContent',
  'VolumeAttachment',
  'PersistentVolume',
]
const CLASSES: readonly Kind[] = ['StorageClass', 'VolumeSnapshotClass', 'VolumeAttributesClass']
/** The class that every test may use. */
const CLASS = 'ashlar'

export class Cluster {
  readonly rig: Rig
  readonly driver: Driver
  readonly node: Kubelet
  readonly other: Kubelet
  readonly #pool: ReturnType<typeof poolFilesystem>
  #count = 0

  constructor() {
    const place: { driver?: Driver } = {}
    this.rig = new Rig({
      driver: folder => {
        place.driver = new Driver({ split: true, attached: true, folder: join(folder, 'd') })
        return place.driver.socket('controller')
      },
      clear,
    })
    assert.ok(place.driver)
    this.driver = place.driver
    this.#pool = poolFilesystem(this.driver, 'xfs')
    this.node = new Kubelet(() => this.api, this.driver, NODE)
    this.other = new Kubelet(() => this.api, this.driver, OTHER_NODE)
  }

  get api(): Api {
    return this.rig.api
  }

  async start(): Promise<void> {
    mkdirSync(this.driver.folder)
    this.#pool.make()
    await Promise.all([this.driver.start(), this.rig.start()])
    await this.join()
    await this.api.create('StorageClass', {
      metadata: { name: 'ashlar' },
      provisioner: DRIVER_NAME,
      allowVolumeExpansion: true,
    })
    await this.rig.startSidecars()
  }

  /** The nodes come. */
  protected async join(): Promise<void> {
    await this.node.register()
    await this.other.register(OTHER_NODE)
  }

  /** Takes it down; answers what was found where nothing should be. */
  async stop(): Promise<string[]> {
    const ends = await this.driver.end('SIGTERM')
    const found = this.#pool.remove()
    return [...ends.filter(end => end !== 'exit 0'), ...found, ...(await this.rig.stop())]
  }

  /** A name that no other test has. */
  name(kind: string): string {
    this.#count += 1
    return `${kind}-${this.#count}`
  }

  async claim(options: Partial<ClaimOptions> = {}): Promise<string> {
    const name = options.name ?? this.name('claim')
    await this.api.create('PersistentVolumeClaim', claim({ class: CLASS, ...options, name }))
    return name
  }

  /** The claim's volume, once it is bound. */
  async bound(claimName: string): Promise<KubeObject> {
    let found: KubeObject
    await this.until(`${claimName} is bound`, async () => {
      found = await this.api.get('PersistentVolumeClaim', claimName)
      return found.status.phase === 'Bound'
    })
    return await this.api.get('PersistentVolume', found.spec.volumeName)
  }

  /** A pod on the driver's node that has the claim; answers its name and where the workload finds the volume. */
  async run(claimName: string, mode?: 'Filesystem' | 'Block'): Promise<{ name: string; path: string }> {
    const name = await this.schedule(claimName, NODE, mode)
    return { name, path: await this.node.run(name) }
  }

  async schedule(claimName: string, node: string, mode?: 'Filesystem' | 'Block'): Promise<string> {
    const name = this.name('pod')
    await this.api.create('Pod', pod(name, node, claimName, mode))
    return name
  }

  /** Ends a pod as kubelet does: down with the mounts, then the object goes. */
  async end(podName: string): Promise<void> {
    await this.node.halt(podName)
    await this.api.remove('Pod', podName, { now: true })
  }

  /** Asks for a larger volume. */
  async resize(claimName: string, storage: string): Promise<void> {
    await this.api.patch('PersistentVolumeClaim', claimName, { spec: { resources: { requests: { storage } } } })
  }

  /** The claim says that its volume is larger, and that nothing is to do. */
  async resized(claimName: string, storage: string): Promise<void> {
    await this.until(`${claimName} has grown`, async () => {
      const { status } = await this.api.get('PersistentVolumeClaim', claimName)
      const { capacity, allocatedResourceStatuses, conditions = [] } = status
      return capacity.storage === storage && allocatedResourceStatuses === undefined && conditions.length === 0
    })
  }

  /** A snapshot that is ready to use; answers its content. */
  async snapshot(claimName: string, className: string, name = this.name('snapshot')): Promise<KubeObject> {
    await this.api.create('VolumeSnapshot', snapshot(name, className, claimName))
    return await this.ready(name)
  }

  async ready(snapshotName: string): Promise<KubeObject> {
    let found: KubeObject
    await this.until(`${snapshotName} is ready`, async () => {
      found = await this.api.get('VolumeSnapshot', snapshotName)
      return found.status?.readyToUse === true
    })
    return await this.api.get('VolumeSnapshotContent', found.status.boundVolumeSnapshotContentName)
  }

  async remove(kind: Kind, name: string): Promise<void> {
    await this.api.remove(kind, name)
    await this.gone(kind, name)
  }

  async gone(kind: Kind, name: string): Promise<void> {
    await this.until(`${kind} ${name} is gone`, async () => (await this.api.find(kind, name)) === undefined)
  }

  /** An event of an object whose message matches. */
  async event(name: string, reason: string, words: RegExp): Promise<KubeObject> {
    let found: KubeObject
    await this.until(`${name} has an event ${reason} with ${words}`, async () => {
      found = (await this.api.list('Event')).find(
        each => each.involvedObject.name === name && each.reason === reason && words.test(each.message),
      )
      return found !== undefined
    })
    return found
  }

  /** Waits, and says more than the time when it does not come. */
  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    await waitUntil(what, holds).catch(async (error: unknown) => {
      const at = ({ metadata }: KubeObject): string => metadata.creationTimestamp
      const events = (await this.api.list('Event')).sort((a, b) => at(a).localeCompare(at(b))).slice(-10)
      const told = events.map(each => `${each.involvedObject.name} ${each.reason}: ${each.message}`)
      throw new Error([String(error), ...told, this.rig.tails()].join('\n'))
    })
  }

  /** Waits until the driver has answered OK to a call of this method once more than when this was asked for. */
  nextAnswer(method: string): () => Promise<void> {
    const count = () => this.driver.log.split('\n').filter(line => isAnswer(line, method)).length
    const before = count()
    return async () => await this.until(`the driver answered ${method}`, async () => count() > before)
  }

  /** Names of what is in a folder of the pool. */
  inPool(folder: 'volumes' | 'snapshots'): string[] {
    const path = join(this.driver.pool, folder)
    return existsSync(path) ? readdirSync(path) : []
  }

  /** Ends what a test made, and answers what does not go or should not be there. */
  async clean(): Promise<string[]> {
    this.rig.relay.release()
    this.rig.reviveSidecars()
    await this.driver.start()
    await this.node.haltAll()
    for (const kind of USERS)
      for (const { metadata } of await this.api.list(kind))
        await this.api.remove(kind, metadata.name, { now: kind === 'Pod' })
    for (const { metadata, spec } of await this.api.list('PersistentVolume')) {
      if (spec.persistentVolumeReclaimPolicy === 'Retain')
        await this.api.patch('PersistentVolume', metadata.name, { spec: { persistentVolumeReclaimPolicy: 'Delete' } })
      if (!spec.claimRef) await this.api.remove('PersistentVolume', metadata.name)
    }
    for (const kind of VOLUMES)
      await this.until(`no ${kind} is left`, async () => (await this.api.list(kind)).length === 0)
    for (const kind of CLASSES)
      for (const { metadata } of await this.api.list(kind))
        if (metadata.name !== CLASS) await this.remove(kind, metadata.name)
    return this.#leftovers()
  }

  #leftovers(): string[] {
    const { folder, pool } = this.driver
    const root = join(folder, 'kubelet')
    return [
      ...this.inPool('volumes'),
      ...this.inPool('snapshots'),
      // A real node has the folder itself mounted, to share it.
      ...mountsBelow(root).flatMap(({ path }) => (path === root ? [] : [path])),
      ...loopsBelow(join(pool, 'volumes')).map(({ path }) => path),
    ]
  }

  protected programs(): Program[] {
    return this.rig.programs()
  }

  /** For whoever has nothing but the output of a run. */
  tellWhy(): void {
    this.keepLogs()
    const lines = this.driver.log.trimEnd().split('\n').slice(-LOG_LINES)
    process.stderr.write(`the driver's log:\n${lines.map(line => line.slice(0, LINE_LENGTH)).join('\n')}\n`)
  }

  keepLogs(): void {
    const keep = process.env['ASHLAR_KEEP_LOGS']
    if (keep === undefined) return
    mkdirSync(keep, { recursive: true })
    for (const program of this.programs()) writeFileSync(join(keep, `${program.options.name}.log`), program.log)
    writeFileSync(join(keep, 'driver.log'), this.driver.log)
  }
}

const LOG_LINES = 30
const LINE_LENGTH = 400

const isAnswer = (line: string, method: string): boolean =>
  line.includes(`"${method}"`) && line.includes('"msg":"done"') && line.includes('"code":"OK"')

/** What node:test hands to afterEach; @types/node does not know `passed` yet. */
interface Ended {
  passed: boolean
}

/** A cluster for the tests of a file; every test ends with nothing left. */
export const useCluster = <C extends Cluster = Cluster>(
  make: () => C = () => new Cluster() as C,
): { readonly cluster: C } => {
  let cluster: C | undefined
  const get = (): C => {
    assert.ok(cluster)
    return cluster
  }
  // Not before(): that runs even when all tests of the file are filtered out, and after() does not.
  beforeEach(async () => {
    if (cluster) return
    cluster = make()
    await cluster.start()
  })
  afterEach(
    async context => {
      const { passed } = context as unknown as Ended
      if (!passed) get().tellWhy()
      const left = await get().clean()
      if (passed) assert.deepEqual(left, [], 'something is left')
    },
    { timeout: 2 * PATIENCE_MS },
  )
  after(async () => {
    if (!cluster) return
    cluster.keepLogs()
    assert.deepEqual(await cluster.stop(), [], 'the cluster left something behind')
  })
  return {
    get cluster() {
      return get()
    },
  }
}
