// Tests of probe and format: every answer of the tools, and no way for data to be taken for a blank device.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { deviceOf, failure, GIB, locked, MIB, printPages, testOp } from '../../test/fixtures.ts'
import { fakeHost, type Line } from '../host/fake.ts'
import { type Content, clearUnfinishedXfs, describeContent, type FormatOptions, format, probe } from './format.ts'

const op = testOp()
const device = deviceOf(2n * GIB)
const UUID = '0b5e1f5e-0000-8000-8000-000000000001'
const FLUSH: Line = { run: locked('blockdev --flushbufs /dev/loop7') }
const BLKID = 'blkid --probe --output export /dev/loop7'
const WIPEFS = 'wipefs --no-act --noheadings --output OFFSET,TYPE /dev/loop7'

/** Answers direct reads from bytes at offsets; everything else is zero. */
function disk(bytes: Readonly<Record<number, string>> = {}): (text: string) => string {
  return text => {
    const length = Number(/ bs=(\d+) /.exec(text)?.[1])
    const offset = Number(/ skip=(\d+) /.exec(text)?.[1])
    const written = Object.entries(bytes).filter(([at]) => Number(at) >= offset && Number(at) < offset + length)
    return written.reduce(
      (text, [at, value]) =>
        text.slice(0, Number(at) - offset) + value + text.slice(Number(at) - offset + value.length),
      '\0'.repeat(length),
    )
  }
}

/** The same bytes as whole pages, by offset. */
function pagesOf(bytes: Readonly<Record<number, string>>): Record<string, string> {
  const starts = Object.keys(bytes).map(at => Math.floor(Number(at) / 4096) * 4096)
  return Object.fromEntries(starts.map(at => [at, disk(bytes)(`dd bs=4096 count=1 skip=${at} iflag=direct`)]))
}

/** The whole conversation of one probe. */
function conversation({
  bytes = {},
  blkid = { code: 2 },
  wipefs = '',
}: {
  bytes?: Readonly<Record<number, string>>
  blkid?: Omit<Line, 'run'>
  wipefs?: string
}): Line[] {
  const read = { run: /^dd if=\/dev\/loop7 bs=\d+ count=1 skip=\d+ iflag=direct,skip_bytes,fullblock status=none$/ }
  return [
    FLUSH,
    { ...read, stdout: disk(bytes) },
    { run: BLKID, ...blkid },
    { run: WIPEFS, stdout: wipefs },
    { ...read, stdout: disk(bytes) },
    { ...read, stdout: disk(bytes) },
    { run: /^xfs_io -r -d (-c pread -v -b 4096 \d+ 4096 )+\/dev\/loop7$/, stdout: printPages(pagesOf(bytes)) },
  ]
}
const probed = async (given: Parameters<typeof conversation>[0], on = device): Promise<Content> =>
  await probe(fakeHost(conversation(given)), on, op)
const tags = (...lines: string[]) => ({ code: 0, stdout: `${['DEVNAME=/dev/loop7', ...lines].join('\n')}\n` })

describe('a probe', () => {
  it('calls a device blank only when blkid, wipefs and every region say so', async () => {
    assert.deepEqual(await probed({}), { kind: 'blank' })
  })

  it('names a filesystem with its UUID', async () => {
    const content = await probed({ blkid: tags(`UUID=${UUID}`, 'TYPE=ext4', 'USAGE=filesystem') })
    assert.deepEqual(content, { kind: 'filesystem', type: 'ext4', uuid: UUID })
  })

  it('tells an xfs whose mkfs was killed by its in-progress byte, and from no other filesystem', async () => {
    const bytes = { 126: '\x01' }
    const xfs = tags('TYPE=xfs', `UUID=${UUID}`)
    assert.deepEqual(await probed({ bytes, blkid: xfs }), { kind: 'unfinished-xfs', uuid: UUID })
    assert.deepEqual(await probed({ bytes: { 125: '\x01', 127: '\x01' }, blkid: xfs }), {
      kind: 'filesystem',
      type: 'xfs',
      uuid: UUID,
    })
    assert.equal((await probed({ bytes, blkid: tags('TYPE=ext4') })).kind, 'filesystem')
  })

  it('never calls partition tables, several signatures, LUKS, LVM or a blkid that found only "something" blank', async () => {
    assert.deepEqual(await probed({ blkid: { code: 8 } }), { kind: 'foreign', what: 'several signatures at once' })
    assert.deepEqual(await probed({ blkid: tags('PTTYPE=gpt') }), { kind: 'foreign', what: 'a partition table (gpt)' })
    assert.equal((await probed({ blkid: tags('TYPE=xfs', 'PTTYPE=dos') })).kind, 'foreign')
    for (const type of ['crypto_LUKS', 'LVM2_member', 'swap', 'btrfs'])
      assert.deepEqual(await probed({ blkid: tags(`TYPE=${type}`) }), { kind: 'filesystem', type, uuid: '' })
    assert.equal((await probed({ blkid: tags('LABEL=x'), bytes: { 1080: 'S' } })).kind, 'unknown')
  })

  it('believes wipefs where blkid sees nothing: a damaged superblock still shows its magic', async () => {
    const content = await probed({ wipefs: '0x438 ext4\n' })
    assert.deepEqual(content, { kind: 'unknown', what: 'a damaged ext4' })
  })

  it('is an error when blkid or dd cannot read: unreadable is never blank', async () => {
    await assert.rejects(
      probed({ blkid: { code: 2, stderr: 'blkid: error: /dev/loop7: Input/output error' } }),
      failure('unavailable', /Input\/output error/),
    )
    const broken = fakeHost([FLUSH, { run: /^dd /, code: 1, stderr: 'dd: error reading: Input/output error' }])
    await assert.rejects(probe(broken, device, op), failure('unavailable', /Input\/output error/))
    const short = fakeHost([FLUSH, { run: /^dd /, stdout: '\0'.repeat(512) }])
    await assert.rejects(probe(short, device, op), failure('unavailable', /only 512 bytes/))
    const late = conversation({}).slice(0, 4)
    await assert.rejects(
      probe(fakeHost([...late, { run: /^dd /, code: 1, stderr: 'EIO' }]), device, op),
      failure('unavailable', /EIO/),
    )
    await assert.rejects(probed({ blkid: { code: 4, stderr: 'usage' } }), failure('internal'))
  })

  it('finds the copies of superblocks that outlive a wiped beginning', async () => {
    const [k, M] = [1024, 1024 * 1024]
    const places = [
      ...[8193, 24577, 40961].map(block => block * k), // ext4 with 1 KiB blocks
      ...[16384, 49152].map(block => block * 2 * k),
      ...[32768, 98304, 163840, 229376].map(block => block * 4 * k),
      ...[1, 2, 3].map(n => n * 512 * M), // xfs allocation groups of 2 GiB
      2048 * M - 512, // md 1.0, DDF and GPT keep theirs at the end
      1080, // ext4 magic
      0x10040 % M, // btrfs within the first MiB
    ]
    for (const at of places) {
      const content = await probed({ bytes: { [at]: 'x' } })
      assert.equal(content.kind, 'unknown', `offset ${at}`)
    }
  })

  it('sees any byte in the first and in the last MiB, and reads inside the device in whole sectors only', async () => {
    const sizes = fc.bigInt(1n, 4096n).map(n => n * MIB)
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 0, max: 1024 * 1024 - 1 }), fc.boolean(), async (size, n, atEnd) => {
        const host = fakeHost(conversation({ bytes: { [atEnd ? Number(size) - 1 - n : n]: 'x' } }))
        assert.equal((await probe(host, deviceOf(size), op)).kind, 'unknown')
      }),
      { numRuns: 8 },
    )
    await fc.assert(
      fc.asyncProperty(sizes, async size => {
        const host = fakeHost(conversation({}))
        assert.equal((await probe(host, deviceOf(size), op)).kind, 'blank')
        for (const text of host.said.filter(each => each.startsWith('dd '))) {
          const [, length = '', offset = ''] = / bs=(\d+) count=1 skip=(\d+) /.exec(text) ?? []
          assert.ok(BigInt(offset) + BigInt(length) <= size, `${text} of ${size}`)
          assert.equal(BigInt(offset) % 4096n, 0n)
          assert.equal(BigInt(length) % 4096n, 0n)
        }
      }),
      { numRuns: 8 },
    )
  })
})

describe('format', () => {
  const ext4: FormatOptions = { fsType: 'ext4', uuid: UUID }
  const xfs: FormatOptions = { fsType: 'xfs', uuid: UUID }
  const after = (blkid: Omit<Line, 'run'>, rest = {}): Line[] => conversation({ blkid, ...rest })
  const done = ({ fsType, uuid }: FormatOptions) => after(tags(`TYPE=${fsType}`, `UUID=${uuid}`))

  it('gives the filesystem its UUID and the numbers that were asked for, and is never stopped half-way or forced', async () => {
    const run = async (options: FormatOptions) => {
      const host = fakeHost([{ run: /^flock .* mkfs\./ }, ...done(options)])
      await format(host, device, options, op)
      assert.equal(host.commands[0]?.onAbort, 'finish')
      assert.ok(!host.commands[0].args.some(arg => arg === '-f' || arg === '-F'))
      return host.said[0]
    }
    assert.equal(
      await run({ ...ext4, blockSize: 1024, inodeSize: 512, bytesPerInode: 8192, reservedPercent: 1 }),
      locked(
        `mkfs.ext4 -q -U ${UUID} -b 1024 -I 512 -i 8192 -m 1 -O ^orphan_file,metadata_csum_seed -E nodiscard,lazy_itable_init=1,lazy_journal_init=0 /dev/loop7`,
      ),
    )
    assert.equal(
      await run({ ...xfs, blockSize: 1024, inodeSize: 1024, reflink: false }),
      locked(
        `mkfs.xfs -q -K -m uuid=${UUID},bigtime=1,inobtcount=1,reflink=0 -i nrext64=0,size=1024 -b size=1024 /dev/loop7`,
      ),
    )
    assert.match((await run(xfs)) ?? '', /reflink=1 -i nrext64=0 \/dev\/loop7$/)
  })

  it('does not believe mkfs: what it made must be there, of this type and with this UUID', async () => {
    for (const [what, blkid] of [
      ['nothing', { code: 2 }],
      ['xfs filesystem', tags('TYPE=xfs', `UUID=${UUID}`)],
      ['0002', tags('TYPE=ext4', 'UUID=0b5e1f5e-0000-8000-8000-000000000002')],
      ['several signatures', { code: 8 }],
    ] as const) {
      const host = fakeHost([{ run: /^flock .* mkfs\./ }, ...after(blkid)])
      await assert.rejects(format(host, device, ext4, op), failure('internal', new RegExp(what)), what)
    }
    const half = after(tags('TYPE=xfs', `UUID=${UUID}`), { bytes: { 126: '\x01' } })
    await assert.rejects(
      format(fakeHost([{ run: /^flock .* mkfs\./ }, ...half]), device, xfs, op),
      failure('internal', /did not finish/),
    )
  })

  it('refuses a device on which mkfs would fail, before it runs', async () => {
    const host = fakeHost([])
    await assert.rejects(format(host, deviceOf(300n * MIB - 512n), xfs, op), failure('failed-precondition'))
    await assert.rejects(format(host, deviceOf(MIB), ext4, op), failure('failed-precondition'))
    assert.deepEqual(host.said, [])
  })

  it('passes on the failure of mkfs', async () => {
    const host = fakeHost([{ run: /^flock .* mkfs\./, code: 1, stderr: 'appears to contain an existing filesystem' }])
    await assert.rejects(format(host, device, xfs, op), failure('internal', /existing filesystem/))
  })

  it('clears one page and no more of its own unfinished xfs', async () => {
    const host = fakeHost([{ run: /^dd / }])
    await clearUnfinishedXfs(host, device, op)
    assert.deepEqual(host.said, [
      'dd if=/dev/zero of=/dev/loop7 bs=4096 count=1 oflag=direct conv=fsync,notrunc status=none',
    ])
  })
})

it('every content has words for messages', () => {
  assert.equal(describeContent({ kind: 'blank' }), 'nothing')
  assert.match(describeContent({ kind: 'filesystem', type: 'xfs', uuid: UUID }), new RegExp(`xfs.*${UUID}`))
  assert.match(describeContent({ kind: 'unfinished-xfs', uuid: UUID }), /did not finish/)
  assert.equal(describeContent({ kind: 'unknown', what: 'a riddle' }), 'a riddle')
})
