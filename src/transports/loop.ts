// Transport `loop`: a loop device on the host that holds the file; the volume is reachable on that node only.
import { basename, dirname, isAbsolute, normalize } from 'node:path'
import type { Host } from '../host/host.ts'
import { type Device, findDevice, waitForDevice } from '../linux/device.ts'
import {
  attachLoop,
  detachLoop,
  findLoop,
  isUnlinked,
  linkedPath,
  listLoops,
  refreshLoopSize,
  usersOf,
  verifyLoop,
} from '../linux/losetup.ts'
import { holdsData, troublesOfFile } from '../linux/sparse.ts'
import { InvalidRequest, Unavailable, VolumeInUse, VolumeNotFound, WrongDevice } from '../volume/errors.ts'
import { parseKeptId } from '../volume/ids.ts'
import { isSameNode } from '../volume/node-id.ts'
import type { Op } from '../volume/op.ts'
import type { Bytes, NodeId, Route, VolumeId } from '../volume/types.ts'
import { pauseLoops, resumeLoops } from './loop-pause.ts'
import type { Attachment, Connector, Exported, Exporter, Transport } from './transport.ts'

/** What travels to the node, beside `device_path`. */
interface LoopRoute {
  readonly backingFile: string
  readonly sectorSize: number
  readonly readonly: boolean
  /** The volume's size when it was published; it may have grown since. */
  readonly size: Bytes
}

export const loop = {
  exporter: (host: Host, { nodeId }: { nodeId: NodeId }) => createExporter(host, nodeId),
  connector: (host: Host) => createConnector(host),
} satisfies Transport

export function encodeLoopRoute(route: LoopRoute): Route {
  return {
    backing_file: route.backingFile,
    sector_size: String(route.sectorSize),
    readonly: String(route.readonly),
    size: String(route.size),
  }
}

/** Trusts nothing: the path must be the data file of this very volume. */
export function parseLoopRoute(id: VolumeId, route: Route): LoopRoute {
  const { backing_file: path = '', sector_size: sectorSize = '', readonly = '', size = '' } = route
  const refuse = (found: string) =>
    new InvalidRequest({
      asked: `connect ${id} by its publish context`,
      found,
      next: 'pass on what ControllerPublishVolume returned',
    })
  if (!isAbsolute(path) || normalize(path) !== path || volumeOf(path) !== id)
    throw refuse(`backing_file "${path}" is not a file of this volume`)
  if (!/^(512|4096)$/.test(sectorSize)) throw refuse(`sector_size "${sectorSize}" is neither 512 nor 4096`)
  if (!/^(true|false)$/.test(readonly)) throw refuse(`readonly "${readonly}" is neither true nor false`)
  if (!/^\d{1,19}$/.test(size)) throw refuse(`size "${size}" is not a number of bytes`)
  return { backingFile: path, sectorSize: Number(sectorSize), readonly: readonly === 'true', size: BigInt(size) }
}

/** The volume's identity in the kernel: the folder of the backing file bears the volume's id. */
function volumeOf(backingFile: string): VolumeId | undefined {
  const name = basename(dirname(backingFile))
  return parseKeptId(name) ? name : undefined
}

async function devicesOf(host: Host, id: VolumeId): Promise<Device[]> {
  const loops = (await listLoops(host)).filter(each => volumeOf(each.backingFile) === id)
  const devices = await Promise.all(loops.map(each => findDevice(host, each.kname)))
  return devices.filter(device => device !== undefined)
}

/** Two devices for one file have two page caches and two O_EXCL locks: neither protects against the other. */
async function onlyDeviceOf(host: Host, id: VolumeId): Promise<Device | undefined> {
  const [device, second] = await devicesOf(host, id)
  if (device && second) {
    throw new WrongDevice({
      asked: `find the device of ${id}`,
      found: `both ${device.path} and ${second.path} are attached to it`,
      next: 'stop what uses it and detach one by hand',
    })
  }
  return device
}

async function detachAll(host: Host, id: VolumeId, op: Op): Promise<void> {
  for (const device of await devicesOf(host, id)) await detachLoop(host, device, op)
  const [left] = await devicesOf(host, id)
  if (left)
    throw new Unavailable({ asked: `detach ${id}`, found: `${left.path} is still attached to it`, next: 'call again' })
}

function createExporter(host: Host, nodeId: string): Exporter {
  return {
    isLocal: true,
    reaches: node => isSameNode(node, nodeId),
    enrol: (_id, _node, _op, work) => work({}),
    ready: async () => undefined,
    settle: async () => undefined,
    async export(volume, backing, [claim], op) {
      const route = {
        backingFile: backing.path,
        sectorSize: volume.sectorSize,
        readonly: claim.readonly,
        size: backing.size,
      }
      const device = await attach(host, volume.id, route, op)
      return { device_path: device.path, ...encodeLoopRoute(route) }
    },
    unexport: (id, _node, op) => detachAll(host, id, op),
    withdraw: (id, op) => detachAll(host, id, op),
    requireGrowable: async () => undefined,
    grow: async () => undefined, // the node rescans
    pause: ({ id }, _backing, _claims, op) => pauseLoops(host, id, () => devicesOf(host, id), op),
    resume: async (id, op) => await resumeLoops(host, await devicesOf(host, id), op),
    exports: (_op, only) => attachedVolumes(host, only),
    async requireUnused(id) {
      for (const device of await devicesOf(host, id)) {
        const users = await usersOf(host, device)
        throw new VolumeInUse({
          asked: `delete ${id}`,
          found: `${device.path} is attached to it${users.map(user => `, ${user}`).join('')}`,
          next: 'unpublish it first',
        })
      }
    },
  }
}

function createConnector(host: Host): Connector {
  return {
    connect: async (id, route, op) => await attach(host, id, parseLoopRoute(id, route), op),
    find: id => onlyDeviceOf(host, id),
    list: () => listAttachments(host),
    doubts: (attachment, op) => doubtsAbout(host, attachment, op),
    async identify(device) {
      const bound = await findLoop(host, device.kname)
      return bound && volumeOf(bound.backingFile)
    },
    verify: (id, device) => verify(host, id, device),
    async holdsData(device, op) {
      const bound = await findLoop(host, device.kname)
      return bound && !isUnlinked(bound) ? await holdsData(host, bound.backingFile, op) : undefined
    },
    troublesOf: device => troublesBelow(host, device),
    rescan: (device, op) => refreshLoopSize(host, device, op),
    disconnect: (id, op) => detachAll(host, id, op),
  }
}

async function attachedVolumes(host: Host, only: VolumeId | undefined): Promise<Map<VolumeId, Exported>> {
  const attached = new Map<VolumeId, Exported>()
  for (const [id, attachments] of Map.groupBy(await listAttachments(host), each => each.id)) {
    const [first] = attachments
    if (id === undefined || !first || (only !== undefined && id !== only)) continue
    const found = await Promise.all(attachments.map(({ device }) => troublesBelow(host, device)))
    const paths = attachments.map(({ device }) => device.path)
    const several = paths.length > 1 ? [`several devices show it: ${paths.join(', ')}`] : []
    const { backing, device } = first
    attached.set(id, {
      backing,
      size: device.size,
      enabled: true,
      holders: [],
      troubles: [...several, ...found.flat()],
    })
  }
  return attached
}

async function listAttachments(host: Host): Promise<Attachment[]> {
  const found = await Promise.all(
    (await listLoops(host)).map(async loop => {
      const device = await findDevice(host, loop.kname)
      const backing = linkedPath(loop)
      return device ? [{ device, backing, isLastWay: isUnlinked(loop), id: volumeOf(backing) }] : []
    }),
  )
  return found.flat()
}

async function doubtsAbout(host: Host, { device, backing, isLastWay }: Attachment, op: Op): Promise<string[]> {
  if (isLastWay) return []
  try {
    await verifyLoop(host, device, backing, op)
    return []
  } catch (error) {
    if (error instanceof WrongDevice) return [error.message]
    throw error
  }
}

/**
 * The full proof is made when the device is attached or rescanned; from then on it is the same one while its number in the
 * sequence of disks is the same and its file has not been unlinked.
 */
async function verify(host: Host, id: VolumeId, device: Device): Promise<void> {
  const [now, bound] = await Promise.all([findDevice(host, device.kname), findLoop(host, device.kname)])
  const isSame = now?.sequence === device.sequence && bound && !isUnlinked(bound) && volumeOf(bound.backingFile) === id
  if (isSame) return
  throw new WrongDevice({
    asked: `use ${device.path} as ${id}`,
    found: bound
      ? `it is backed by ${bound.backingFile} and was attached as disk ${now?.sequence ?? '?'}, not ${device.sequence}`
      : 'it is backed by nothing any more',
    next: 'nothing was written; unstage the volume and stage it again',
  })
}

async function troublesBelow(host: Host, device: Device): Promise<string[]> {
  const bound = await findLoop(host, device.kname)
  if (!bound) return [`${device.path} is backed by nothing any more`]
  if (isUnlinked(bound))
    return [`its file was deleted: ${device.path} is the last way to the data, which is lost when it is detached`]
  return await troublesOfFile(host, bound.backingFile, device.size)
}

/** Attaches the file, or finds it attached, wherever the last boot or another process left it; then proves it. */
async function attach(host: Host, id: VolumeId, route: LoopRoute, op: Op): Promise<Device> {
  const { backingFile } = route
  const file = await host.files.facts(backingFile)
  if (file?.kind !== 'file') {
    throw new VolumeNotFound({
      asked: `attach ${id}`,
      found: `${backingFile} is not a file on this host`,
      next: 'use the volume on the node that holds its pool',
    })
  }
  const attached = await reuseOrAttach(host, id, route, op)
  const device = attached.size < file.size ? await refreshLoopSize(host, attached, op) : attached
  await verifyLoop(host, device, backingFile, op)
  await onlyDeviceOf(host, id)
  return await waitForDevice(host, device.kname, route.size, op)
}

async function reuseOrAttach(
  host: Host,
  id: VolumeId,
  { backingFile, sectorSize, readonly }: LoopRoute,
  op: Op,
): Promise<Device> {
  const present = await onlyDeviceOf(host, id)
  if (present && (await findLoop(host, present.kname))?.isLeaving === true) {
    throw new Unavailable({
      asked: `attach ${id}`,
      found: `${present.path} was detached, and goes as soon as the process that has it open closes it`,
      next: 'end that process (fuser, lsof), and call again',
    })
  }
  if (present?.readonly === readonly && present.sectorSize === sectorSize) return present
  if (present) await detachLoop(host, present, op)
  return await attachLoop(host, { path: backingFile, readonly, sectorSize }, op)
}
