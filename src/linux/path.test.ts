// Tests of paths of workloads: nothing is followed, hidden or removed that is not ours, and tools that lie are not believed.
import assert from 'node:assert/strict'
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { failure, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { localHost } from '../host/local.ts'
import { Unavailable } from '../volume/errors.ts'
import {
  answersLookups,
  ensureDirectory,
  ensureFile,
  kindOf,
  ownershipOfEmptyRoot,
  probeWrites,
  removeMountPoint,
  requireEmpty,
  resolveParents,
} from './path.ts'

const op = testOp()
const host = localHost()

describe('resolving paths', () => {
  it('follows links above the last element and never the last one, existing or not', async t => {
    const folder = await temporaryFolder(t)
    await mkdir(join(folder, 'real'))
    await symlink(join(folder, 'real'), join(folder, 'link'))
    await symlink('/etc', join(folder, 'real', 'trap'))
    const asked = ['link/target', 'link/trap', 'link/not/there', 'real/x'].map(path => join(folder, path))
    const expected = ['real/target', 'real/trap', 'real/not/there', 'real/x'].map(path => join(folder, path))
    assert.deepEqual(await resolveParents(host, asked, op), expected)
  })

  it('believes one absolute line for each path and nothing else', async () => {
    const answers = ['', '\n', '/a\n', '/a/b', 'a\n/b\n', '/a\n/b\n/c\n', 'realpath: no\n/a\n', '/a\n\n']
    for (const stdout of answers) {
      const lying = fakeHost([{ run: 'realpath --canonicalize-missing -- /x /y', stdout }])
      await assert.rejects(resolveParents(lying, ['/x/1', '/y/2'], op), failure('internal'), JSON.stringify(stdout))
    }
  })
})

describe('an empty folder', () => {
  const FIND = 'find /m -mindepth 1 -maxdepth 1 -print -quit'

  it('is required without looking deeper or following, and what is in it is named', async t => {
    const folder = await temporaryFolder(t)
    await requireEmpty(host, folder, op)
    for (const make of [
      (path: string) => writeFile(path, ''),
      (path: string) => mkdir(path),
      (path: string) => symlink('/nowhere', path),
    ]) {
      const inside = await temporaryFolder(t)
      await make(join(inside, '.hidden'))
      await assert.rejects(requireEmpty(host, inside, op), failure('failed-precondition', /not empty.*\.hidden/))
      assert.deepEqual(await readdir(inside), ['.hidden'])
    }
  })

  it('is not taken from a find that fails, or that prints what cannot be there', async () => {
    await assert.rejects(requireEmpty(fakeHost([{ run: FIND, code: 1, stderr: 'EIO' }]), '/m', op))
    for (const stdout of ['garbage\n', '/other/file\n', '/m\n', '/mm/x\n'])
      await assert.rejects(requireEmpty(fakeHost([{ run: FIND, stdout }]), '/m', op), failure('internal'), stdout)
    const answers = fakeHost([{ run: FIND, stdout: '/m/x\n' }])
    await assert.rejects(requireEmpty(answers, '/m', op), failure('failed-precondition', /there is \/m\/x/))
    assert.equal(answers.commands[0]?.onAbort, 'kill')
  })
})

describe('the owner of the root of a filesystem', () => {
  it('is told while there is nothing but lost+found, in octal without zeros in front', async t => {
    const folder = await temporaryFolder(t)
    await mkdir(join(folder, 'lost+found'))
    const { uid, gid, mode } = (await ownershipOfEmptyRoot(host, folder, op)) ?? {}
    assert.deepEqual([uid, gid, mode], [String(process.getuid?.()), String(process.getgid?.()), '700'])
    await writeFile(join(folder, 'file'), '')
    assert.equal(await ownershipOfEmptyRoot(host, folder, op), undefined)
  })

  it('is not guessed from what a tool cannot have printed', async () => {
    const find = { run: /^find \/m / }
    for (const stdout of ['', '\n', '0 0\n', '0 0 755', 'a b c\n', '0 0 888\n', '0 0 755\n0 0 755\n', '-1 0 755\n']) {
      const lying = fakeHost([find, { run: 'stat --format %u %g %a -- /m', stdout }])
      await assert.rejects(ownershipOfEmptyRoot(lying, '/m', op), failure('internal'), JSON.stringify(stdout))
    }
    const garbage = fakeHost([{ run: /^find/, stdout: 'segmentation fault\n' }])
    await assert.rejects(ownershipOfEmptyRoot(garbage, '/m', op), failure('internal'))
  })
})

describe('asking whether a filesystem takes writes', () => {
  const RMDIR = /^rmdir -- \/m\/ashlar-asks-[a-z-]{244}$/
  const ask = (answer: object) => probeWrites(fakeHost([{ run: RMDIR, ...answer }]), '/m', op)

  it('tries what can never succeed: a name that nothing can have', async t => {
    const folder = await temporaryFolder(t)
    assert.equal(await probeWrites(host, folder, op), 'writable')
    const name = /[^/]+$/.exec(await spokenBy(folder))?.[0] ?? ''
    assert.ok(Buffer.byteLength(name) > 255)
    await assert.rejects(mkdir(join(folder, name)), { code: 'ENAMETOOLONG' })
  })

  it('understands "read-only", and takes no other refusal for it', async () => {
    assert.equal(await ask({ code: 1, stderr: 'rmdir: failed to remove: Read-only file system' }), 'read-only')
    assert.equal(await ask({ code: 1, stderr: 'rmdir: failed to remove: File name too long' }), 'writable')
  })

  it('is an error when nothing answers, or when the tool says that it removed it', async () => {
    const hanging = ask({
      effect: () => {
        throw new Unavailable({ asked: 'rmdir', found: 'no answer', next: '' })
      },
    })
    await assert.rejects(hanging, failure('unavailable', /frozen/))
    await assert.rejects(ask({ code: 0 }), failure('unavailable'))
  })

  async function spokenBy(folder: string): Promise<string> {
    const recording = fakeHost([{ run: /^rmdir/, code: 1 }])
    await probeWrites(recording, folder, op)
    assert.ok((recording.commands[0]?.timeoutMs ?? Infinity) <= 3_000)
    assert.equal(recording.commands[0]?.onAbort, 'kill')
    return recording.said[0] ?? ''
  }
})

it('a filesystem that was shut down is told by the look-up of a name that nobody has, another each time', async t => {
  assert.equal(await answersLookups(host, await temporaryFolder(t), op), true)
  const ask = { run: /^stat --format %F -- \/m\/[0-9a-f-]{36}$/, code: 1 }
  const shut = fakeHost([
    { ...ask, stderr: "stat: cannot statx '/m/x': Input/output error" },
    { ...ask, stderr: "stat: cannot statx '/m/x': No such file or directory" },
  ])
  assert.deepEqual([await answersLookups(shut, '/m', op), await answersLookups(shut, '/m', op)], [false, true])
  assert.notEqual(shut.said[0], shut.said[1])
  assert.equal(shut.commands[0]?.onAbort, 'kill')
})

describe('mount points', () => {
  it('are made, left and removed as what they should be; a link is never followed', async t => {
    const folder = await temporaryFolder(t)
    const [directory, file, link] = ['d', 'f', 'l'].map(name => join(folder, name)) as [string, string, string]
    await symlink('/etc', link)
    for (const path of [directory, directory]) await ensureDirectory(host, path, op)
    for (const path of [file, file]) await ensureFile(host, path, op)
    assert.deepEqual([await kindOf(host, directory, op), await kindOf(host, file, op)], ['directory', 'file'])
    for (const ensure of [ensureDirectory, ensureFile])
      await assert.rejects(ensure(host, link, op), failure('invalid-argument'))
    await assert.rejects(ensureFile(host, directory, op), failure('invalid-argument', /not a file/))
    await assert.rejects(removeMountPoint(host, link, op), failure('failed-precondition'))
    await writeFile(join(directory, 'somebody’s'), '')
    await assert.rejects(removeMountPoint(host, directory, op), failure('failed-precondition', /not empty/i))
    await removeMountPoint(host, file, op)
    await removeMountPoint(host, file, op)
    assert.deepEqual((await readdir(folder)).sort(), ['d', 'l'])
  })

  it('that are reported made or removed, and are not, are an error', async () => {
    const stat = (stdout: string) => ({ run: 'stat --format %F -- /m', stdout })
    const absent = { run: 'stat --format %F -- /m', code: 1, stderr: 'No such file or directory' }
    const unmade = fakeHost([absent, { run: /^mkdir/ }, absent])
    await assert.rejects(ensureDirectory(unmade, '/m', op), failure('internal'))
    const stays = fakeHost([stat('directory\n'), { run: 'rmdir -- /m' }, stat('directory\n')])
    await assert.rejects(removeMountPoint(stays, '/m', op), failure('internal'))
  })

  it('that cannot be looked at are not absent', async () => {
    for (const stderr of ['Input/output error', 'Stale file handle', 'Permission denied', ''])
      await assert.rejects(kindOf(fakeHost([{ run: /^stat/, code: 1, stderr }]), '/m', op), failure('unavailable'))
    await assert.rejects(kindOf(fakeHost([{ run: /^stat/ }]), '/m', op), failure('internal'))
  })
})
