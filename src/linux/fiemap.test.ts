// Tests of FIEMAP: what xfs_io prints is understood whole or refused, and doubtful extents have no address.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failure, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { parseFiemap, readExtents } from './fiemap.ts'

const HEAD = ' EXT: FILE-OFFSET      BLOCK-RANGE      TOTAL FLAGS\n'
const extent = (flags: string) => `/f:\n${HEAD}   0: [0..7]:           80..87               8 ${flags}\n`

describe('the blocks of a file', () => {
  it('are its extents and the end of the page; holes, and what was never written, are none', () => {
    const text = `/f:
 EXT: FILE-OFFSET      BLOCK-RANGE      TOTAL FLAGS
   0: [64..87]:         104..127            24 0x2000
   1: [88..95]:         hole                 8
   2: [96..103]:        320..327             8   0x0
   3: [104..231]:       192..319           128 0x801
   4: [232..1023]:      hole               792
`
    assert.deepEqual(parseFiemap(text, '/f'), {
      extents: [
        { start: 64n * 512n, end: 88n * 512n, shared: 104n * 512n },
        { start: 96n * 512n, end: 104n * 512n, shared: undefined },
      ],
      end: 1024n * 512n,
    })
    assert.deepEqual(parseFiemap('/f:\n', '/f'), { extents: [], end: undefined })
  })

  it('have an address only when they are plain and shared', () => {
    const sharedOf = (flags: string) => parseFiemap(extent(flags), '/f').extents.map(({ shared }) => shared)
    for (const flags of ['0x2000', '0x2001', '0x3001']) assert.deepEqual(sharedOf(flags), [80n * 512n], flags)
    // Unknown, delayed, encoded, encrypted, unaligned, inline, tail, and a flag of a later kernel.
    const doubtful = ['0x2', '0x4', '0x8', '0x80', '0x100', '0x200', '0x400', '0x4000']
    for (const flag of ['0x0', ...doubtful])
      assert.deepEqual(
        sharedOf(`0x${(0x2000 | Number(flag)).toString(16)}`),
        flag === '0x0' ? [80n * 512n] : [undefined],
      )
    assert.deepEqual(sharedOf('0x1'), [undefined])
    for (const flags of ['0x800', '0x2801']) assert.deepEqual(sharedOf(flags), [], flags)
    assert.deepEqual(sharedOf('0x806'), [undefined], 'written to, and not yet on the disk')
  })

  it('are not guessed from an answer that is cut, misnumbered, gapped or of another file', () => {
    const line = '   0: [0..7]:           80..87               8 0x2000\n'
    const wrong = [
      '',
      '/f:',
      '/g:\n',
      `/f:\n${HEAD}`,
      `/f:\n${line}`,
      `/f:\n${HEAD}${line.trimEnd()}`,
      `/f:\n${HEAD}   1: [0..7]: 80..87 8 0x0\n`,
      `/f:\n${HEAD}${line}   1: [16..23]: 80..87 8 0x0\n`,
      `/f:\n${HEAD}   0: [0..7]: 80..86 8 0x0\n`,
      `/f:\n${HEAD}   0: [0..7]: 80..87 9 0x0\n`,
      `/f:\n${HEAD}   0: [0..7]: 80..87 8\n`,
      `/f:\n${HEAD}   0: [8..7]: hole 0\n`,
      `/f:\n${HEAD}${line}${line}`,
      `/f:\n${HEAD}nonsense\n`,
    ]
    for (const text of wrong) assert.throws(() => parseFiemap(text, '/f'), failure('internal'), JSON.stringify(text))
  })

  const run = 'xfs_io -r -c fiemap -v -n 4096 4096 /f'
  const ask = (code: number, stderr: string) => readExtents(fakeHost([{ run, code, stderr }]), '/f', 4096n, testOp())

  it('are asked for from an offset on', async () => {
    const host = fakeHost([{ run, stdout: extent('0x1') }])
    assert.equal((await readExtents(host, '/f', 4096n, testOp())).extents.length, 1)
  })

  it('cannot be told by every filesystem', async () => {
    const complaint = 'xfs_io: ioctl(FS_IOC_FIEMAP) ["/f"]: Operation not supported'
    await assert.rejects(ask(1, complaint), failure('failed-precondition'))
    await assert.rejects(ask(1, '/f: No such file or directory'), failure('unavailable'))
  })
})
