// The target of the kernel, on a configfs in memory: stopped between any two changes, it is never open too wide.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type FakeConfigfs, fakeConfigfs } from '../../../test/fake-configfs.ts'
import { failure, GIB, MIB, testOp } from '../../../test/fixtures.ts'
import { Secret } from '../../volume/secret.ts'
import { lio } from './lio.ts'
import { serialOf, targetName } from './names.ts'
import type { ExportDocument, Right, Target } from './target.ts'

const ID = 'vol-p-0123456789abcdef0123456789abcdef'
const TARGET = targetName(ID)
const FILE = `/pool/volumes/${ID}/data`
const [A, B] = ['iqn.2026-01.dev.ashlar:node.a', 'iqn.2026-01.dev.ashlar:node.b'] as const
const CORE = '/sys/kernel/config/target/core'
const BACKSTORE = `${CORE}/fileio_1095977042/${ID}`
const GROUP = `/sys/kernel/config/target/iscsi/${TARGET}/tpgt_1`
const op = testOp()

const PASSWORDS = new Map([
  ['one', 'secret-of-the-initiator'],
  ['two', 'another-secret'],
])
const chapOf = (user: string) => ({ user, password: new Secret(PASSWORDS.get(user) ?? '') })
const reader = (initiator: string): Right => ({ initiator, readonly: true })
const writer = (initiator: string): Right => ({ initiator, readonly: false })

function documentOf(rest: Partial<ExportDocument> = {}): ExportDocument {
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

function machine(): { fake: FakeConfigfs; target: Target } {
  const fake = fakeConfigfs()
  fake.files.set(FILE, GIB)
  return { fake, target: lio.open(fake.host) }
}

class Killed extends Error {}

/** Stops the work before its change number `n`, counted from now; false when it came to its end. */
async function isKilled(fake: FakeConfigfs, n: number, work: () => Promise<unknown>): Promise<boolean> {
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
function assertNotTooWide(fake: FakeConfigfs, { rights, target, backing }: ExportDocument): void {
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
async function assertExported(fake: FakeConfigfs, target: Target, document: ExportDocument): Promise<void> {
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

const MUTUAL: Right = { ...writer(A), chap: { ...chapOf('one'), mutual: chapOf('two') } }
const DOCUMENTS: Readonly<Record<string, ExportDocument>> = {
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

describe('lio: apply', () => {
  for (const [name, document] of Object.entries(DOCUMENTS)) {
    it(`makes an export with ${name}, and then finds nothing to change`, async () => {
      const { fake, target } = machine()
      await target.apply(document, op)
      await assertExported(fake, target, document)
      const [before, count] = [fake.dump(), fake.changes.length]
      await target.apply(document, op)
      assert.deepEqual(fake.dump(), before)
      const secrets = /auth\/password/
      assert.deepEqual(
        fake.changes.slice(count).filter(change => !secrets.test(change)),
        [],
      )
      assert.ok(fake.changes.every(change => !/secret/.test(change)))
    })
  }

  it('completes what a kill left, at whichever change, and lets nobody in before', async () => {
    for (const document of Object.values(DOCUMENTS)) {
      for (let n = 0; ; n += 1) {
        const { fake, target } = machine()
        if (!(await isKilled(fake, n, () => target.apply(document, op)))) break
        assert.deepEqual(fake.open(TARGET), [], `killed before change ${n}: ${fake.changes.at(-1)}`)
        assert.notEqual((await target.find(TARGET, op))?.enabled, true)
        await target.apply(document, op)
        await assertExported(fake, target, document)
      }
    }
  })

  it('turns any export into any other, over any kill, and is never open wider than the one or the other', async () => {
    for (const [from, first] of Object.entries(DOCUMENTS)) {
      for (const [to, second] of Object.entries(DOCUMENTS)) {
        for (let n = 0; ; n += 1) {
          const { fake, target } = machine()
          await target.apply(first, op)
          for (const { initiator } of first.rights) assert.ok(fake.login(TARGET, initiator))
          const isEnd = !(await isKilled(fake, n, () => target.apply(second, op)))
          const union = fake.open(TARGET).map(({ initiator }) => initiator)
          for (const open of fake.open(TARGET)) {
            const before = first.rights.find(each => each.initiator === open.initiator)
            const after = second.rights.find(each => each.initiator === open.initiator)
            const names = [before?.chap?.user ?? '', after?.chap?.user ?? '']
            const context = `${from} -> ${to}, killed before change ${n}, after ${fake.changes.at(-1)}`
            assert.ok(before ?? after, `${context}: ${union.join()}`)
            assert.ok(names.includes(open.user), context)
            assert.ok(
              open.access !== 'read-write' || !(before?.readonly ?? true) || !(after?.readonly ?? true),
              context,
            )
          }
          await target.apply(second, op)
          await assertExported(fake, target, second)
          for (const { initiator } of first.rights)
            if (!second.rights.some(each => each.initiator === initiator))
              assert.equal(fake.login(TARGET, initiator), false)
          if (isEnd) break
        }
      }
    }
  })

  it('heals what a person changed by hand', async () => {
    const document = documentOf({ rights: [reader(A), { ...writer(B), chap: chapOf('one') }] })
    const edits: ((fake: FakeConfigfs) => Promise<unknown>)[] = [
      ({ host }) => host.files.write(`${GROUP}/attrib/generate_node_acls`, '1'),
      ({ host }) => host.files.write(`${GROUP}/attrib/demo_mode_write_protect`, '0'),
      ({ host }) => host.files.write(`${GROUP}/attrib/authentication`, '0'),
      ({ host }) => host.files.write(`${GROUP}/acls/${B}/attrib/authentication`, '0'),
      ({ host }) => host.files.write(`${GROUP}/acls/${B}/auth/userid`, 'NULL'),
      ({ host }) => host.files.write(`${GROUP}/acls/${B}/auth/password`, 'guessed'),
      ({ host }) => host.files.write(`${GROUP}/acls/${B}/auth/userid_mutual`, 'x'),
      ({ host }) => host.files.write(`${GROUP}/acls/${A}/lun_0/write_protect`, '0'),
      ({ host }) => host.files.write(`${GROUP}/acls/${B}/lun_0/write_protect`, '1'),
      ({ host }) => host.files.write(`${GROUP}/enable`, '0'),
      ({ host }) => host.files.write(`${BACKSTORE}/attrib/emulate_write_cache`, '1'),
      ({ host }) => host.files.write(`${BACKSTORE}/attrib/emulate_tpu`, '0'),
      ({ host }) => host.files.makeDirectory(`${GROUP}/np/10.9.9.9:3260`),
      ({ host }) => host.files.removeDirectory(`${GROUP}/np/10.0.0.1:3260`),
      ({ host }) => host.files.makeDirectory(`${GROUP}/acls/iqn.2026-01.org.other:x`),
      ({ host }) => host.files.makeDirectory(`${GROUP}/lun/lun_1`),
      ({ host }) => host.files.makeDirectory(`/sys/kernel/config/target/iscsi/${TARGET}/tpgt_2/acls/${A}`),
      // The links of the ACLs stay, and lead nowhere.
      ({ host }) => host.files.removeFile(`${GROUP}/lun/lun_0/ashlar`),
      ({ host }) => host.files.removeFile(`${GROUP}/acls/${A}/lun_0/ashlar`),
      async ({ host }) => {
        await host.files.makeDirectory(`${GROUP}/acls/${A}/lun_1`)
        await host.files.link(`${GROUP}/acls/${A}/lun_1/other`, `${GROUP}/lun/lun_0`)
      },
    ]
    for (const edit of edits) {
      const { fake, target } = machine()
      await target.apply(document, op)
      const before = fake.dump()
      await edit(fake)
      assert.notDeepEqual(fake.dump(), before, 'the edit changed nothing')
      await target.apply(document, op)
      // Both mean the same: the kernel cannot forget a word otherwise.
      const lines = (all: string[]) =>
        all.filter(line => !/prod_mode_write_protect/.test(line)).map(line => line.replace(/NULL$/, ''))
      assert.deepEqual(lines(fake.dump()), lines(before), String(edit))
      assertNotTooWide(fake, document)
    }
  })

  it('loads the modules of a kernel that has none of it', async () => {
    const fake = fakeConfigfs({ loaded: false })
    fake.files.set(FILE, GIB)
    const target = lio.open(fake.host)
    assert.deepEqual(await target.list(op), [])
    await target.remove(TARGET, op)
    await target.revoke(TARGET, A, op)
    assert.deepEqual(fake.commands, [])
    await target.apply(documentOf(), op)
    assert.deepEqual(fake.commands, ['modprobe --all target_core_mod target_core_file iscsi_target_mod'])
  })

  for (const [what, wrong, message] of [
    [
      'another serial number',
      { serial: 'f'.repeat(32) },
      /"0123456789abcdef0123456789abcdef", that of the volume is f{32}/,
    ],
    [
      'another file',
      { backing: { path: '/pool/other', size: GIB } },
      /export \/pool\/other .*it shows \/pool\/volumes/,
    ],
    ['other sectors', { sectorSize: 512 }, /its sectors have 4096 bytes, those of the volume 512/],
    ['less than is shown', { backing: { path: FILE, size: MIB } }, /it shows 1073741824 bytes, the file has 1048576/],
  ] as const) {
    it(`refuses ${what}, and changes nothing`, async () => {
      const { fake, target } = machine()
      fake.files.set('/pool/other', GIB)
      await target.apply(documentOf(), op)
      const before = fake.dump()
      await assert.rejects(target.apply(documentOf(wrong), op), failure('failed-precondition', message))
      assert.deepEqual(fake.dump(), before)
      if (what !== 'another serial number' && what !== 'another file') return
      await fake.host.files.removeFile(`${GROUP}/acls/${A}/lun_0/ashlar`)
      await fake.host.files.removeFile(`${GROUP}/lun/lun_0/ashlar`)
      await assert.rejects(target.apply(documentOf(wrong), op), failure('failed-precondition', message))
    })
  }

  it('refuses a LUN that somebody pointed at another backstore, and shows where it leads', async () => {
    const { fake, target } = machine()
    const { files } = fake.host
    await target.apply(documentOf(), op)
    const foreign = `${CORE}/fileio_0/foreign`
    await files.makeDirectory(foreign)
    await files.write(`${foreign}/control`, 'fd_dev_name=/foreign,fd_dev_size=1073741824')
    await files.write(`${foreign}/enable`, '1')
    await files.removeFile(`${GROUP}/lun/lun_0/ashlar`)
    await files.link(`${GROUP}/lun/lun_0/x`, foreign)
    assert.equal((await target.find(TARGET, op))?.backing, '/foreign')
    await assert.rejects(target.apply(documentOf(), op), failure('failed-precondition', /it shows .*fileio_0\/foreign/))
    await target.remove(TARGET, op)
    assert.ok(await files.list(foreign))
  })

  it('never makes LIO create a file, and takes no names that could be anything else', async () => {
    const { fake, target } = machine()
    const refused: [Partial<ExportDocument>, 'not-found' | 'invalid-argument'][] = [
      [{ backing: { path: '/pool/none', size: GIB } }, 'not-found'],
      [{ backing: { path: FILE, size: 2n * GIB } }, 'not-found'],
      [{ backing: { path: `${FILE},fd_buffered_io=1`, size: GIB } }, 'invalid-argument'],
      [{ backing: { path: `/${'x'.repeat(255)}`, size: GIB } }, 'invalid-argument'],
      [{ target: 'iqn.2003-01.org.linux-iscsi:foreign' }, 'invalid-argument'],
      [{ rights: [writer('../../../x')] }, 'invalid-argument'],
      [{ rights: [] }, 'invalid-argument'],
      [{ portals: ['../x:1'] }, 'invalid-argument'],
      [{ portals: [] }, 'invalid-argument'],
    ]
    for (const [rest, kind] of refused) await assert.rejects(target.apply(documentOf(rest), op), failure(kind))
    assert.deepEqual(fake.changes, [])
  })

  it('says what the kernel refuses', async () => {
    const { fake, target } = machine()
    fake.before = change => {
      if (change.includes('/np/')) throw Object.assign(new Error('EINVAL: invalid argument'), { code: 'EINVAL' })
    }
    await assert.rejects(target.apply(documentOf(), op), failure('unavailable', /listen at 10\.0\.0\.1:3260.*EINVAL/))
    fake.before = () => {
      throw Object.assign(new Error('EROFS: read-only'), { code: 'EROFS' })
    }
    await assert.rejects(target.apply(documentOf(), op), failure('failed-precondition', /run the controller as root/))
    assert.deepEqual(fake.open(TARGET), [])
  })

  it('believes the kernel and not its own calls', async () => {
    for (const lie of [
      'enable',
      'emulate_tpu',
      'write_protect',
      'userid',
      'password',
      'block_size',
      'demo_mode_discovery',
    ]) {
      const { fake } = machine()
      const { files } = fake.host
      const write: typeof files.write = async (path, content) => {
        if (!path.endsWith(`/${lie}`) || path === `${BACKSTORE}/enable`) await files.write(path, content)
      }
      const target = lio.open({ ...fake.host, files: { ...files, write } })
      const rights = [{ ...reader(A), chap: chapOf('one') }, writer(B)]
      const first = target.apply(documentOf({ rights }), op)
      // A new mapping has the right access without any write.
      if (lie === 'write_protect') await first
      else await assert.rejects(first, failure('internal'), lie)
    }
  })
})

describe('lio: revoke', () => {
  it('takes one right and leaves the others, with their sessions', async () => {
    const { fake, target } = machine()
    await target.apply(documentOf({ rights: [reader(A), reader(B)] }), op)
    assert.ok(fake.login(TARGET, A) && fake.login(TARGET, B))
    await target.revoke(TARGET, A, op)
    assert.equal(fake.login(TARGET, A), false)
    assert.deepEqual((await target.find(TARGET, op))?.initiators, [{ name: B, readonly: true, sessions: 1 }])
    await target.revoke(TARGET, A, op)
    await target.revoke(TARGET, B, op)
    assert.deepEqual((await target.find(TARGET, op))?.initiators, [])
    assert.deepEqual(fake.open(TARGET), [])
  })

  it('does so after a kill at whichever change', async () => {
    for (let n = 0; ; n += 1) {
      const { fake, target } = machine()
      await target.apply(documentOf({ rights: [writer(A)] }), op)
      fake.login(TARGET, A)
      const isEnd = !(await isKilled(fake, n, () => target.revoke(TARGET, A, op)))
      await target.revoke(TARGET, A, op)
      assert.equal(fake.login(TARGET, A), false)
      assert.equal(fake.sessions(TARGET), 0)
      assert.deepEqual((await target.find(TARGET, op))?.initiators, [])
      if (isEnd) break
    }
  })
})

describe('lio: remove', () => {
  it('leaves nothing, also of what a kill left of the making and of the removal', async () => {
    const nothing = machine()
    const document = documentOf({ rights: [MUTUAL, { ...reader(B), chap: chapOf('two') }] })
    await nothing.fake.host.files.makeDirectory('/sys/kernel/config/target/iscsi')
    await nothing.fake.host.files.makeDirectory(`${CORE}/fileio_1095977042`)
    for (let n = 0; ; n += 1) {
      const { fake, target } = machine()
      const isMade = !(await isKilled(fake, n, () => target.apply(document, op)))
      if (n > 0 && fake.changes.some(change => change.includes(ID))) {
        assert.deepEqual(
          (await target.list(op)).map(each => each.target),
          [TARGET],
          fake.changes.at(-1),
        )
      }
      await target.remove(TARGET, op)
      assert.deepEqual(
        fake.dump().filter(line => line.includes(ID)),
        [],
      )
      assert.equal(await target.find(TARGET, op), undefined)
      assert.deepEqual(await target.list(op), [])
      if (isMade) break
    }
    for (let n = 0; ; n += 1) {
      const { fake, target } = machine()
      await target.apply(document, op)
      fake.login(TARGET, A)
      const isEnd = !(await isKilled(fake, n, () => target.remove(TARGET, op)))
      if (n > 0) assert.deepEqual(fake.open(TARGET), [])
      // Both what goes on with the removal and what wants the export back.
      if (n % 2 === 0) {
        await target.apply(document, op)
        await assertExported(fake, target, document)
      }
      await target.remove(TARGET, op)
      assert.deepEqual(fake.dump(), nothing.fake.dump())
      if (isEnd) break
    }
  })

  it('waits while the kernel is busy, but not for ever', async () => {
    const { fake, target } = machine()
    await target.apply(documentOf(), op)
    let refusals = 3
    fake.before = change => {
      if (change.startsWith('rmdir') && refusals-- > 0)
        throw Object.assign(new Error('EBUSY: resource busy'), { code: 'EBUSY' })
    }
    await target.remove(TARGET, op)
    assert.equal(await target.find(TARGET, op), undefined)
    const stop = new AbortController()
    await target.apply(documentOf(), op)
    fake.before = change => {
      if (!change.startsWith('rmdir')) return
      stop.abort()
      throw Object.assign(new Error('EBUSY: resource busy'), { code: 'EBUSY' })
    }
    await assert.rejects(target.remove(TARGET, testOp(stop.signal)), failure('cancelled'))
    assert.deepEqual(fake.open(TARGET), [])
  })
})

describe('lio: grow', () => {
  it('shows more of the same file, and of no other', async () => {
    const { fake, target } = machine()
    await target.apply(documentOf(), op)
    const larger = { path: FILE, size: 2n * GIB }
    await assert.rejects(target.grow(TARGET, larger, op), failure('not-found'))
    fake.files.set(FILE, 2n * GIB)
    await target.grow(TARGET, larger, op)
    assert.equal((await target.find(TARGET, op))?.size, 2n * GIB)
    await target.apply(documentOf({ backing: larger }), op)
    await target.grow(TARGET, { path: FILE, size: GIB }, op)
    assert.equal((await target.find(TARGET, op))?.size, 2n * GIB)
    fake.files.set('/pool/other', 4n * GIB)
    await assert.rejects(
      target.grow(TARGET, { path: '/pool/other', size: 4n * GIB }, op),
      failure('failed-precondition', /it shows \/pool\/volumes/),
    )
  })

  it('is done by apply too', async () => {
    const { fake, target } = machine()
    await target.apply(documentOf(), op)
    fake.files.set(FILE, 2n * GIB)
    const document = documentOf({ backing: { path: FILE, size: 2n * GIB } })
    await target.apply(document, op)
    await assertExported(fake, target, document)
  })
})

describe('lio: what others made', () => {
  it('is neither listed nor touched', async () => {
    const { fake, target } = machine()
    const { files } = fake.host
    const foreign = '/sys/kernel/config/target/iscsi/iqn.2003-01.org.linux-iscsi.host:sn.1'
    await files.makeDirectory(`${foreign}/tpgt_1/acls/${A}`)
    await files.makeDirectory(`${CORE}/fileio_0/${ID}`)
    await files.makeDirectory(`${CORE}/fileio_1095977042/disk`)
    const before = fake.dump()
    assert.deepEqual(await target.list(op), [])
    await target.apply(documentOf(), op)
    assert.deepEqual(
      (await target.list(op)).map(shown => shown.target),
      [TARGET],
    )
    await target.remove(TARGET, op)
    assert.deepEqual(fake.dump(), before)
    await assert.rejects(target.remove('iqn.2003-01.org.linux-iscsi.host:sn.1', op), failure('invalid-argument'))
    assert.deepEqual(fake.dump(), before)
  })
})

describe('lio: any history of kills', () => {
  it('ends in the last document', async () => {
    const step = fc.record({
      document: fc.constantFrom(...Object.values(DOCUMENTS)),
      verb: fc.constantFrom('apply' as const, 'apply' as const, 'revoke' as const, 'remove' as const),
      kill: fc.nat({ max: 45 }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(...Object.values(DOCUMENTS)),
        async (steps, last) => {
          const { fake, target } = machine()
          for (const { document, verb, kill } of steps) {
            await isKilled(fake, kill, async () => {
              if (verb === 'apply') await target.apply(document, op)
              if (verb === 'revoke') await target.revoke(TARGET, A, op)
              if (verb === 'remove') await target.remove(TARGET, op)
            })
          }
          await target.apply(last, op)
          await assertExported(fake, target, last)
        },
      ),
      { numRuns: 60 },
    )
  })
})
