// Tests of sparse files: what xfs_io answers is not guessed at, and lengthening touches the last page only.
import assert from 'node:assert/strict'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { failure, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { holdsData, lengthenFile } from './sparse.ts'

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
