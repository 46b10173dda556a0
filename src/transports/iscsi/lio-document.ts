// What the documents come to in LIO, and in what the kernel's state differs from that.
import type { Host } from '../../host/host.ts'
import {
  accessTo,
  aclPath,
  backstorePath,
  type Group,
  groupPath,
  isUnset,
  LUN,
  listGroups,
  lunName,
  lunShows,
  readAttribute,
} from '../../linux/lio.ts'
import { AS_THE_GROUP } from '../../linux/lio-change.ts'
import { backstoreOf, type Expect, expectBackstore } from './lio-backstore.ts'
import type { ExportDocument, Right, UnitDocument } from './target.ts'

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

/**
 * Of an ACL of a node's target: seconds until a silent node is asked whether it lives, and until it is given up. With less
 * patience than the kernel's own 45 s, because to take a LUN away waits for what its node began to send.
 */
export const NODE_PATIENCE = { nopin_timeout: '5', nopin_response_timeout: '5' }

/** One look at all of it: in words, everything that is not as the document says. */
export async function differences(host: Host, document: ExportDocument): Promise<string[]> {
  const { wrong, expect } = collect()
  const { target, rights } = document
  await expectBackstore(host, backstoreOf(target), document, expect)
  const group = await expectGroup(host, document, expect)
  expect('LUN 0', group?.shows, backstoreOf(target))
  expect('the list of LUNs', await host.files.list(`${groupPath(target)}/lun`), LUN)
  for (const { initiator, readonly, lun } of rights) {
    const acl = group?.acls.find(each => each.initiator === initiator)
    expect(`the access of ${initiator}`, acl?.access, readonly ? 'read-only' : 'read-write')
    expect(`the list of LUNs of ${initiator}`, acl?.luns, lunName(lun))
  }
  expect('enabled', group?.enabled, true)
  return wrong
}

/** The same for one unit of a node's target, which is opened when all of them are there. */
export async function unitDifferences(host: Host, unit: UnitDocument): Promise<string[]> {
  const { wrong, expect } = collect()
  const { target, id, lun, rights } = unit
  const own = backstorePath(id)
  await expectBackstore(host, own, unit, expect)
  await expectGroup(host, unit, expect)
  expect(`LUN ${lun}`, await lunShows(host, groupPath(target), lunName(lun)), own)
  for (const { initiator, readonly } of rights) {
    const acl = aclPath(groupPath(target), initiator)
    expect(`the access of ${initiator}`, await accessTo(host, acl, lunName(lun)), readonly ? 'read-only' : 'read-write')
    for (const [name, value] of Object.entries(NODE_PATIENCE))
      expect(name, await readAttribute(host, `${acl}/attrib/${name}`), value)
  }
  return wrong
}

function collect(): { wrong: string[]; expect: Expect } {
  const wrong: string[] = []
  const expect: Expect = (what, found, wanted) => {
    if (String(found) !== String(wanted)) wrong.push(`${what} is ${found}, not ${wanted}`)
  }
  return { wrong, expect }
}

/** Where it listens, and whom it lets in by what. */
async function expectGroup(host: Host, document: ExportDocument, expect: Expect): Promise<Group | undefined> {
  const { target, portals, rights } = document
  const path = groupPath(target)
  const [groups, listening] = await Promise.all([listGroups(host, target), host.files.list(`${path}/np`)])
  expect(
    'the list of groups',
    groups?.map(group => group.path),
    path,
  )
  const [group] = groups ?? []
  expect('the list of portals', listening, [...portals].sort())
  expect(
    'the list of ACLs',
    group?.acls.map(acl => acl.initiator),
    rights.map(right => right.initiator).sort(),
  )
  for (const [name, value] of Object.entries(attributesOf(rights)))
    expect(name, await readAttribute(host, `${path}/attrib/${name}`), value)
  for (const right of rights) await expectAuth(host, aclPath(path, right.initiator), right, expect)
  return group
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
