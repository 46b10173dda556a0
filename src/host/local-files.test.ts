// Tests of local files: whole or not at all, one winner, and nothing that exists is overwritten by accident.
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { temporaryFolder } from '../../test/fixtures.ts'
import { localFiles as files } from './local-files.ts'

describe('exclusive creation', () => {
  it('has one winner among twenty, whose content is whole, and leaves no draft', async t => {
    const folder = await temporaryFolder(t)
    const path = join(folder, 'file')
    const contents = Array.from({ length: 20 }, (_, n) => `${n} `.repeat(50_000))
    const won = await Promise.all(contents.map(content => files.createExclusive(path, content)))
    assert.equal(won.filter(Boolean).length, 1)
    assert.equal(await readFile(path, 'utf8'), contents[won.indexOf(true)])
    assert.deepEqual(await readdir(folder), ['file'])
  })

  it('never shows half a file to a reader', async t => {
    const path = join(await temporaryFolder(t), 'file')
    const content = 'x'.repeat(4_000_000)
    const state = { created: false }
    const writing = files.createExclusive(path, content).then(() => {
      state.created = true
    })
    while (!state.created) {
      const seen = await files.read(path)
      assert.ok(seen === undefined || seen.length === content.length)
    }
    await writing
  })

  it('does not follow a link, and fails where there is no folder', async t => {
    const folder = await temporaryFolder(t)
    await symlink(join(folder, 'elsewhere'), join(folder, 'link'))
    assert.equal(await files.createExclusive(join(folder, 'link'), 'x'), false)
    assert.equal(await files.read(join(folder, 'elsewhere')), undefined)
    await assert.rejects(files.createExclusive(join(folder, 'absent', 'file'), 'x'), { code: 'ENOENT' })
  })
})

describe('replacing', () => {
  it('shows the old content or the new one, never a mixture or nothing', async t => {
    const folder = await temporaryFolder(t)
    const path = join(folder, 'file')
    const [old, young] = ['a'.repeat(1_000_000), 'b'.repeat(1_000_000)]
    await files.replace(path, old)
    const state = { running: true }
    const writing = (async () => {
      for (let n = 0; n < 6; n += 1) await files.replace(path, n % 2 === 0 ? young : old)
      state.running = false
    })()
    while (state.running) {
      const seen = await files.read(path)
      assert.ok(seen === old || seen === young)
    }
    await writing
    assert.deepEqual(await readdir(folder), ['file'])
  })

  it('that fails leaves the old and no draft', async t => {
    const folder = await temporaryFolder(t)
    await mkdir(join(folder, 'directory'))
    await assert.rejects(files.replace(join(folder, 'directory'), 'x'))
    assert.deepEqual(await readdir(folder), ['directory'])
  })
})

describe('renaming', () => {
  it('onto a folder with content is false and changes nothing; onto nothing or an empty one it is true', async t => {
    const folder = await temporaryFolder(t)
    const at = (...more: string[]) => join(folder, ...more)
    for (const each of ['a', 'b', 'empty']) await mkdir(at(each))
    for (const each of ['a', 'b']) await writeFile(at(each, each), each)
    assert.equal(await files.rename(at('a'), at('b')), false)
    assert.deepEqual([await readdir(at('a')), await readdir(at('b'))], [['a'], ['b']])
    assert.equal(await files.rename(at('a'), at('empty')), true)
    assert.equal(await files.rename(at('b'), at('new')), true)
    assert.deepEqual((await readdir(folder)).sort(), ['empty', 'new'])
    await assert.rejects(files.rename(at('absent'), at('x')), { code: 'ENOENT' })
  })
})

describe('a sparse file', () => {
  it('has the size and takes no room, and never replaces another', async t => {
    const path = join(await temporaryFolder(t), 'data')
    await files.createSparse(path, 1n << 33n)
    const facts = await files.facts(path)
    assert.equal(facts?.size, 1n << 33n)
    assert.ok(facts.allocated < 65536n)
    await assert.rejects(files.createSparse(path, 1n), { code: 'EEXIST' })
    assert.equal((await files.facts(path))?.size, 1n << 33n)
  })

  it('larger than a number can say is refused, not rounded', async t => {
    const path = join(await temporaryFolder(t), 'data')
    await assert.rejects(files.createSparse(path, 2n ** 53n + 1n), RangeError)
  })
})

describe('what is absent', () => {
  it('is undefined to read and look at, and fine to remove', async t => {
    const folder = await temporaryFolder(t)
    const file = join(folder, 'file')
    await writeFile(file, 'x')
    for (const path of [join(folder, 'absent'), join(file, 'below-a-file')]) {
      assert.deepEqual(
        [await files.read(path), await files.list(path), await files.facts(path)],
        [undefined, undefined, undefined],
      )
      await files.removeFile(path)
      await files.removeDirectory(path)
    }
  })

  it('is not confused with what cannot be read', async t => {
    const folder = await temporaryFolder(t)
    await assert.rejects(files.read(folder), { code: 'EISDIR' })
    await writeFile(join(folder, 'file'), 'x')
    await assert.rejects(files.removeDirectory(folder), { code: 'ENOTEMPTY' })
  })
})

it('facts are those of the file itself, as stat has them, links not followed', async t => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'file')
  await writeFile(path, 'four')
  await symlink(path, join(folder, 'link'))
  const [facts, real] = await Promise.all([files.facts(path), stat(path)])
  assert.deepEqual([facts?.kind, facts?.size, facts?.inode, facts?.links], ['file', 4n, BigInt(real.ino), 1])
  assert.match(facts?.device ?? '', /^\d+:\d+$/)
  assert.equal((await files.facts(folder))?.kind, 'directory')
  assert.equal((await files.facts(join(folder, 'link')))?.kind, 'other')
  assert.deepEqual(await files.list(folder), ['file', 'link'])
  const space = await files.space(folder)
  assert.ok(space.total > 0n && space.available <= space.total)
})

it('folders are made with their parents, for us alone, and once is enough', async t => {
  const path = join(await temporaryFolder(t), 'a', 'b')
  await files.makeDirectory(path)
  await files.makeDirectory(path)
  assert.equal((await stat(path)).mode & 0o077, 0)
})
