// Pool `file`: a folder of sparse files. What exists is decided by rename(2), so two controllers cannot disagree.
//
//   <pool>/volumes/<id>/data          the bytes; the file's size is the volume's size
//   <pool>/volumes/<id>/volume.json   what CreateVolume fixed for ever
//   <pool>/volumes/<id>/claims/*.json which nodes may use it
//   <pool>/pool.json                 the pool's own UUID, so that ids are unique on a host with several pools
//   <pool>/drafts/, <pool>/trash/     volumes that do not exist yet, or any more
import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Host } from '../host/host.ts'
import { holdsData, lengthenFile } from '../linux/sparse.ts'
import { MIB } from '../volume/capacity.ts'
import { requireSharable } from '../volume/claim.ts'
import { PoolFull, SizeOutOfRange, Unavailable, VolumeInUse, VolumeNotFound } from '../volume/errors.ts'
import { digest, encodeVolumeId } from '../volume/ids.ts'
import type { Op } from '../volume/op.ts'
import { createQueue, type Queue } from '../volume/queue.ts'
import type { Backing, Bytes, Claim, NodeId, Volume, VolumeId, VolumeSpec } from '../volume/types.ts'
import { encodeClaim, encodePool, encodeSpec, parseClaim, parsePool, parseSpec } from './file-documents.ts'
import type { Pool, PoolConfig, PoolKind, Room } from './pool.ts'

/** Drafts and trash of a process that died; a live one is done with them in milliseconds. */
const STALE_MS = 600_000

export const filePool: PoolKind = {
  async open(host: Host, name: string, config: PoolConfig): Promise<Pool> {
    const pool = new FilePool(host, name, config)
    await pool.prepare()
    return pool
  },
}

class FilePool implements Pool {
  readonly name: string
  readonly granularity = MIB
  readonly sectorSize: number
  readonly #host: Host
  readonly #root: string
  readonly #overcommit: number
  #uuid = ''
  /** Counting promises and making the next one is one step within a process. */
  readonly #promises: Queue = createQueue()

  constructor(host: Host, name: string, config: PoolConfig) {
    this.name = name
    this.sectorSize = config.sectorSize
    this.#host = host
    this.#root = config.path
    this.#overcommit = config.overcommit
  }

  async prepare(): Promise<void> {
    for (const folder of ['volumes', 'drafts', 'trash']) await this.#files.makeDirectory(join(this.#root, folder))
    this.#uuid = await this.#ownUuid()
    await this.#sweep()
  }

  idFor(name: string): VolumeId {
    return encodeVolumeId(this.name, `${this.#uuid}/${name}`)
  }

  async create(spec: VolumeSpec, size: Bytes, op: Op): Promise<Volume> {
    const existing = await this.find(spec.id)
    if (existing) return existing
    const asked = `create ${spec.id} with ${size} bytes`
    return await this.#promises(async () => {
      // Before the file is made: of an impossible size the filesystem would only say EFBIG.
      await this.#requireRoom(asked, size)
      const draft = join(this.#root, 'drafts', `${spec.id}.${randomBytes(6).toString('hex')}`)
      await this.#files.makeDirectory(join(draft, 'claims'))
      let exists = false
      try {
        await this.#files.createExclusive(join(draft, 'volume.json'), encodeSpec(spec))
        await this.#files.createSparse(join(draft, 'data'), size)
        await this.#requireRoom(asked, 0n) // the draft is counted already
        exists = await this.#files.rename(draft, this.#at(spec.id))
      } finally {
        if (!exists) await this.#discard(draft)
      }
      if (exists) op.log.info({ volume: spec.id, size: String(size) }, 'volume created')
      return await this.get(spec.id)
    })
  }

  async find(id: VolumeId): Promise<Volume | undefined> {
    const path = this.#at(id, 'volume.json')
    const [text, data] = await Promise.all([this.#files.read(path), this.#files.facts(this.#at(id, 'data'))])
    if (text === undefined || !data) return undefined
    return { ...parseSpec(text, path), pool: this.name, size: data.size }
  }

  async get(id: VolumeId): Promise<Volume> {
    return (await this.find(id)) ?? this.#absent(id)
  }

  async list(): Promise<VolumeId[]> {
    return (await this.#files.list(join(this.#root, 'volumes'))) ?? []
  }

  async delete(id: VolumeId, op: Op): Promise<void> {
    await this.#requireUnclaimed(id, this.#at(id))
    if (!(await this.#files.facts(this.#at(id)))) return
    const trash = join(this.#root, 'trash', `${id}.${randomBytes(6).toString('hex')}`)
    await this.#files.rename(this.#at(id), trash)
    try {
      // Nobody can claim it any more; but somebody may have, between the look and the rename.
      await this.#requireUnclaimed(id, trash)
    } catch (error) {
      const isBack = await this.#files.rename(trash, this.#at(id))
      if (!isBack)
        op.log.error({ trash }, 'a claimed volume is in the trash: its name was taken again; move it back by hand')
      throw error
    }
    await this.#discard(trash)
    op.log.info({}, 'volume deleted')
  }

  async grow(id: VolumeId, to: Bytes, op: Op): Promise<Volume> {
    return await this.#promises(async () => {
      const { size } = await this.get(id)
      if (size >= to) return await this.get(id)
      const asked = `expand ${id} to ${to} bytes`
      const { total } = await this.room()
      if (to > total) {
        throw new SizeOutOfRange({
          asked,
          found: `pool ${this.name} can never promise more than ${total} bytes`,
          next: 'ask for less, or enlarge the filesystem of the pool',
        })
      }
      await this.#requireRoom(asked, to - size)
      await lengthenFile(this.#host, this.#at(id, 'data'), to, op)
      return await this.get(id)
    })
  }

  async room(): Promise<Room> {
    const { promised, allocated } = await this.#promised()
    const { available } = await this.#files.space(this.#root)
    const capacity = available + allocated // what the filesystem could hold if all volumes were emptied
    const total = (capacity * BigInt(Math.round(this.#overcommit * 1000))) / 1000n
    return { total, available: total > promised ? total - promised : 0n }
  }

  async backing(id: VolumeId): Promise<Backing> {
    const { size } = await this.get(id)
    return { path: this.#at(id, 'data'), size }
  }

  async isBlank(id: VolumeId, op: Op): Promise<boolean> {
    return !(await holdsData(this.#host, this.#at(id, 'data'), op))
  }

  async claim(id: VolumeId, claim: Claim): Promise<{ claim: Claim; isNew: boolean }> {
    await this.get(id)
    const path = this.#claimPath(id, claim.node)
    const isNew = await this.#writeClaim(id, path, claim)
    // Write first, look then: of two controllers that claim for two nodes at least one sees the other.
    const all = await this.claims(id)
    const own = all.find(each => each.node === claim.node)
    // A delete that saw no claim has moved the volume away in this instant; it moves it back when it sees this one.
    if (!own) throw new Unavailable({ asked: `publish ${id}`, found: 'it is being deleted', next: 'call again' })
    try {
      requireSharable(id, claim, all)
    } catch (error) {
      if (isNew) await this.#files.removeFile(path)
      throw error
    }
    return { claim: own, isNew }
  }

  async release(id: VolumeId, node: NodeId): Promise<void> {
    await this.#files.removeFile(this.#claimPath(id, node))
  }

  async claims(id: VolumeId): Promise<Claim[]> {
    return await this.#claimsIn(this.#at(id))
  }

  get #files() {
    return this.#host.files
  }

  #at(id: VolumeId, ...more: string[]): string {
    return join(this.#root, 'volumes', id, ...more)
  }

  #claimPath(id: VolumeId, node: NodeId): string {
    return this.#at(id, 'claims', `${digest(node).slice(0, 32)}.json`)
  }

  #absent(id: VolumeId): never {
    throw new VolumeNotFound({
      asked: `use volume ${id}`,
      found: `pool ${this.name} has no such volume`,
      next: 'create it first',
    })
  }

  async #writeClaim(id: VolumeId, path: string, claim: Claim): Promise<boolean> {
    try {
      return await this.#files.createExclusive(path, encodeClaim(claim))
    } catch (error) {
      if (await this.find(id)) throw error
      this.#absent(id) // deleted by another process in this instant
    }
  }

  async #claimsIn(folder: string): Promise<Claim[]> {
    const names = (await this.#files.list(join(folder, 'claims')))?.filter(name => name.endsWith('.json')) ?? []
    const claims = await Promise.all(
      names.map(async name => {
        const path = join(folder, 'claims', name)
        const text = await this.#files.read(path)
        return text === undefined ? undefined : parseClaim(text, path)
      }),
    )
    return claims.filter(claim => claim !== undefined)
  }

  async #requireUnclaimed(id: VolumeId, folder: string): Promise<void> {
    const [claim] = await this.#claimsIn(folder)
    if (claim) {
      throw new VolumeInUse({
        asked: `delete ${id}`,
        found: `it is published to node ${claim.node}`,
        next: 'unpublish it first',
      })
    }
  }

  /** Bytes promised to volumes and drafts, and bytes that they occupy. */
  async #promised(): Promise<{ promised: Bytes; allocated: Bytes }> {
    const folders = await Promise.all(
      ['volumes', 'drafts'].map(async folder => {
        const names = (await this.#files.list(join(this.#root, folder))) ?? []
        return names.map(name => join(this.#root, folder, name, 'data'))
      }),
    )
    const facts = await Promise.all(folders.flat().map(path => this.#files.facts(path)))
    return facts.reduce(
      (sum, each) => ({
        promised: sum.promised + (each?.size ?? 0n),
        allocated: sum.allocated + (each?.allocated ?? 0n),
      }),
      { promised: 0n, allocated: 0n },
    )
  }

  async #requireRoom(asked: string, more: Bytes): Promise<void> {
    const { promised } = await this.#promised()
    const { total } = await this.room()
    if (promised + more > total) {
      throw new PoolFull({
        asked,
        found: `pool ${this.name} may promise ${total} bytes in all, ${promised + more} would be promised`,
        next: 'delete volumes, enlarge the filesystem of the pool, or raise its overcommit',
      })
    }
  }

  /** Of two processes that open a new pool at once, one gives it its UUID, and both read that. */
  async #ownUuid(): Promise<string> {
    const path = join(this.#root, 'pool.json')
    await this.#files.createExclusive(path, encodePool({ uuid: randomUUID() }))
    return parsePool((await this.#files.read(path)) ?? '', path).uuid
  }

  async #sweep(): Promise<void> {
    for (const folder of ['drafts', 'trash'].map(name => join(this.#root, name))) {
      for (const name of (await this.#files.list(folder)) ?? []) {
        const path = join(folder, name)
        const facts = await this.#files.facts(path)
        const age = Date.now() - (facts?.modified.getTime() ?? Date.now())
        if (age > STALE_MS && (await this.#claimsIn(path)).length === 0) await this.#discard(path)
      }
    }
  }

  /** Removes a draft or trash: the files that this pool makes, and nothing else; never a folder with other content. */
  async #discard(folder: string): Promise<void> {
    const claims = join(folder, 'claims')
    for (const name of (await this.#files.list(claims)) ?? []) await this.#files.removeFile(join(claims, name))
    await this.#files.removeDirectory(claims)
    const own = ((await this.#files.list(folder)) ?? []).filter(
      name => name === 'data' || name.startsWith('volume.json'),
    )
    for (const name of own) await this.#files.removeFile(join(folder, name))
    await this.#files.removeDirectory(folder)
  }
}
