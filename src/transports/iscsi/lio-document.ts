// What an export document comes to in LIO, and in what the kernel's state differs from that.
import type { Host } from '../../host/host.ts'
import {
  aclPath,
  backstorePath,
  findBackstore,
  groupPath,
  isUnset,
  LUN,
  listGroups,
  mappedLuns,
  readAttribute,
} from '../../linux/lio.ts'
import { AS_THE_GROUP } from '../../linux/lio-change.ts'
import { InvalidRequest } from '../../volume/errors.ts'
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
export function attributesOf(rights: readonly Right[]): Record<string, string> {
  return {
    generate_node_acls: '0',
    cache_dynamic_acls: '0',
    demo_mode_discovery: '0',
    demo_mode_write_protect: '1',
    authentication: rights.some(({ chap }) => chap) ? '1' : '0',
  }
}

type Expect = (what: string, found: unknown, wanted: unknown) => void

/** One look at all of it: in words, everything that is not as the document says. */
export async function differences(host: Host, document: ExportDocument): Promise<string[]> {
  const { target, rights } = document
  const group = groupPath(target)
  const wrong: string[] = []
  const expect: Expect = (what, found, wanted) => {
    if (String(found) !== String(wanted)) wrong.push(`${what} is ${found}, not ${wanted}`)
  }
  await expectBackstore(host, document, expect)
  await expectGroup(host, document, expect)
  for (const right of rights) await expectAuth(host, aclPath(group, right.initiator), right, expect)
  return wrong
}

async function expectBackstore(
  host: Host,
  { target, backing, serial, sectorSize }: ExportDocument,
  expect: Expect,
): Promise<void> {
  const path = backstoreOf(target)
  const found = await findBackstore(host, path)
  expect('the file', found?.file, backing.path)
  expect('the size', found?.size, backing.size)
  expect('the serial number', found?.serial, serial)
  expect('the sector size', found?.sectorSize, sectorSize)
  expect('durability', found?.durable, true)
  for (const [name, value] of Object.entries(BACKSTORE))
    expect(name, await readAttribute(host, `${path}/attrib/${name}`), value)
}

async function expectGroup(host: Host, document: ExportDocument, expect: Expect): Promise<void> {
  const { target, portals, rights } = document
  const path = groupPath(target)
  const [groups, luns, listening] = await Promise.all([
    listGroups(host, target),
    host.files.list(`${path}/lun`),
    host.files.list(`${path}/np`),
  ])
  expect(
    'the list of groups',
    groups?.map(group => group.path),
    path,
  )
  const [group] = groups ?? []
  expect('LUN 0', group?.shows, backstoreOf(target))
  expect('the list of LUNs', luns, LUN)
  expect('the list of portals', listening, [...portals].sort())
  expect(
    'the list of ACLs',
    group?.acls.map(acl => acl.initiator),
    rights.map(right => right.initiator).sort(),
  )
  for (const { initiator, readonly } of rights) {
    const acl = group?.acls.find(each => each.initiator === initiator)
    expect(`the access of ${initiator}`, acl?.access, readonly ? 'read-only' : 'read-write')
    expect(`the list of LUNs of ${initiator}`, acl && (await mappedLuns(host, acl.path)), LUN)
  }
  for (const [name, value] of Object.entries(attributesOf(rights)))
    expect(name, await readAttribute(host, `${path}/attrib/${name}`), value)
  expect('enabled', group?.enabled, true)
}

/** The passwords themselves cannot be compared, only whether there are any. */
async function expectAuth(host: Host, acl: string, { initiator, chap }: Right, expect: Expect): Promise<void> {
  const names = ['userid', 'userid_mutual', 'password', 'password_mutual', 'authenticate_target']
  const read = (path: string) => readAttribute(host, `${acl}/${path}`)
  const [user = '', targetUser = '', password = '', targetPassword = '', isMutual] = await Promise.all(
    names.map(name => read(`auth/${name}`)),
  )
  const shown = (text: string) => (isUnset(text) ? '' : text)
  expect(`the user of ${initiator}`, shown(user), chap?.user ?? '')
  expect(`the user of the target for ${initiator}`, shown(targetUser), chap?.mutual?.user ?? '')
  expect(`having a password for ${initiator}`, !isUnset(password), chap !== undefined)
  expect(`having a password of the target for ${initiator}`, !isUnset(targetPassword), chap?.mutual !== undefined)
  expect(`mutual authentication of ${initiator}`, isMutual, chap?.mutual ? '1' : '0')
  // Absent before Linux 6.0.
  expect(`the authentication of ${initiator}`, (await read('attrib/authentication')) || AS_THE_GROUP, AS_THE_GROUP)
}
