// What serves the bytes of one volume in LIO: a backstore, whichever LUNs of whichever targets show it.
import type { Host } from '../../host/host.ts'
import { type Backstore, backstorePath, findBackstore, readAttribute } from '../../linux/lio.ts'
import { ensureBackstore, resizeBackstore } from '../../linux/lio-change.ts'
import { requireAnswer } from '../../linux/lio-sessions.ts'
import { EffectMissing, InvalidRequest, VolumeNotFound, WrongDevice } from '../../volume/errors.ts'
import { isIqn } from '../../volume/node-id.ts'
import type { Op } from '../../volume/op.ts'
import { isPortal } from '../../volume/portal.ts'
import type { Backing } from '../../volume/types.ts'
import { requireVolumeOfTarget } from './names.ts'
import type { Content, ExportDocument } from './target.ts'

/** Where the backstore of a target stands; throws for a target that this driver would never make. */
export function backstoreOf(target: string): string {
  return backstorePath(requireVolumeOfTarget(target))
}

/** Writes are durable when they are acknowledged, and what filesystems discard is given back to the pool. */
const ATTRIBUTES = { emulate_write_cache: '0', emulate_tpu: '1' }

/** The names become paths, and words of an option list that commas separate. */
export function requireWritable({ target, backing, portals, rights }: ExportDocument): void {
  const problem =
    rights.map(({ initiator }) => initiator).find(name => !isIqn(name)) ??
    portals.find(portal => !isPortal(portal)) ??
    // FD_MAX_DEV_NAME, target_core_file.h
    (/[,\n]/.test(backing.path) || Buffer.byteLength(backing.path) > 255 ? backing.path : undefined)
  if (problem === undefined && rights.length > 0 && portals.length > 0) return
  throw new InvalidRequest({
    asked: `export ${target}`,
    found: problem === undefined ? 'it is for nobody, or nowhere' : `LIO cannot take "${problem}"`,
    next: 'rename it; the path of a pool has at most 150 bytes, and no comma',
  })
}

/** LIO would create a file that is not there. */
export async function requireBacking(host: Host, target: string, { path, size }: Backing): Promise<void> {
  const file = await host.files.facts(path)
  if (file?.kind === 'file' && file.size >= size) return
  throw new VolumeNotFound({
    asked: `export ${target}`,
    found: file ? `${path} is a ${file.kind} of ${file.size} bytes, not a file of ${size}` : `${path} does not exist`,
    next: 'check the pool; nothing was changed',
  })
}

/** Never makes one volume's export into another's: sessions would go on, with other data below them. */
export function requireSame(content: Content, backstore: Backstore | undefined, isShown: boolean): void {
  const { serial, backing, sectorSize } = content
  if (!backstore) return
  if (backstore.file !== '' && backstore.file !== backing.path) throw showsOther(content, `it shows ${backstore.file}`)
  if (backstore.serial !== serial && (backstore.serial !== '' || isShown))
    throw showsOther(content, `its serial number is "${backstore.serial}", that of the volume is ${serial}`)
  if (backstore.size > backing.size)
    throw showsOther(content, `it shows ${backstore.size} bytes, the file has ${backing.size}`)
  if (isShown && backstore.sectorSize !== sectorSize)
    throw showsOther(content, `its sectors have ${backstore.sectorSize} bytes, those of the volume ${sectorSize}`)
}

export function showsOther({ target, backing }: Content, found: string): WrongDevice {
  return new WrongDevice({
    asked: `export ${backing.path} as ${target}`,
    found,
    next: 'nothing was changed; see who made it',
  })
}

/** Makes or completes it; LUNs that show it already go on. */
export async function completeBackstore(
  host: Host,
  path: string,
  present: Backstore | undefined,
  { backing, serial, sectorSize }: Content,
): Promise<void> {
  await ensureBackstore(host, path, present, { file: backing, serial, sectorSize, attributes: ATTRIBUTES })
  if (present && present.size < backing.size) await resizeBackstore(host, path, backing.size)
}

export type Expect = (what: string, found: unknown, wanted: unknown) => void

export async function expectBackstore(host: Host, path: string, content: Content, expect: Expect): Promise<void> {
  const found = await findBackstore(host, path)
  expect('the file', found?.file, content.backing.path)
  expect('the size', found?.size, content.backing.size)
  expect('the serial number', found?.serial, content.serial)
  expect('the sector size', found?.sectorSize, content.sectorSize)
  expect('durability', found?.durable, true)
  for (const [name, value] of Object.entries(ATTRIBUTES))
    expect(name, await readAttribute(host, `${path}/attrib/${name}`), value)
}

/** Before sessions or LUNs are ended: where the disk below is dead, nothing is begun that would hang. */
export async function requireAnswerBelow(host: Host, path: string, op: Op): Promise<void> {
  const backstore = await findBackstore(host, path)
  if (backstore && backstore.file !== '') await requireAnswer(host, backstore.file, op)
}

export async function grow(host: Host, target: string, backing: Backing): Promise<void> {
  const path = backstoreOf(target)
  await requireBacking(host, target, backing)
  const backstore = await findBackstore(host, path)
  if (backstore?.file !== backing.path) {
    throw new WrongDevice({
      asked: `show the size of ${backing.path} to those that use ${target}`,
      found: `it shows ${backstore?.file || 'nothing'}`,
      next: 'nothing was changed; see who made it',
    })
  }
  if (backstore.size < backing.size) await resizeBackstore(host, path, backing.size)
  const size = (await findBackstore(host, path))?.size
  if (size !== undefined && size >= backing.size) return
  throw new EffectMissing({
    asked: `show ${backing.size} bytes to those that use ${target}`,
    found: `it shows ${size}`,
    next: 'see the kernel log; call again',
  })
}
