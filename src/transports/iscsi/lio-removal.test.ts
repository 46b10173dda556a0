// The target of the kernel, on a configfs in memory: taking rights and exports away, growth, and what others made.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failure, GIB, testOp } from '../../../test/fixtures.ts'
import {
  A,
  assertExported,
  B,
  CORE,
  chapOf,
  documentOf,
  FILE,
  GROUP,
  ID,
  machine,
  op,
  reader,
  TARGET,
} from '../../../test/lio-fixtures.ts'
import type { Host } from '../../host/host.ts'
import { lio } from './lio.ts'

describe('lio: revoke', () => {
  it('leaves the sessions of the others alone', async () => {
    const { fake, target } = machine()
    await target.apply(documentOf({ rights: [reader(A), reader(B)] }), op)
    assert.ok(fake.login(TARGET, A) && fake.login(TARGET, B))
    await target.revoke(TARGET, A, op)
    assert.deepEqual((await target.find(TARGET, op))?.initiators, [{ name: B, readonly: true, sessions: 1 }])
  })
})

describe('lio: a login that was broken off', () => {
  it('keeps the right of nobody: its connection is closed while the kernel waits for it', async () => {
    const { fake, target } = machine()
    await target.apply(documentOf({ rights: [reader(A), reader(B)] }), op)
    const closed = Promise.withResolvers<void>()
    const host: Host = {
      ...fake.host,
      files: {
        ...fake.host.files,
        async removeDirectory(path) {
          if (path.endsWith(`/acls/${A}`)) await closed.promise
          await fake.host.files.removeDirectory(path)
        },
      },
      async run({ args }) {
        if (args.includes('--kill')) closed.resolve()
        return { code: 0, stdout: '0 0 10.0.0.1:3260 10.0.0.2:40001 cubic lastrcv:7000 rcv_space:1\n', stderr: '' }
      },
    }
    await lio.open(host).revoke(TARGET, A, op)
    assert.deepEqual((await target.find(TARGET, op))?.initiators, [{ name: B, readonly: true, sessions: 0 }])
  })
})

describe('lio: remove', () => {
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

describe('lio: a dead disk', () => {
  it('is noticed before anything is begun that would hang', async () => {
    const { fake, target } = machine()
    await target.apply(documentOf({ rights: [reader(A), reader(B)] }), op)
    assert.ok(fake.login(TARGET, A))
    fake.isDead = true
    const count = fake.changes.length
    for (const work of [
      () => target.revoke(TARGET, A, op),
      () => target.remove(TARGET, op),
      () => target.apply(documentOf({ rights: [reader(B)] }), op),
    ])
      await assert.rejects(work(), failure('unavailable', /the disk below it does not answer/))
    assert.deepEqual(fake.changes.slice(count), [])
    fake.isDead = false
    await target.revoke(TARGET, A, op)
    await target.remove(TARGET, op)
  })

  it('does not matter where no session is', async () => {
    const { fake, target } = machine()
    await target.apply(documentOf(), op)
    fake.isDead = true
    await target.revoke(TARGET, A, op)
    await target.remove(TARGET, op)
    assert.deepEqual(
      fake.commands.filter(command => command.startsWith('dd')),
      [],
    )
  })
})

describe('lio: sessions and secrets', () => {
  it('a writer that becomes a reader loses its session: it may have writes under way', async () => {
    const { fake, target } = machine()
    await target.apply(documentOf(), op)
    assert.ok(fake.login(TARGET, A))
    await target.apply(documentOf({ rights: [reader(A)] }), op)
    assert.equal(fake.sessions(TARGET), 0)
  })

  it('an export that lacks a mapping or a secret is not shown as enabled', async () => {
    const rights = [{ ...reader(A), chap: chapOf('one') }]
    for (const edit of ['mapping', 'secret']) {
      const { fake, target } = machine()
      await target.apply(documentOf({ rights }), op)
      assert.equal((await target.find(TARGET, op))?.enabled, true)
      if (edit === 'mapping') await fake.host.files.removeFile(`${GROUP}/acls/${A}/lun_0/ashlar`)
      else await fake.host.files.write(`${GROUP}/acls/${A}/auth/userid`, 'NULL')
      assert.equal((await target.find(TARGET, op))?.enabled, false, edit)
    }
  })

  it('nobody can log in while the only right is made anew, or all of it removed', async () => {
    const { fake, target } = machine()
    await target.apply(documentOf(), op)
    await fake.host.files.removeFile(`${GROUP}/acls/${A}/lun_0/ashlar`)
    for (const work of [() => target.apply(documentOf(), op), () => target.remove(TARGET, op)]) {
      const count = fake.changes.length
      await work()
      assert.equal(fake.changes[count], `write ${GROUP}/enable 0`)
    }
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
  it('is not removed by its name either', async () => {
    const { fake, target } = machine()
    const name = 'iqn.2003-01.org.linux-iscsi.host:sn.1'
    await fake.host.files.makeDirectory(`/sys/kernel/config/target/iscsi/${name}/tpgt_1/acls/${A}`)
    const before = fake.dump()
    await assert.rejects(target.remove(name, op), failure('invalid-argument'))
    assert.deepEqual(fake.dump(), before)
  })

  it('is not taken for a volume when it is a backstore elsewhere', async () => {
    const { fake, target } = machine()
    const { files } = fake.host
    await files.makeDirectory('/sys/kernel/config/target/iscsi')
    await files.makeDirectory(`${CORE}/fileio_0/${ID}`)
    await files.makeDirectory(`${CORE}/fileio_1095977042/disk`)
    const before = fake.dump()
    assert.deepEqual(await target.list(op), [])
    await target.apply(documentOf(), op)
    await target.remove(TARGET, op)
    assert.deepEqual(fake.dump(), before)
  })
})
