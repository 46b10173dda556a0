// What files of a machine must do, wherever the machine is: run for this one, and for one behind ssh.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import type { HostFiles } from '../../src/host/host.ts'
import { Secret } from '../../src/volume/secret.ts'

/** Names that a shell, a tool or a parser could stumble over. */
const NAMES = ['-rf', `a b'"$(id)\`id\`*?~!`, 'new\nline\ttab\r\\n\\', 'ä€😀: File exists']

/** Not below TMPDIR of a test of loop devices: files are looked at from outside too. */
async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-files-'))
  t.after(() => rm(folder, { recursive: true }))
  return folder
}

/** By what the files do; each file of tests names them itself, so that its results are its own. */
export function hostFilesContract(files: HostFiles): Readonly<Record<string, (t: TestContext) => Promise<void>>> {
  return {
    async 'are created once, whole, for us alone, and leave no draft'(t) {
      const folder = await folderOf(t)
      const path = join(folder, 'file')
      const contents = Array.from({ length: 8 }, (_, n) => `${n} `.repeat(20_000))
      const won = await Promise.all(contents.map(content => files.createExclusive(path, content)))
      assert.equal(won.filter(Boolean).length, 1)
      assert.equal(await readFile(path, 'utf8'), contents[won.indexOf(true)])
      assert.equal((await stat(path)).mode & 0o777, 0o600)
      await symlink(join(folder, 'elsewhere'), join(folder, 'link'))
      assert.equal(await files.createExclusive(join(folder, 'link'), 'x'), false)
      assert.deepEqual((await readdir(folder)).sort(), ['file', 'link'])
      await assert.rejects(files.createExclusive(join(folder, 'absent', 'file'), 'x'), { code: 'ENOENT' })
      await assert.rejects(files.createExclusive(join(path, 'file'), 'x'), { code: 'ENOTDIR' })
    },

    async 'are replaced whole, or stay'(t) {
      const folder = await folderOf(t)
      const path = join(folder, 'file')
      for (const content of ['', 'old', 'younger\n', '\0\u00ff€']) {
        await files.replace(path, content)
        assert.equal(await files.read(path), content)
      }
      assert.equal((await stat(path)).mode & 0o777, 0o600)
      await mkdir(join(folder, 'directory'))
      await assert.rejects(files.replace(join(folder, 'directory'), 'x'), { code: 'EISDIR' })
      await assert.rejects(files.replace(join(folder, 'absent', 'file'), 'x'), { code: 'ENOENT' })
      assert.deepEqual((await readdir(folder)).sort(), ['directory', 'file'])
    },

    async 'are written in place only where they are, and not cut'(t) {
      const folder = await folderOf(t)
      const path = join(folder, 'file')
      await assert.rejects(files.write(path, 'x'), { code: 'ENOENT' })
      await writeFile(path, '12345')
      await files.write(path, 'ab')
      assert.equal(await readFile(path, 'utf8'), 'ab345')
      await files.write(path, new Secret('secret'))
      assert.equal(await readFile(path, 'utf8'), 'secret')
      await assert.rejects(files.write(folder, 'x'), { code: 'EISDIR' })
    },

    async 'are read as they are, and undefined when absent'(t) {
      const folder = await folderOf(t)
      const path = join(folder, 'file')
      await writeFile(path, 'line\n\n')
      assert.equal(await files.read(path), 'line\n\n')
      for (const absent of [join(folder, 'absent'), join(path, 'below-a-file')]) {
        assert.deepEqual(await Promise.all([files.read(absent), files.list(absent), files.facts(absent)]), [
          undefined,
          undefined,
          undefined,
        ])
        assert.equal(await files.readLink(absent), undefined)
        await files.removeFile(absent)
        await files.removeDirectory(absent)
      }
      assert.equal(await files.list(path), undefined)
      await assert.rejects(files.read(folder), { code: 'EISDIR' })
      await assert.rejects(files.readLink(path), { code: 'EINVAL' })
      await assert.rejects(files.space(join(folder, 'absent')), { code: 'ENOENT' })
      assert.match((await files.read('/proc/self/status')) ?? '', /^Name:/)
    },

    async 'show their facts, links not followed'(t) {
      const folder = await folderOf(t)
      const path = join(folder, 'file')
      await writeFile(path, 'four')
      await symlink(path, join(folder, 'link'))
      const [facts, real] = await Promise.all([files.facts(path), stat(path, { bigint: true })])
      const { dev } = real
      const device = `${((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn)}:${(dev & 0xffn) | ((dev >> 12n) & ~0xffn)}`
      const allocated = real.blocks * 512n
      const expected = { kind: 'file', size: 4n, allocated, inode: real.ino, device, links: 1, modified: real.mtime }
      assert.deepEqual(facts, expected)
      assert.equal((await files.facts(folder))?.kind, 'directory')
      assert.equal((await files.facts(join(folder, 'link')))?.kind, 'other')
      const space = await files.space(folder)
      assert.ok(space.total > 0n && space.available <= space.total)
    },

    async 'have any name, and any destination of a link'(t) {
      const folder = await folderOf(t)
      const onEach = (act: (path: string, name: string) => Promise<void>) =>
        Promise.all(NAMES.map(each => act(join(folder, each), each)))
      await onEach(async (path, name) => {
        assert.equal(await files.createExclusive(path, name), true)
        assert.equal(await files.createExclusive(path, 'other'), false)
        assert.equal((await files.facts(path))?.size, BigInt(Buffer.byteLength(name)))
      })
      assert.deepEqual(await files.list(folder), NAMES.toSorted())
      await onEach(async (path, name) => {
        assert.equal(await files.read(path), name)
        await files.removeFile(path)
        await files.link(path, `${name}/to\n`)
        assert.equal(await files.readLink(path), `${name}/to\n`)
        await assert.rejects(files.link(path, 'other'), { code: 'EEXIST' })
        await files.removeFile(path)
        await files.makeDirectory(path)
        assert.equal(await files.rename(path, `${path}-moved`), true)
        await files.removeDirectory(`${path}-moved`)
      })
      assert.deepEqual(await files.list(folder), [])
    },

    async 'hold any text'(t) {
      const path = join(await folderOf(t), 'file')
      const text = fc.string({ unit: 'binary', maxLength: 200 })
      await fc.assert(
        fc.asyncProperty(text, async content => {
          await files.replace(path, content)
          assert.equal(await files.read(path), content)
        }),
        { numRuns: 5 },
      )
    },

    async 'are renamed, but not onto a folder with content'(t) {
      const folder = await folderOf(t)
      const at = (...more: string[]) => join(folder, ...more)
      for (const each of ['a', 'b', 'empty']) await mkdir(at(each))
      for (const each of ['a', 'b']) await writeFile(at(each, each), each)
      assert.equal(await files.rename(at('a'), at('b')), false)
      assert.deepEqual([await readdir(at('a')), await readdir(at('b'))], [['a'], ['b']])
      assert.equal(await files.rename(at('a'), at('empty')), true)
      assert.equal(await files.rename(at('b'), at('new')), true)
      assert.deepEqual((await readdir(folder)).sort(), ['empty', 'new'])
      await assert.rejects(files.rename(at('absent'), at('x')), { code: 'ENOENT' })
      await assert.rejects(files.rename(at('new'), at('absent', 'x')), { code: 'ENOENT' })
      await assert.rejects(files.rename(at('new', 'b'), at('empty')), { code: 'EISDIR' })
      await assert.rejects(files.rename(at('new', 'b'), '/proc/self/x'), (error: { code?: string }) =>
        ['EXDEV', 'ENOENT', 'EPERM'].includes(error.code ?? ''),
      )
      assert.deepEqual(await readdir(at('new')), ['b'])
    },

    async 'are made sparse once'(t) {
      const path = join(await folderOf(t), 'data')
      for (const size of [1n << 33n, 0n, 4097n]) {
        await files.createSparse(path, size)
        const facts = await files.facts(path)
        assert.equal(facts?.size, size)
        assert.ok(facts.allocated < 65536n)
        assert.equal((await stat(path)).mode & 0o777, 0o600)
        await assert.rejects(files.createSparse(path, 1n), { code: 'EEXIST' })
        assert.equal((await files.facts(path))?.size, size)
        await files.removeFile(path)
      }
      await assert.rejects(files.createSparse(path, 2n ** 53n + 1n), RangeError)
    },

    async 'lie in folders that are made with their parents, for us alone, and removed only when empty'(t) {
      const folder = await folderOf(t)
      const path = join(folder, 'a', 'b')
      await files.makeDirectory(path)
      await files.makeDirectory(path)
      for (const each of [path, join(folder, 'a')]) assert.equal((await stat(each)).mode & 0o777, 0o700)
      await assert.rejects(files.removeDirectory(join(folder, 'a')), { code: 'ENOTEMPTY' })
      await writeFile(join(path, 'file'), '')
      await assert.rejects(files.makeDirectory(join(path, 'file')), { code: 'EEXIST' })
      await assert.rejects(files.makeDirectory(join(path, 'file', 'x')), { code: 'ENOTDIR' })
      await assert.rejects(files.removeFile(path), { code: 'EISDIR' })
    },
  }
}
