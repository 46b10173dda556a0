// Exports for tests of the target of the kernel, and what must be true of them.
import assert from 'node:assert/strict'
import { lio } from '../src/transports/iscsi/lio.ts'
import { serialOf, targetName } from '../src/transports/iscsi/names.ts'
import type { ExportDocument, Right, Target } from '../src/transports/iscsi/target.ts'
import { Secret } from '../src/volume/secret.ts'
import { type FakeConfigfs, fakeConfigfs } from './fake-configfs.ts'
import { GIB, testOp } from './fixtures.ts'

export const ID = 'vol-p-0123456789abcdef0123456789abcdef'
export const TARGET = targetName(ID)
export const FILE = `/pool/volumes/${ID}/data`
export const [A, B] = ['iqn.2026-01.dev.ashlar:node.a', 'iqn.2026-01.dev.ashlar:node.b'] as const
export const CORE = '/sys/kernel/config/target/core'
export const BACKSTORE = `${CORE}/fileio_1095977042/${ID}`
export const GROUP = `/sys/kernel/config/target/iscsi/${TARGET}/tpgt_1`
export const op = testOp()

export const PASSWORDS = new Map([
  ['one', 'secret-of-the-initiator'],
  ['two', 'another-secret'],
])
export const chapOf = (user: string) => ({ user, password: new Secret(PASSWORDS.get(user) ?? '') })
export const reader = (initiator: string): Right => ({ initiator, readonly: true, lun: 0 })
export const writer = (initiator: string): Right => ({ initiator, readonly: false, lun: 0 })

export function documentOf(rest: Partial<ExportDocument> = {}): ExportDocument {
  return {
    target: TARGET,
    serial: serialOf(ID),
    backing: { path: FILE, size: GIB },
    sectorSize: 4096,
    portals: ['10.0.0.1:3260', '[fd00::1]:3260'],
    rights: [writer(A)],
    ...rest,
  }
}

export function machine(): { fake: FakeConfigfs; target: Target } {
  const fake = fakeConfigfs()
  fake.files.set(FILE, GIB)
  return { fake, target: lio.open(fake.host) }
}

export class Killed extends Error {}

/** Stops the work before its change number `n`, counted from now; false when it came to its end. */
export async function isKilled(fake: FakeConfigfs, n: number, work: () => Promise<unknown>): Promise<boolean> {
  let left = n
  fake.before = () => {
    left -= 1
    if (left < 0) throw new Killed()
  }
  try {
    await work()
    return false
  } catch (error) {
    if (left < 0) return true
    throw error
  } finally {
    fake.before = () => undefined
  }
}

/** Whoever could log in now has a right of the document, and gets no more than that. */
export function assertNotTooWide(fake: FakeConfigfs, { rights, target, backing }: ExportDocument): void {
  for (const open of fake.open(target)) {
    const right = rights.find(({ initiator }) => initiator === open.initiator)
    assert.ok(right, `${open.initiator} is not in the document`)
    assert.ok(open.access !== 'read-write' || !right.readonly, `${open.initiator} could write`)
    assert.ok(open.file === '' || open.file === backing.path)
    assert.equal(open.user, right.chap?.user ?? '')
    assert.equal(open.password, PASSWORDS.get(right.chap?.user ?? '') ?? '')
    assert.equal(open.targetUser, right.chap?.mutual?.user ?? '')
    assert.equal(open.targetPassword, PASSWORDS.get(right.chap?.mutual?.user ?? '') ?? '')
  }
}

/** Exactly the rights of the document are open, and all of the rest is as it says. */
export async function assertExported(fake: FakeConfigfs, target: Target, document: ExportDocument): Promise<void> {
  assertNotTooWide(fake, document)
  const access = fake.open(document.target).map(open => [open.initiator, open.access === 'read-only'])
  const wanted = document.rights.map(({ initiator, readonly }) => [initiator, readonly])
  assert.deepEqual(access.sort(), wanted.sort())
  const shown = await target.find(document.target, op)
  assert.deepEqual(
    { ...shown, initiators: undefined },
    {
      target: document.target,
      serial: document.serial,
      backing: document.backing.path,
      size: document.backing.size,
      enabled: true,
      initiators: undefined,
    },
  )
  const lines = fake.dump()
  for (const line of [
    `${BACKSTORE}/attrib/block_size = ${document.sectorSize}`,
    `${BACKSTORE}/attrib/emulate_tpu = 1`,
    `${BACKSTORE}/attrib/emulate_write_cache = 0`,
    `${GROUP}/attrib/generate_node_acls = 0`,
    `${GROUP}/attrib/demo_mode_discovery = 0`,
    ...document.portals.map(portal => `${GROUP}/np/${portal}`),
  ])
    assert.ok(lines.includes(line), line)
}

export const MUTUAL: Right = { ...writer(A), chap: { ...chapOf('one'), mutual: chapOf('two') } }
export const DOCUMENTS: Readonly<Record<string, ExportDocument>> = {
  'one writer': documentOf(),
  'one reader': documentOf({ rights: [reader(A)] }),
  'a reader and a writer': documentOf({ rights: [reader(A), writer(B)] }),
  'a writer and a reader': documentOf({ rights: [writer(A), reader(B)] }),
  'another node': documentOf({ rights: [writer(B)] }),
  'CHAP one-way': documentOf({ rights: [{ ...writer(A), chap: chapOf('one') }] }),
  'other secrets': documentOf({ rights: [{ ...writer(A), chap: chapOf('two') }] }),
  'CHAP mutual': documentOf({ rights: [MUTUAL] }),
  'CHAP for two': documentOf({ rights: [MUTUAL, { ...reader(B), chap: chapOf('two') }] }),
  'another portal': documentOf({ portals: ['10.0.0.2:3260'] }),
}
