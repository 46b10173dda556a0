// The target of the kernel, on a configfs in memory: what it makes, refuses, heals and leaves alone.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type FakeConfigfs, fakeConfigfs } from '../../../test/fake-configfs.ts'
import { failure, GIB, MIB } from '../../../test/fixtures.ts'
import {
  A,
  assertExported,
  assertNotTooWide,
  B,
  BACKSTORE,
  CORE,
  chapOf,
  DOCUMENTS,
  documentOf,
  FILE,
  GROUP,
  machine,
  op,
  reader,
  TARGET,
  writer,
} from '../../../test/lio-fixtures.ts'
import { lio } from './lio.ts'
import type { ExportDocument } from './target.ts'

describe('lio: apply', () => {
  it('makes what each document says as the kernel has it, and names no secret', async () => {
    for (const document of Object.values(DOCUMENTS)) {
      const { fake, target } = machine()
      await target.apply(document, op)
      await assertExported(fake, target, document)
      assert.ok(fake.changes.every(change => !/secret/.test(change)))
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
    assert.deepEqual(fake.commands, ['modprobe -- target_core_mod', 'modprobe -- iscsi_target_mod'])
  })

  for (const [what, wrong, message] of [
    ['other sectors', { sectorSize: 512 }, /its sectors have 4096 bytes, those of the volume 512/],
    ['less than is shown', { backing: { path: FILE, size: MIB } }, /it shows 1073741824 bytes, the file has 1048576/],
  ] as const) {
    it(`refuses ${what}, and changes nothing`, async () => {
      const { fake, target } = machine()
      await target.apply(documentOf(), op)
      const before = fake.dump()
      await assert.rejects(target.apply(documentOf(wrong), op), failure('failed-precondition', message))
      assert.deepEqual(fake.dump(), before)
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
