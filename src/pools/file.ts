// Pool `file`: a folder of sparse files. What exists is decided by rename(2), so two controllers cannot disagree.
//
//   <pool>/volumes/<id>/data          the bytes; the file's size is the volume's size
//   <pool>/volumes/<id>/volume.json   what CreateVolume fixed for ever
//   <pool>/volumes/<id>/modified.json what ControllerModifyVolume changed, if it did
//   <pool>/volumes/<id>/claims/*.json which nodes may use it
//   <pool>/snapshots/<id>/           see file-snapshots.ts
//   <pool>/groups/<id>/              see file-groups.ts
//   <pool>/pool.json                 the pool's own UUID, so that ids are unique on a host with several pools
//   <pool>/locks/                    who changes the rights on a volume, or copies one, holds a kernel lock here
//   <pool>/drafts/, <pool>/trash/     volumes, snapshots and groups that do not exist yet, or any more
import { join } from 'node:path'
import type { Host } from '../host/host.ts'
import { underLock } from '../linux/flock.ts'
import { isBlankFile } from '../linux/format-marker.ts'
import { lengthenFile, punchWhole, troublesOfFile } from '../linux/sparse.ts'
import { MIB } from '../volume/capacity.ts'
import { describeHolder, requireSharable, targetOfCopier } from '../volume/claim.ts'
import { OperationPending, SizeOutOfRange, Unavailable, VolumeNotFound } from '../volume/errors.ts'
import { encodeVolumeId } from '../volume/ids.ts'
import { type Op, SILENT, steady } from '../volume/op.ts'
import { createQueue, type Queue } from '../volume/queue.ts'
import type { Backing, Bytes, Claim, NodeId, Parameters, Volume, VolumeId, VolumeSpec } from '../volume/types.ts'
import { adoptFile } from './file-adopt.ts'
import { claimPath, readClaims, requireUnclaimed } from './file-claims.ts'
import { createCopies } from './file-copies.ts'
import { encodeClaim, encodeVolume, parseVolume, type VolumeDocument } from './file-documents.ts'
import { fileGroups, withMembers } from './file-groups.ts'
import { releaseDead } from './file-hold.ts'
import { takeInventory } from './file-inventory.ts'
import { modifyVolume, readModified } from './file-modified.ts'
import { inDraft, lockPath, type Place, sweepLocks, uniqueName } from './file-place.ts'
import { discard, discardStale, sweep } from './file-remains.ts'
import { createFrom } from './file-restore.ts'
import { fileSnapshots } from './file-snapshots.ts'
import { requireRoom, roomOf } from './file-space.ts'
import { ensureUuid, readUuid } from './file-uuid.ts'
import type { Groups, Inventory, Pool, PoolConfig, PoolKind, Room, Snapshots } from './pool.ts'

export const filePool: PoolKind = {
  async open(host: Host, name: string, config: PoolConfig): Promise<Pool> {
    const pool = new FilePool(host, name, config)
    await pool.prepare()
    return pool
  },
  async visit(host, name, config) {
    const pool = new FilePool(host, name, config)
    await pool.requirePrepared()
    return pool
  },
}

/** Well below the deadlines that orchestrators set. */
const PATIENCE_MS = { snapshot: 5000, volume: 30_000 }

class FilePool implements Pool {
  readonly name: string
  readonly granularity = MIB
  readonly sectorSize: number
  readonly snapshots: Snapshots
  readonly groups: Groups
  readonly #place: Place
  readonly #copies = createCopies()
  #uuid = ''
  /** Counting promises and making the next one is one step within a process. */
  readonly #promises: Queue = createQueue()

  constructor(host: Host, name: string, config: PoolConfig) {
    this.name = name
    this.sectorSize = config.sectorSize
    this.#place = { host, name, root: config.path, overcommit: config.overcommit }
    this.snapshots = this.#snapshots()
    this.groups = fileGroups(this.#place, this, text => this.#seed(text))
  }

  async prepare(): Promise<void> {
    for (const folder of ['volumes', 'snapshots', 'groups', 'drafts', 'trash'])
      await this.#files.makeDirectory(join(this.#place.root, folder))
    this.#uuid = await ensureUuid(this.#files, this.name, this.#place.root)
    await sweep(this.#files, this.#place.root)
    const op = steady({ log: SILENT })
    await releaseDead(this.#place, this, op)
    await sweepLocks(this.#place, await this.list(), op)
  }

  async requirePrepared(): Promise<void> {
    this.#uuid = await readUuid(this.#files, this.name, this.#place.root)
  }

  idFor(name: string): VolumeId {
    return encodeVolumeId(this.name, this.#seed(name))
  }

  async create(spec: VolumeSpec, size: Bytes, op: Op): Promise<Volume> {
    const existing = await this.find(spec.id)
    if (existing) return existing
    const asked = `create ${spec.id} with ${size} bytes`
    return await this.#promises(async () => {
      // Before the file is made: of an impossible size the filesystem would only say EFBIG.
      await requireRoom(asked, this.#place, size)
      const isMade = await inDraft(this.#place, spec.id, async draft => {
        await this.#files.makeDirectory(join(draft, 'claims'))
        const document = encodeVolume({ ...spec, createdSize: String(size) })
        await this.#files.createExclusive(join(draft, 'volume.json'), document)
        await this.#files.createSparse(join(draft, 'data'), size)
        await requireRoom(asked, this.#place, 0n) // the draft is counted already
        return await this.#files.rename(draft, this.#at(spec.id))
      })
      if (isMade) op.log.info({ volume: spec.id, size: String(size) }, 'volume created')
      return await this.get(spec.id)
    })
  }

  readonly adopt: NonNullable<Pool['adopt']> = async (spec, from, requireUnused, op) =>
    await this.alone(spec.id, op, () => adoptFile(this.#place, spec, from, requireUnused, op))

  async find(id: VolumeId): Promise<Volume | undefined> {
    const [document, data, modified] = await Promise.all([
      this.#document(id),
      this.#files.facts(this.#at(id, 'data')),
      readModified(this.#files, this.#at(id)),
    ])
    if (!document) return undefined
    const { createdSize: _, ...spec } = document
    // A volume whose file was lost still exists, or its name would be given to an empty one.
    return { ...spec, pool: this.name, size: data?.size ?? 0n, ...(modified && { modified }) }
  }

  async get(id: VolumeId): Promise<Volume> {
    return (await this.find(id)) ?? this.#absent(id)
  }

  async list(): Promise<VolumeId[]> {
    return (await this.#files.list(join(this.#place.root, 'volumes'))) ?? []
  }

  async delete(id: VolumeId, op: Op): Promise<void> {
    const asked = `delete ${id}`
    await this.#copies.stop(id)
    await requireUnclaimed(this.#files, asked, this.#at(id))
    if (!(await this.#files.facts(this.#at(id)))) return
    const trash = join(this.#place.root, 'trash', uniqueName(id))
    await this.#files.rename(this.#at(id), trash)
    try {
      // Nobody can claim it any more; but somebody may have, between the look and the rename.
      await requireUnclaimed(this.#files, asked, trash)
    } catch (error) {
      const isBack = await this.#files.rename(trash, this.#at(id))
      if (!isBack)
        op.log.error({ trash }, 'a claimed volume is in the trash: its name was taken again; move it back by hand')
      throw error
    }
    await discard(this.#files, trash)
    op.log.info({}, 'volume deleted')
  }

  async grow(id: VolumeId, to: Bytes, op: Op): Promise<Volume> {
    return await this.#promises(async () => {
      const { size } = await this.backing(id)
      if (size >= to) return await this.get(id)
      const asked = `expand ${id} to ${to} bytes`
      const copier = (await this.claims(id)).find(({ node }) => targetOfCopier(node) !== undefined)
      if (copier) throw new OperationPending({ asked, found: describeHolder(copier), next: 'call again' })
      const { total } = await this.room()
      if (to > total) {
        throw new SizeOutOfRange({
          asked,
          found: `pool ${this.name} can never promise more than ${total} bytes`,
          next: 'ask for less, or enlarge the filesystem of the pool',
        })
      }
      await requireRoom(asked, this.#place, to - size)
      await lengthenFile(this.#place.host, this.#at(id, 'data'), to, op)
      return await this.get(id)
    })
  }

  async modify(id: VolumeId, changes: Parameters, op: Op): Promise<Volume> {
    return await modifyVolume(this.#place, this, { id, folder: this.#at(id) }, changes, op)
  }

  async room(): Promise<Room> {
    return await roomOf(this.#place)
  }

  async backing(id: VolumeId): Promise<Backing> {
    const path = this.#at(id, 'data')
    const { size } = await this.get(id)
    if (await this.#files.facts(path)) return { path, size }
    throw new Unavailable({ asked: `use volume ${id}`, found: `its file ${path} is gone`, next: 'bring the file back' })
  }

  async isBlank(id: VolumeId, op: Op): Promise<boolean> {
    const { adopted } = await this.get(id)
    return !adopted && (await isBlankFile(this.#place.host, await this.backing(id), id, op))
  }

  async wipe(id: VolumeId, op: Op): Promise<void> {
    const { path, size } = await this.backing(id)
    await punchWhole(this.#place.host, path, size, op)
    op.log.warn({ volume: id, size: String(size) }, 'volume wiped')
  }

  async troublesOf(id: VolumeId): Promise<string[]> {
    const size = BigInt((await this.#document(id))?.createdSize ?? 0n)
    return await troublesOfFile(this.#place.host, this.#at(id, 'data'), size)
  }

  async claim(id: VolumeId, claim: Claim): Promise<{ claim: Claim; isNew: boolean }> {
    await this.get(id)
    const path = claimPath(this.#at(id), claim.node)
    const isNew = await this.#writeClaim(id, path, claim)
    try {
      // Write first, look then: of two controllers that claim for two nodes at least one sees the other.
      const all = await this.claims(id)
      const own = all.find(each => each.node === claim.node)
      // A delete that saw no claim has moved the volume away in this instant; it moves it back when it sees this one.
      if (!own) throw new Unavailable({ asked: `publish ${id}`, found: 'it is being deleted', next: 'call again' })
      requireSharable(id, claim, all)
      return { claim: own, isNew }
    } catch (error) {
      if (isNew) await this.#files.removeFile(path)
      throw error
    }
  }

  async release(id: VolumeId, node: NodeId): Promise<void> {
    await this.#files.removeFile(claimPath(this.#at(id), node))
  }

  async claims(id: VolumeId): Promise<Claim[]> {
    return await readClaims(this.#files, this.#at(id))
  }

  async alone<T>(id: VolumeId, op: Op, work: () => Promise<T>): Promise<T> {
    const isKept = async () => (await this.find(id)) !== undefined
    return await underLock(this.#place.host, { path: lockPath(this.#place, id), isKept }, op, work)
  }

  async inventory(): Promise<Inventory> {
    return await takeInventory(this.#files, this.name, this.#place.root)
  }

  async discard(path: string): Promise<void> {
    await discardStale(this.#files, this.#place.root, path)
  }

  get #files() {
    return this.#place.host.files
  }

  #snapshots(): Snapshots {
    const workshop = { place: this.#place, pool: this, copies: this.#copies, patienceMs: PATIENCE_MS }
    const alone = fileSnapshots(workshop, text => this.#seed(text))
    const { pathOf, ...snapshots } = withMembers(this.#place, alone)
    const restorer = { ...workshop, findSnapshot: snapshots.find, snapshotPath: pathOf }
    return {
      ...snapshots,
      createVolume: (spec, size, requireUnused, op) => createFrom(restorer, { spec, size, requireUnused }, op),
    }
  }

  /** Of ids: no other pool has the same for this name. */
  #seed(name: string): string {
    return `${this.#uuid}/${name}`
  }

  #at(id: VolumeId, ...more: string[]): string {
    return join(this.#place.root, 'volumes', id, ...more)
  }

  #absent(id: VolumeId): never {
    const found = `pool ${this.name} has no such volume`
    throw new VolumeNotFound({ asked: `use volume ${id}`, found, next: 'create it first' })
  }

  async #document(id: VolumeId): Promise<VolumeDocument | undefined> {
    const path = this.#at(id, 'volume.json')
    const text = await this.#files.read(path)
    return text === undefined ? undefined : parseVolume(text, path)
  }

  async #writeClaim(id: VolumeId, path: string, claim: Claim): Promise<boolean> {
    try {
      return await this.#files.createExclusive(path, encodeClaim(claim))
    } catch (error) {
      if (await this.find(id)) throw error
      this.#absent(id) // deleted by another process in this instant
    }
  }
}
