// What an export document comes to in LIO, and the proof that the kernel shows exactly that.
import type { Host } from '../../host/host.ts'
import { backstorePath, findBackstore, groupPath, isUnset, LUN, listGroups, readAttribute } from '../../linux/lio.ts'
import { EffectMissing, InvalidRequest } from '../../volume/errors.ts'
import { volumeOfTarget } from './names.ts'
import type { ExportDocument, Right } from './target.ts'

/** Where the backstore of a target stands; throws for a target that this driver would never make. */
export function backstoreOf(target: string): string {
  const id = volumeOfTarget(target)
  if (id === undefined)
    throw new InvalidRequest({ asked: `use the target ${target}`, found: 'it is no volume’s', next: 'leave it alone' })
  return backstorePath(id)
}

/** Writes are durable when they are acknowledged, and what filesystems discard is given back to the pool. */
export const BACKSTORE = { emulate_write_cache: '0', emulate_tpu: '1' }

/** Only who has an ACL may log in, or even learn that the target exists. */
export function attributesOf(rights: readonly Right[]): [name: string, value: string][] {
  return Object.entries({
    generate_node_acls: '0',
    cache_dynamic_acls: '0',
    demo_mode_discovery: '0',
    demo_mode_write_protect: '1',
    authentication: rights.some(({ chap }) => chap) ? '1' : '0',
  })
}

/** One look at all of it, after the last change. Throws EffectMissing, naming everything that is not as the document says. */
export async function proveExport(host: Host, document: ExportDocument): Promise<void> {
  const { target, serial, backing, sectorSize, portals, rights } = document
  const own = backstoreOf(target)
  const [backstore, groups] = await Promise.all([findBackstore(host, own), listGroups(host, target)])
  const group = groups?.[0]
  const wrong: string[] = []
  const expect = (what: string, found: unknown, wanted: unknown) => {
    if (String(found) !== String(wanted)) wrong.push(`${what} is ${found}, not ${wanted}`)
  }
  expect('the file', backstore?.file, backing.path)
  expect('the size', backstore?.size, backing.size)
  expect('the serial number', backstore?.serial, serial)
  expect('the sector size', backstore?.sectorSize, sectorSize)
  expect('durability', backstore?.durable, true)
  expect('the backstore being open', backstore?.enabled, true)
  expect('the number of groups', groups?.length, 1)
  expect('LUN 0', group?.shows, own)
  expect('the list of LUNs', group?.luns, [LUN])
  expect('the list of portals', group?.portals, [...portals].sort())
  expect(
    'the list of ACLs',
    group?.acls.map(acl => acl.initiator),
    rights.map(right => right.initiator).sort(),
  )
  for (const right of rights) {
    const acl = group?.acls.find(({ initiator }) => initiator === right.initiator)
    expect(`the access of ${right.initiator}`, acl?.access, right.readonly ? 'read-only' : 'read-write')
    expect(`the list of LUNs of ${right.initiator}`, acl?.luns, [LUN])
    if (acl) await expectAuth(host, acl.path, right, expect)
  }
  for (const [name, value] of Object.entries(BACKSTORE))
    expect(name, await readAttribute(host, `${own}/attrib/${name}`), value)
  for (const [name, value] of attributesOf(rights))
    expect(name, await readAttribute(host, `${groupPath(target)}/attrib/${name}`), value)
  expect('enabled', group?.enabled, true)
  if (wrong.length === 0) return
  throw new EffectMissing({
    asked: `export ${backing.path} as ${target}`,
    found: wrong.join(', '),
    next: 'see whether something else changes it; call again',
  })
}

async function expectAuth(
  host: Host,
  acl: string,
  { initiator, chap }: Right,
  expect: (what: string, found: unknown, wanted: unknown) => void,
): Promise<void> {
  const names = ['userid', 'userid_mutual', 'password', 'password_mutual', 'authenticate_target']
  const values = await Promise.all(names.map(name => readAttribute(host, `${acl}/auth/${name}`)))
  const [user = '', targetUser = '', password = '', targetPassword = '', isMutual] = values
  const shown = (text: string) => (isUnset(text) ? '' : text)
  expect(`the user of ${initiator}`, shown(user), chap?.user ?? '')
  expect(`the user of the target for ${initiator}`, shown(targetUser), chap?.mutual?.user ?? '')
  expect(`having a password for ${initiator}`, !isUnset(password), chap !== undefined)
  expect(`having a password of the target for ${initiator}`, !isUnset(targetPassword), chap?.mutual !== undefined)
  expect(`mutual authentication of ${initiator}`, isMutual, chap?.mutual ? '1' : '0')
}
