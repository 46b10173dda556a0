// Runs in a guest: the target of its kernel, driven through configfs, with initiators of the same machine.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { lunOf, nodeTargetName } from '../../src/transports/iscsi/names.ts'
import type { Chap, ExportDocument, UnitDocument } from '../../src/transports/iscsi/target.ts'
import { Secret } from '../../src/volume/secret.ts'
import { failure, MIB } from '../fixtures.ts'
import { waitUntil } from '../patience.ts'
import { again } from './again.ts'
import { beginLogin } from './iscsi-login.ts'
import {
  A,
  B,
  CONFIG,
  FOLDER,
  HBA,
  host,
  isKilled,
  nodes,
  op,
  read,
  reader,
  run,
  target,
  tree,
  volume,
  writer,
} from './lio-bench.ts'
import { diskOf, iscsiadm, login, logout, PORTAL, write } from './lio-initiator.ts'

/** Exports at the same time: enough for eight at once to meet each other. */
const MANY = 40

const tests: Record<string, () => Promise<void>> = {
  async 'loads what it needs, exports a volume with its identity, and leaves nothing'() {
    const document = volume(1)
    assert.equal(await host.files.list(CONFIG), undefined)
    assert.deepEqual(await target.list(op), [])
    await target.apply(document, op)
    await target.apply(document, op)
    assert.equal(login(document, A), 0)
    const disk = diskOf(document)
    const at = `/sys/block/${disk}`
    assert.equal(read(`${at}/device/wwid`), `naa.6001405${document.serial.slice(0, 25)}`)
    assert.ok(readFileSync(`${at}/device/vpd_pg80`, 'latin1').includes(document.serial))
    assert.equal(read(`${at}/queue/logical_block_size`), '4096')
    assert.equal(BigInt(read(`${at}/size`)) * 512n, document.backing.size)
    assert.equal(read(`${at}/ro`), '0')
    assert.equal(read(`${at}/queue/write_cache`), 'write through')
    run('mkfs.ext4', '-q', '-E', 'nodiscard', `/dev/${disk}`)
    const before = statSync(document.backing.path).blocks
    assert.ok(before > 0)
    run('blkdiscard', '--force', `/dev/${disk}`)
    assert.ok(statSync(document.backing.path).blocks < before, 'a discard gives nothing back')
    const shown = await target.find(document.target, op)
    assert.deepEqual(shown?.initiators, [{ name: A, readonly: false, sessions: 1 }])
    assert.deepEqual(await target.list(op), [shown])
    assert.equal(shown.enabled, true)
    await again(() => target.remove(document.target, op))
    assert.equal(await target.find(document.target, op), undefined)
    logout(document)
    assert.ok(!tree().includes('vol-p'))
  },

  async 'lets in who is listed, and tells nobody else'() {
    const document = volume(2)
    await target.apply(document, op)
    assert.equal(login(document, B), 24)
    assert.equal(iscsiadm('discovery', '-t', 'st', '-p', PORTAL), 21)
    assert.equal(login(document, A), 0)
    // One more reader beside a writer: sessions of the others go on.
    await target.apply({ ...document, rights: [writer(A), reader(B)] }, op)
    assert.equal((await target.find(document.target, op))?.initiators[0]?.sessions, 1)
    assert.equal(write(diskOf(document), 'count=1'), 0)
    logout(document)
    await target.remove(document.target, op)
  },

  async 'takes CHAP secrets, one-way and mutual'() {
    const one = (name: string) => ({ user: `user-${name}`, password: new Secret(`secret-of-${name}-0123`) })
    const mutual = { ...one('a'), mutual: one('target') }
    const document = volume(3, 64n * MIB, [writer(A, one('a'))])
    await target.apply(document, op)
    const cases: [string, Chap | undefined, number][] = [
      ['none', undefined, 24],
      ['wrong', { ...one('a'), password: new Secret('wrong-wrong-wrong') }, 24],
      ['right', one('a'), 0],
    ]
    for (const [what, chap, code] of cases) {
      assert.equal(login(document, A, chap), code, what)
      logout(document)
    }
    await target.apply({ ...document, rights: [writer(A, mutual)] }, op)
    const wrongTarget = { ...mutual, mutual: { ...one('target'), password: new Secret('wrong-wrong-wrong') } }
    assert.equal(login(document, A, wrongTarget), 19)
    logout(document)
    assert.equal(login(document, A, mutual), 0)
    logout(document)
    await target.apply({ ...document, rights: [writer(A)] }, op)
    assert.equal(login(document, A), 0)
    logout(document)
    await target.remove(document.target, op)
  },

  async 'enforces a read-only right, also against an initiator that had more'() {
    const document = volume(4, 64n * MIB, [reader(A)])
    await target.apply(document, op)
    assert.equal(login(document, A), 0)
    const disk = diskOf(document)
    assert.equal(read(`/sys/block/${disk}/ro`), '1')
    run('blockdev', '--setrw', `/dev/${disk}`)
    assert.notEqual(write(disk, 'count=1'), 0)
    logout(document)
    await target.apply({ ...document, rights: [writer(A)] }, op)
    assert.equal(login(document, A), 0)
    assert.equal(write(diskOf(document), 'count=1'), 0)
    await again(() => target.apply(document, op))
    assert.equal((await target.find(document.target, op))?.initiators[0]?.readonly, true)
    logout(document)
    await target.remove(document.target, op)
  },

  async 'is completed after a stop before a change, and so is its removal'() {
    const document = volume(5, 64n * MIB, [
      reader(A),
      writer(B, { user: 'b', password: new Secret('secret-of-b-0123') }),
    ])
    const clean = tree()
    let stops = 0
    // Not each of them: an emulated processor takes two seconds for one.
    for (let n = 0; await isKilled(n, on => on.apply(document, op)); n += n < 20 ? 4 : 2) {
      stops += 1
      assert.notEqual((await target.find(document.target, op))?.enabled, true)
      if (n % 8 !== 0) await target.apply(document, op)
      await target.remove(document.target, op)
      assert.equal(tree(), clean)
    }
    await target.apply(document, op)
    for (let n = 0; await isKilled(n, on => on.remove(document.target, op)); n += 3) {
      stops += 1
      await target.apply(document, op)
    }
    assert.equal(tree(), clean)
    console.log(`${stops} stops`)
  },

  async 'ends the session of a writer, and none of its writes comes after'() {
    for (const [what, rights] of [
      ['the only one', [writer(A)]],
      ['one of two', [writer(A), writer(B)]],
      ['one whose cable is cut', [writer(A)]],
    ] as const) {
      const document = volume(6, 64n * MIB, rights)
      await target.apply(document, op)
      assert.equal(login(document, A), 0)
      const disk = diskOf(document)
      const load = spawn('dd', ['if=/dev/urandom', `of=/dev/${disk}`, 'bs=4096', 'oflag=direct'], { stdio: 'ignore' })
      const ended = new Promise(resolve => load.once('exit', resolve))
      await waitUntil('writes', () => statSync(document.backing.path).blocks > 0)
      if (what.includes('cut')) run('ip', 'link', 'set', 'lo', 'down')
      const started = performance.now()
      await again(() => target.revoke(document.target, A, op))
      const [ms, state] = [performance.now() - started, run('sha256sum', document.backing.path)]
      if (what.includes('cut')) run('ip', 'link', 'set', 'lo', 'up')
      assert.ok(!(await target.find(document.target, op))?.initiators.some(({ name }) => name === A))
      await sleep(3000)
      assert.equal(run('sha256sum', document.backing.path), state, `${what}: a write came after`)
      await target.revoke(document.target, A, op)
      logout(document)
      await ended
      await target.remove(document.target, op)
      console.log(`revoked from ${what} in ${Math.round(ms)} ms`)
    }
  },

  async 'takes a LUN of a node away from a writer, and another writer in the same session goes on'() {
    const name = nodeTargetName('p', A)
    const unit = (n: number): UnitDocument => {
      const document = volume(n)
      const id = document.target.slice(document.target.indexOf('vol-'))
      return { ...document, id, target: name, lun: lunOf(id, 'n') }
    }
    const [one, two] = [unit(20), unit(21)]
    for (const each of [one, two]) await nodes.add(each, op)
    assert.notEqual(login(one, A), 0, 'it is not open yet')
    await nodes.open(name, op)
    assert.equal(login(one, A), 0)
    const [first, second] = [diskOf(one, one.lun), diskOf(two, two.lun)]
    const writers = [first, second].map(disk => {
      const load = spawn('dd', ['if=/dev/urandom', `of=/dev/${disk}`, 'bs=4096', 'oflag=direct'], { stdio: 'ignore' })
      return { load, ended: new Promise<number | null>(resolve => load.once('exit', resolve)) }
    })
    for (const { backing } of [one, two]) await waitUntil('writes', () => statSync(backing.path).blocks > 0)
    for (const isCut of [false, true]) {
      const [taken, disk] = isCut ? [two, second] : [one, first]
      if (isCut) run('ip', 'link', 'set', 'lo', 'down')
      assert.ok(statSync(taken.backing.path).blocks > 0)
      const started = performance.now()
      if (isCut) await nodes.add(unit(22), op)
      await again(() => nodes.take(name, taken.id, op))
      const [ms, state] = [performance.now() - started, run('sha256sum', taken.backing.path)]
      const going = isCut ? undefined : statSync(two.backing.path).mtimeMs
      await sleep(1000)
      if (isCut) run('ip', 'link', 'set', 'lo', 'up')
      await sleep(3000)
      assert.equal(run('sha256sum', taken.backing.path), state, 'a write came after')
      if (going !== undefined) {
        await waitUntil('the other writer goes on', () => statSync(two.backing.path).mtimeMs > going)
        assert.equal(writers[1]?.load.exitCode, null, 'the other writer met an error')
      }
      assert.equal(await writers[isCut ? 1 : 0]?.ended, 1, 'the writer met no error')
      assert.equal(run('sh', '-c', 'ls /sys/class/iscsi_session | wc -l'), '1')
      // Not by way of what the kernel remembers: it asks, and there is no such unit.
      writeFileSync(`/sys/block/${disk}/device/rescan`, '1')
      assert.equal(read(`/sys/block/${disk}/size`), '0')
      console.log(`took a LUN away, ${isCut ? 'cable cut' : 'alive'}, in ${Math.round(ms)} ms`)
    }
    await again(() => nodes.take(name, unit(22).id, op))
    logout(one)
    for (const n of [20, 21, 22]) await target.remove(volume(n).target, op)
    assert.ok(!/vol-|node-/.test(tree()))
  },

  async 'lets no login through that began before the right was taken away'() {
    for (const rights of [[writer(A)], [writer(A), writer(B)]]) {
      const document = volume(9, 64n * MIB, rights)
      await target.apply(document, op)
      const half = await beginLogin(3260, A, document.target)
      const started = performance.now()
      await again(() => target.revoke(document.target, A, op))
      console.log(`revoked beside half a login in ${Math.round(performance.now() - started)} ms`)
      assert.equal(await half.finish(), false)
      const left = (await target.find(document.target, op))?.initiators ?? []
      assert.deepEqual(
        left.map(({ name, sessions }) => [name, sessions]),
        rights.length > 1 ? [[B, 0]] : [],
      )
      await target.remove(document.target, op)
    }
  },

  async 'grows under a session'() {
    const document = volume(7)
    await target.apply(document, op)
    assert.equal(login(document, A), 0)
    const disk = diskOf(document)
    const size = 128n * MIB
    await assert.rejects(target.grow(document.target, { ...document.backing, size }, op), failure('not-found'))
    truncateSync(document.backing.path, Number(size))
    await target.grow(document.target, { ...document.backing, size }, op)
    assert.equal((await target.find(document.target, op))?.size, size)
    writeFileSync(`/sys/block/${disk}/device/rescan`, '1')
    assert.equal(BigInt(read(`/sys/block/${disk}/size`)) * 512n, size)
    assert.equal(write(disk, 'seek=32767', 'count=1'), 0)
    assert.equal(statSync(document.backing.path).size, Number(size))
    logout(document)
    await target.remove(document.target, op)
  },

  async 'makes and removes many, side by side, and leaves alone what others made'() {
    const [core, foreign] = [`${CONFIG}/core/fileio_0/theirs`, `${CONFIG}/iscsi/iqn.2003-01.org.linux-iscsi.host:sn.1`]
    for (const path of [core, `${foreign}/tpgt_1/lun/lun_0`, `${foreign}/tpgt_1/acls/${A}`])
      mkdirSync(path, { recursive: true })
    writeFileSync(join(FOLDER, 'theirs'), '')
    writeFileSync(`${core}/control`, `fd_dev_name=${join(FOLDER, 'theirs')},fd_dev_size=1048576`)
    writeFileSync(`${core}/enable`, '1')
    run('ln', '-s', core, `${foreign}/tpgt_1/lun/lun_0/x`)
    const before = tree()
    const documents = Array.from({ length: MANY }, (_, n) => volume(100 + n, MIB))
    const timed = async (what: string, work: () => Promise<unknown>) => {
      const started = performance.now()
      await work()
      console.log(`${MANY} exports ${what}: ${Math.round(performance.now() - started)} ms`)
    }
    const all = async (verb: (document: ExportDocument) => Promise<void>) => {
      const left = [...documents]
      const next = async () => {
        for (let each = left.pop(); each; each = left.pop()) await verb(each)
      }
      await Promise.all(Array.from({ length: 8 }, next))
    }
    await timed('made', () => all(each => target.apply(each, op)))
    await timed('found as they should be', () => all(each => target.apply(each, op)))
    await timed('listed', async () => assert.equal((await target.list(op)).length, MANY))
    await timed('removed', () => all(each => target.remove(each.target, op)))
    assert.equal(tree(), before)
    assert.deepEqual(await target.list(op), [])
    const [document = volume(99)] = documents
    await host.files.makeDirectory(`${HBA}/${document.serial}`)
    assert.deepEqual(await target.list(op), [])
    await host.files.removeDirectory(`${HBA}/${document.serial}`)
  },

  async 'says so when something else listens at a portal'() {
    const other = spawn(process.execPath, [
      '-e',
      "require('node:net').createServer().listen(3333, '127.0.0.1', () => console.log())",
    ])
    await new Promise(resolve => other.stdout.once('data', resolve))
    const document = { ...volume(8), portals: ['127.0.0.1:3333'] }
    await assert.rejects(target.apply(document, op), failure('unavailable', /listen at 127\.0\.0\.1:3333/))
    assert.equal((await target.find(document.target, op))?.enabled, false)
    other.kill()
    await target.remove(document.target, op)
  },
}

mkdirSync(FOLDER, { recursive: true })
for (const [name, test] of Object.entries(tests)) {
  if (!new RegExp(process.argv[2] ?? '').test(name)) continue
  const started = performance.now()
  await test()
  console.log(`ok: ${name} (${Math.round(performance.now() - started)} ms)`)
}
