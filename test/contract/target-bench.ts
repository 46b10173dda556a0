// What the contract of targets is about: exports for two nodes, what initiators must get of them, and drivers that die.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { serialOf, targetName } from '../../src/transports/iscsi/names.ts'
import type { ExportDocument, Right, Shown } from '../../src/transports/iscsi/target.ts'
import { TARGETS } from '../../src/transports/iscsi/targets.ts'
import { Secret } from '../../src/volume/secret.ts'
import type { VolumeId } from '../../src/volume/types.ts'
import { GIB, testOp } from '../fixtures.ts'
import { type Access, TARGET_FIXTURES, type TargetFixture, type TargetMachine } from './target-fixtures.ts'

export const [ID, OTHER_ID] = ['vol-p-0123456789abcdef0123456789abcdef', `vol-p-${'fedcba98'.repeat(4)}`] as const
export const TARGET = targetName(ID)
export const SERIAL = serialOf(ID)
export const fileOf = (id: VolumeId) => `/pool/volumes/${id}/data`
export const FILE = fileOf(ID)
export const [A, B] = ['iqn.2026-01.dev.ashlar:node.a', 'iqn.2026-01.dev.ashlar:node.b'] as const
/** As each of them may choose it. */
const LUN = 20_000

export const writer = (initiator: string, lun = LUN): Right => ({ initiator, readonly: false, lun })
export const reader = (initiator: string, lun = LUN): Right => ({ initiator, readonly: true, lun })

export function documentOf(
  rights: readonly Right[],
  rest: Partial<ExportDocument> = {},
  id: VolumeId = ID,
): ExportDocument {
  const backing = { path: fileOf(id), size: GIB }
  const content = { target: targetName(id), serial: serialOf(id), backing, sectorSize: 4096 }
  return { ...content, portals: ['10.0.0.1:3260'], rights, ...rest }
}

export const BOTH = documentOf([writer(A), writer(B)])

const secretOf = (user: string) => ({ user, password: new Secret(`secret of ${user}`) })
const one: Right = { ...writer(A), chap: secretOf('one') }
const mutual: Right = { ...writer(A), chap: { ...secretOf('one'), mutual: secretOf('two') } }

/** Whatever a target may be asked for. */
export const DOCUMENTS: Readonly<Record<string, ExportDocument>> = {
  'one writer': documentOf([writer(A)]),
  'one reader': documentOf([reader(A)]),
  'another node': documentOf([writer(B)]),
  'two writers': BOTH,
  'two readers': documentOf([reader(B), reader(A)]),
  'other portals': documentOf([writer(A)], { portals: ['10.0.0.3:3261', '10.0.0.2:3260'] }),
  'a reader and a writer': documentOf([reader(A), writer(B)]),
  'a writer and a reader': documentOf([writer(A), reader(B)]),
  'different LUNs': documentOf([writer(A), writer(B, LUN + 1)]),
  'CHAP one-way': documentOf([one]),
  'CHAP with other secrets': documentOf([{ ...writer(A), chap: secretOf('two') }]),
  'CHAP mutual': documentOf([mutual]),
  'CHAP for two': documentOf([mutual, { ...reader(B), chap: secretOf('two') }]),
}

export interface TargetBench extends TargetFixture {
  /** Of the registry. */
  readonly type: string
  /** Those of the documents that it can serve. */
  readonly served: readonly (readonly [name: string, document: ExportDocument])[]
  /** What is there when this document was all that was ever applied. */
  stateWith(document: ExportDocument): Promise<string[]>
  /**
   * Lets the driver die after no change, after the first, and so on, each time on a machine of its own, until the work comes
   * to its end.
   */
  eachDeath(death: Death): Promise<void>
}

export interface Death {
  /** What there was before. */
  readonly before?: (machine: TargetMachine) => Promise<void>
  readonly work: (machine: TargetMachine) => Promise<unknown>
  readonly after: (machine: TargetMachine, when: string) => Promise<void>
}

const op = testOp()

/** Defines the tests for every entry of the registry; an entry that cannot be tested fails. */
export function eachTarget(about: string, define: (bench: TargetBench) => void, is = (_: TargetFixture) => true): void {
  for (const type of Object.keys(TARGETS)) {
    const fixture = TARGET_FIXTURES[type]
    if (!fixture) {
      it(`target ${type} has an entry in test/contract/target-fixtures.ts`, () => assert.fail('it has none'))
      continue
    }
    if (is(fixture)) describe(`target ${type}: ${about}`, () => define(benchOf(type, fixture)))
  }
}

function benchOf(type: string, fixture: TargetFixture): TargetBench {
  const machine = () => {
    const made = fixture.machine()
    for (const id of [ID, OTHER_ID]) made.files.set(fileOf(id), GIB)
    return made
  }
  const states = new Map<ExportDocument, string[]>()
  return {
    ...fixture,
    type,
    machine,
    served: Object.entries(DOCUMENTS).filter(([name]) => !fixture.refuses[name]),
    async stateWith(document) {
      const known = states.get(document)
      if (known) return known
      const made = machine()
      await made.target.apply(document, op)
      states.set(document, made.state())
      return made.state()
    },
    async eachDeath({ before, work, after }) {
      for (let n = 0; ; n += 1) {
        const made = machine()
        await before?.(made)
        const isDead = await made.isKilled(n, () => work(made))
        await after(made, `killed after change ${n}: ${made.changes().at(-1)}`)
        if (isDead) continue
        assert.ok(n > 0, 'it changed nothing')
        return
      }
    },
  }
}

/** What everybody gets of this export, by name. */
export function accessOf({ rights, backing, serial, sectorSize }: ExportDocument): Access[] {
  const access = rights.map(({ initiator, readonly, lun, chap }) => ({
    initiator,
    chap: [chap, chap?.mutual].flatMap(each => [each?.user ?? '', each?.password.reveal() ?? '']),
    disks: [{ lun, readonly, file: backing.path, serial, size: backing.size, sectorSize }],
  }))
  return byName(access)
}

/** Everybody gets what the document says, nobody else anything; and this is what the target shows. */
export async function assertServed(machine: TargetMachine, document: ExportDocument, when = ''): Promise<void> {
  const { target, portals, rights, serial, backing } = document
  assert.deepEqual(byName(machine.open(target)), accessOf(document), when)
  const listening = await machine.portals(target)
  for (const portal of portals) assert.ok(listening.includes(portal), `${portal} ${when}`)
  const initiators = rights.map(({ initiator, readonly }) => {
    const sessions = machine.hasSession(target, initiator) ? 1 : 0
    return { name: initiator, readonly, sessions }
  })
  const shown = await machine.target.find(target, op)
  const expected = { target, serial, backing: backing.path, size: backing.size, enabled: true, initiators }
  assert.deepEqual(sorted(shown), sorted(expected), when)
  await assertAgree(machine, when)
}

/** To list is to find each, and what is shown to be open is. */
export async function assertAgree({ target, open }: TargetMachine, when = ''): Promise<void> {
  const listed = await target.list(op)
  for (const shown of listed) {
    assert.deepEqual(lasting(await target.find(shown.target, op)), lasting(shown), when)
    if (!shown.enabled) continue
    const access = open(shown.target).map(({ initiator, disks }) => [initiator, disks.map(disk => disk.readonly)])
    const named = shown.initiators.map(({ name, readonly }) => [name, [readonly]])
    assert.deepEqual(access.sort(), named.sort(), when)
  }
  const listedOne = listed.find(each => each.target === TARGET)
  assert.deepEqual(lasting(await target.find(TARGET, op)), lasting(listedOne), when)
}

export function assertGone({ open, hasSession }: TargetMachine, initiator: string, when = ''): void {
  assert.ok(!open(TARGET).some(access => access.initiator === initiator), `${initiator} can log in ${when}`)
  assert.equal(hasSession(TARGET, initiator), false, `${initiator} has a session ${when}`)
}

/** Neither an export nor anything that it consisted of. */
export async function assertNothing(machine: TargetMachine, when = ''): Promise<void> {
  assert.equal(await machine.target.find(TARGET, op), undefined, when)
  assert.deepEqual(await machine.target.list(op), [], when)
  assert.deepEqual([machine.open(TARGET), await machine.holds(FILE)], [[], false], when)
  const left = machine.state().filter(line => line.includes(ID))
  assert.deepEqual(left, [], when)
}

/** Of an export that is being taken away sessions go between two looks, and those who have nothing else with them. */
const lasting = (shown: Shown | undefined) => (shown?.enabled === false ? { ...shown, initiators: [] } : shown)

const sorted = (shown: Shown | undefined) =>
  shown && { ...shown, initiators: shown.initiators.toSorted((a, b) => a.name.localeCompare(b.name)) }

const byName = (access: readonly Access[]) => access.toSorted((a, b) => a.initiator.localeCompare(b.initiator))
