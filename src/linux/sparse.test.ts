// Tests of sparse files: what xfs_io answers is not guessed at, and lengthening touches the last page only.
import assert from 'node:assert/strict'
import { open, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { failure, GIB, MIB, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { localHost } from '../host/local.ts'
import { holdsData, lengthenFile, punchWhole, troublesOfFile } from './sparse.ts'

const op = testOp()

describe('data in a file', () => {
  const ask = (stdout: string) => holdsData(fakeHost([{ run: 'xfs_io -r -c seek -d 0 /f', stdout }]), '/f', op)

  it('is there at any offset, and is not at the end of the file', async () => {
    assert.equal(await ask('Whence\tResult\nDATA\t0\n'), true)
    assert.equal(await ask('Whence\tResult\nDATA\t9007199254740993\n'), true)
    assert.equal(await ask('Whence\tResult\nDATA\tEOF\n'), false)
  })

  it('is not denied when the answer is not understood', async () => {
    for (const stdout of ['', 'Whence\tResult\n', 'HOLE\t0\n'])
      await assert.rejects(ask(stdout), failure('internal'), stdout)
  })
})

describe('lengthening', () => {
  it('allocates the last page, never truncates, and is never stopped half-way', async t => {
    const path = join(await temporaryFolder(t), 'data')
    await writeFile(path, 'x')
    const host = fakeHost([{ run: `fallocate --offset 1044480 --length 4096 -- ${path}` }])
    await truncate(path, 1024 * 1024)
    await lengthenFile(host, path, 1024n * 1024n, op)
    assert.equal(host.commands[0]?.onAbort, 'finish')
  })

  it('without effect is an error', async t => {
    const path = join(await temporaryFolder(t), 'data')
    await writeFile(path, 'x')
    const ends = lengthenFile(fakeHost([{ run: /^fallocate/ }]), path, 1024n * 1024n, op)
    await assert.rejects(ends, failure('internal', /it has 1;/))
  })
})

describe('the troubles of a file', () => {
  const hostWith = (available: bigint, total: bigint, allocated?: bigint) => {
    const { files, ...rest } = localHost()
    return {
      ...rest,
      files: {
        ...files,
        space: async () => ({ total, available }),
        facts: async (path: string) => {
          const facts = await files.facts(path)
          return facts && { ...facts, allocated: allocated ?? facts.allocated }
        },
      },
    }
  }

  it('are none, or that it is gone or shorter than it should be', async t => {
    const path = join(await temporaryFolder(t), 'data')
    await writeFile(path, '')
    await truncate(path, Number(4n * MIB))
    assert.deepEqual(await troublesOfFile(localHost(), path, 4n * MIB), [])
    assert.deepEqual(await troublesOfFile(localHost(), path, 3n * MIB), [], 'it has grown')
    await truncate(path, Number(MIB))
    assert.match((await troublesOfFile(localHost(), path, 4n * MIB)).join(), /truncated to 1048576 bytes.*4194304/)
    await unlink(path)
    assert.deepEqual(await troublesOfFile(localHost(), path, 4n * MIB), [`its file ${path} is gone`])
  })

  it('are a full filesystem, for a file that still has holes: below a hundredth of it and below a GiB', async t => {
    const path = join(await temporaryFolder(t), 'data')
    await writeFile(path, '')
    await truncate(path, Number(4n * MIB))
    const isFull = async (available: bigint, total: bigint, allocated?: bigint) =>
      (await troublesOfFile(hostWith(available, total, allocated), path, 4n * MIB)).join().includes('is full')
    assert.equal(await isFull(GIB - 1n, 1000n * GIB), true)
    assert.equal(await isFull(GIB, 1000n * GIB), false)
    assert.equal(await isFull(MIB - 1n, 100n * MIB), true)
    assert.equal(await isFull(MIB, 100n * MIB), false)
    assert.equal(await isFull(0n, 100n * MIB, 4n * MIB), false, 'it needs no more room')
  })
})

describe('emptying a file', () => {
  it('leaves its size, and nothing that anybody wrote', async t => {
    const path = join(await temporaryFolder(t), 'data')
    await writeFile(path, 'x'.repeat(10_000))
    await truncate(path, Number(4n * MIB))
    const file = await open(path, 'r+')
    await file.write('the end', Number(4n * MIB) - 7)
    await file.close()
    await punchWhole(localHost(), path, 4n * MIB, op)
    assert.equal(await holdsData(localHost(), path, op), false)
    assert.equal((await localHost().files.facts(path))?.size, 4n * MIB)
  })

  it('without effect is an error, and it is never stopped half-way', async () => {
    const left = { run: 'xfs_io -r -c seek -d 0 /f', stdout: 'Whence\tResult\nDATA\t0\n' }
    const host = fakeHost([{ run: 'fallocate --punch-hole --offset 0 --length 4194304 -- /f' }, left])
    await assert.rejects(punchWhole(host, '/f', 4n * MIB, op), failure('internal', /still holds data/))
    assert.equal(host.commands[0]?.onAbort, 'finish')
  })
})
