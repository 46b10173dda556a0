// What the contract of targets needs to know of each: a machine that it serves from, what initiators get there, and its limits.
import { lio } from '../../src/transports/iscsi/lio.ts'
import type { Target } from '../../src/transports/iscsi/target.ts'
import { tgt } from '../../src/transports/iscsi/tgt.ts'
import { isMark, seenLun } from '../../src/transports/iscsi/tgt-faults.ts'
import { type FakeConfigfs, fakeConfigfs } from '../fake-configfs.ts'
import { type FakeTarget, fakeTgtd, Killed } from '../fake-tgtd.ts'
import { failure, GIB, testOp } from '../fixtures.ts'
import { isKilled } from '../lio-fixtures.ts'

/** What an initiator that logs in now gets, by what serves it and not by what the driver says. */
export interface Access {
  readonly initiator: string
  /** What it must know, and what it is told: user, password, and both of the target. */
  readonly chap: readonly string[]
  readonly disks: readonly Disk[]
}

export interface Disk {
  readonly lun: number
  readonly readonly: boolean
  readonly file: string
  readonly serial: string
  readonly size: bigint
  readonly sectorSize: number
}

export interface TargetMachine {
  readonly target: Target
  /** Those that can be served, with their sizes. */
  readonly files: Map<string, bigint>
  /** What was changed, in order; without what cannot be compared, and is written anew each time. */
  changes(): string[]
  /** Looks before each change. */
  watch(look: () => void): void
  /** The driver dies when it has made `n` changes; false when it came to its end before. */
  isKilled(n: number, work: () => Promise<unknown>): Promise<boolean>
  open(name: string): Access[]
  /** Where the target is listened for. */
  portals(name: string): Promise<readonly string[]>
  /** With a write under way, where those are played; false when it is refused. */
  login(name: string, initiator: string): boolean
  hasSession(name: string, initiator: string): boolean
  /** Has anything the file open? */
  holds(file: string): Promise<boolean>
  /** All that there is but sessions, in lines; the same for everything that serves the same. */
  state(): string[]
  /** A target of somebody else, with a disk for this initiator. */
  makeForeign(name: string, initiator: string): Promise<void>
}

/** The differences are those that docs/iscsi.md tells, most of them in "Limits of tgt". */
export interface TargetFixture {
  machine(): TargetMachine
  /** Documents of target-bench.ts that it cannot serve, and what it says. */
  readonly refuses: Readonly<Record<string, ReturnType<typeof failure>>>
  readonly growsOnline: boolean
  /** A right has a LUN of its own also beside others. */
  readonly ownLuns: boolean
}

export const FOREIGN_FILE = '/foreign'
const CORE = '/sys/kernel/config/target/core'
const op = testOp()

function lioMachine(): TargetMachine {
  const fake = fakeConfigfs()
  const { files } = fake.host
  return {
    target: lio.open(fake.host),
    files: fake.files,
    changes: () => fake.changes.filter(change => !change.includes('/auth/password')),
    watch(look) {
      fake.before = look
    },
    isKilled: (n, work) => isKilled(fake, n, work),
    open: name =>
      fake.open(name).map(({ initiator, user, password, targetUser, targetPassword }) => ({
        initiator,
        chap: [user, password, targetUser, targetPassword],
        disks: disksOf(fake, name, initiator),
      })),
    portals: async name => (await files.list(`/sys/kernel/config/target/iscsi/${name}/tpgt_1/np`)) ?? [],
    login: (name, initiator) => fake.login(name, initiator),
    hasSession: (name, initiator) => fake.sessions(name, initiator) > 0,
    async holds(file) {
      for (const hba of (await files.list(CORE)) ?? [])
        for (const name of (await files.list(`${CORE}/${hba}`)) ?? [])
          if ((await files.read(`${CORE}/${hba}/${name}/info`))?.includes(`File: ${file} `)) return true
      return false
    },
    state: () =>
      fake
        .dump()
        // What new mappings begin with; and the kernel cannot forget a word otherwise.
        .filter(line => !line.includes('prod_mode_write_protect'))
        .map(line => line.replace(/NULL$/, '')),
    makeForeign: (name, initiator) => makeForeignOfLio(fake, name, initiator),
  }
}

function disksOf(fake: FakeConfigfs, name: string, initiator: string): Disk[] {
  return fake
    .reached(name)
    .filter(each => each.initiator === initiator)
    .map(({ lun, access, file, serial, size, sectorSize }) => ({
      lun: Number(lun.replace('lun_', '')),
      readonly: access === 'read-only',
      file,
      serial,
      size,
      sectorSize,
    }))
}

async function makeForeignOfLio({ host: { files } }: FakeConfigfs, name: string, initiator: string): Promise<void> {
  const group = `/sys/kernel/config/target/iscsi/${name}/tpgt_1`
  // In the folder of the driver, too, whatever is called like no volume is none.
  for (const backstore of [`${CORE}/fileio_0/${name}`, `${CORE}/fileio_1095977042/${name}`]) {
    await files.makeDirectory(backstore)
    await files.write(`${backstore}/control`, `fd_dev_name=${FOREIGN_FILE},fd_dev_size=${GIB}`)
    await files.write(`${backstore}/enable`, '1')
  }
  await files.makeDirectory(`${group}/lun/lun_0`)
  await files.link(`${group}/lun/lun_0/disk`, `${CORE}/fileio_0/${name}`)
  await files.makeDirectory(`${group}/acls/${initiator}/lun_0`)
  await files.link(`${group}/acls/${initiator}/lun_0/disk`, `${group}/lun/lun_0`)
  await files.makeDirectory(`${group}/np/10.0.0.9:3260`)
  await files.write(`${group}/attrib/authentication`, '0')
  await files.write(`${group}/enable`, '1')
}

function tgtMachine(): TargetMachine {
  const files = new Map<string, bigint>()
  const tgtd = fakeTgtd(path => files.get(path))
  // As docs/iscsi.md has it started.
  tgtd.portals.splice(0, Number.POSITIVE_INFINITY, '127.0.0.1:3260')
  const run = async (...args: string[]) =>
    await tgtd.host.run({ file: 'tgtadm', args: ['--lld', 'iscsi', ...args], timeoutMs: 1, onAbort: 'kill' }, op)
  return {
    target: tgt.open(tgtd.host),
    files,
    changes: () => [...tgtd.changes],
    watch: look => tgtd.watch(look),
    async isKilled(n, work) {
      tgtd.killAfter(n)
      try {
        await work()
        return false
      } catch (error) {
        if (error instanceof Killed) return true
        throw error
      } finally {
        tgtd.killAfter(undefined)
      }
    },
    open: name => tgtd.targets.filter(target => target.name === name).flatMap(openOf),
    portals: async () => tgtd.portals,
    login(name, initiator) {
      const session = tgtd.beginLogin(name, initiator)?.()
      if (session) session.writes = 5
      return session !== undefined
    },
    hasSession: (name, initiator) =>
      tgtd.targets.some(each => each.name === name && each.sessions.some(session => session.initiator === initiator)),
    holds: async file => tgtd.targets.some(({ units }) => [...units.values()].some(({ path }) => path === file)),
    state: () => tgtd.targets.flatMap(linesOf).sort(),
    async makeForeign(name, initiator) {
      files.set(FOREIGN_FILE, GIB)
      const tid = String(tgtd.all.length + 1)
      await run('--op', 'new', '--mode', 'target', '--tid', tid, '--targetname', name)
      const unit = ['--mode', 'logicalunit', '--tid', tid, '--lun', '1', '--backing-store', FOREIGN_FILE]
      await run('--op', 'new', ...unit, '--blocksize', '512')
      await run('--op', 'bind', '--mode', 'target', '--tid', tid, '--initiator-name', initiator)
    },
  }
}

function openOf({ acl, units }: FakeTarget): Access[] {
  const disks = [...units].map(([lun, { readonly, path: file, sn: serial, size, blockSize }]) => ({
    lun: seenLun(lun),
    readonly,
    file,
    serial,
    size,
    sectorSize: Number(blockSize),
  }))
  return acl.filter(each => !isMark(each)).map(initiator => ({ initiator, chap: ['', '', '', ''], disks }))
}

/** Without its number, which is drawn. */
function linesOf({ name, nop, units, acl }: FakeTarget): string[] {
  return [
    name,
    ...Object.entries(nop).map(([key, value]) => `${name} ${key} ${value}`),
    ...[...units].map(([lun, unit]) => `${name} unit ${lun} ${Object.entries(unit).sort().join(' ')}`),
    ...acl.map(each => `${name} acl ${each}`),
  ]
}

const MIXED = failure('failed-precondition', /tgt has one right and one LUN for all of them/)
const CHAP = failure('invalid-argument', /CHAP.*tgt cannot keep its secrets/)

export const TARGET_FIXTURES: Readonly<Record<string, TargetFixture>> = {
  lio: { machine: lioMachine, refuses: {}, growsOnline: true, ownLuns: true },
  tgt: {
    machine: tgtMachine,
    refuses: {
      'a reader and a writer': MIXED,
      'a writer and a reader': MIXED,
      'different LUNs': MIXED,
      'CHAP one-way': CHAP,
      'CHAP with other secrets': CHAP,
      'CHAP mutual': CHAP,
      'CHAP for two': CHAP,
    },
    growsOnline: false,
    ownLuns: false,
  },
}
