// What is on a device stays there: no content is ever formatted, whoever attests what, and with every probe blind.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { publishVolume } from '../../src/controller/publish-volume.ts'
import { markerPage, markerSpots } from '../../src/linux/format-marker.ts'
import { stageVolume } from '../../src/node/stage-volume.ts'
import type { FsType } from '../../src/volume/capability.ts'
import { encodeVolumeId, filesystemUuid } from '../../src/volume/ids.ts'
import { failure, MOUNT, testOp } from '../fixtures.ts'
import { NODE_ID } from './driver.ts'
import { type Meddler, refused, sitesOf, useDriver } from './harness.ts'
import { mountsAt, peek, poke, run, sha256 } from './machine.ts'
import { MIB, type TestVolume } from './volume.ts'

const bench = useDriver()
const { driver } = bench
const op = testOp()

const SIZE: Record<FsType, number> = { ext4: 64 * MIB, xfs: 320 * MIB }
/** Is none of the pages that a probe looks at, and none where a mark of ours could be, on devices of either size. */
const UNSEEN = 20 * MIB + 12_288

/** As they answer when they see nothing, or cannot read: blkid(8) has one exit code for both. */
const LIARS: Record<string, Meddler> = {
  'the real blkid and wipefs': () => undefined,
  'a blkid that sees nothing': text => (text.startsWith('blkid ') ? { code: 2 } : undefined),
  'a blkid and a wipefs that see nothing': text =>
    text.startsWith('blkid ') ? { code: 2 } : text.startsWith('wipefs ') ? { code: 0 } : undefined,
}

/** Bytes of a real LVM2 label: blkid takes none whose checksum (from byte 20 on, lvm2 lib/label/label.h) is wrong. */
const lvmLabel = (): Buffer => {
  const sector = Buffer.alloc(512)
  sector.write('LABELONE', 0, 'latin1')
  sector.writeBigUInt64LE(1n, 8)
  sector.writeUInt32LE(32, 20)
  sector.write('LVM2 001', 24, 'latin1')
  sector.write('0123456789abcdefghijklmnopqrstuv', 32, 'latin1')
  sector.writeUInt32LE(~crc32(sector.subarray(20), ~0xf597a6cf >>> 0) >>> 0, 16)
  return sector
}

/** A protective MBR, and the header of a GPT with its checksum: UEFI specification 5.3.2. */
const partitionTable = ({ size }: TestVolume): Buffer => {
  const sectors = Buffer.alloc(1024)
  sectors.write('\0\0\x02\0\xee\xff\xff\xff\x01\0\0\0\xff\xff\x01\0', 446, 'latin1')
  sectors.write('\x55\xaa', 510, 'latin1')
  const header = sectors.subarray(512)
  header.write('EFI PART\0\0\x01\0\x5c\0\0\0', 'latin1')
  header.writeBigUInt64LE(1n, 24)
  header.writeBigUInt64LE(BigInt(size / 512 - 1), 32)
  header.writeBigUInt64LE(34n, 40)
  header.writeBigUInt64LE(BigInt(size / 512 - 34), 48)
  header.write('0123456789abcdef', 56, 'latin1')
  header.writeBigUInt64LE(2n, 72)
  header.writeUInt32LE(128, 80)
  header.writeUInt32LE(128, 84)
  header.writeUInt32LE(crc32(Buffer.alloc(128 * 128)), 88)
  header.writeUInt32LE(crc32(header.subarray(0, 92)), 16)
  return sectors
}

const luksHeader = (): Buffer => {
  const header = Buffer.alloc(592)
  header.write('LUKS\xba\xbe\0\x01aes\0', 'latin1')
  header.write('0b5e1f5e-0000-4000-8000-000000000001', 168, 'latin1')
  return header
}

const fill = ({ data, size }: TestVolume, piece: () => Buffer) => {
  for (let offset = 0; offset < size; offset += 4 * MIB) poke(data, [offset, piece()])
}

/** What blkid calls it, where it has a name for it: the content is what it is said to be. */
const CONTENTS: Record<string, { write: (volume: TestVolume) => void; known?: RegExp }> = {
  'an ext4': { write: ({ data }) => run('mkfs.ext4', '-q', '-F', data), known: /^TYPE=ext4$/m },
  'an xfs': { write: ({ data }) => run('mkfs.xfs', '-q', '-f', data), known: /^TYPE=xfs$/m },
  'an xfs whose mkfs was killed': {
    write: ({ data, id }) => {
      run('mkfs.xfs', '-q', '-f', '-m', `uuid=${filesystemUuid(id)}`, data)
      poke(data, [126, '\x01'])
    },
    known: /^TYPE=xfs$/m,
  },
  'a partition table': { write: volume => poke(volume.data, [0, partitionTable(volume)]), known: /^PTTYPE=gpt$/m },
  'an LVM physical volume': { write: ({ data }) => poke(data, [512, lvmLabel()]), known: /^TYPE=LVM2_member$/m },
  'a LUKS container': { write: ({ data }) => poke(data, [0, luksHeader()]), known: /^TYPE=crypto_LUKS$/m },
  'swap space': { write: ({ data }) => run('mkswap', data), known: /^TYPE=swap$/m },
  'random bytes': { write: volume => fill(volume, () => randomBytes(4 * MIB)) },
  'all bits set': { write: volume => fill(volume, () => Buffer.alloc(4 * MIB, 0xff)) },
  'one page where no probe looks': { write: ({ data }) => poke(data, [UNSEEN, randomBytes(4096)]) },
  'zeros that somebody wrote': { write: ({ data }) => poke(data, [UNSEEN, Buffer.alloc(4096)]) },
  'the mark of another volume': {
    write: ({ data, size }) => {
      const page = markerPage(encodeVolumeId('default', 'another'))
      for (const spot of markerSpots(BigInt(size))) poke(data, [Number(spot), page])
    },
  },
  'a mark of its own with one wrong byte': {
    write: ({ data, size, id }) => {
      const page = markerPage(id).replace('never', 'Never')
      for (const spot of markerSpots(BigInt(size))) poke(data, [Number(spot), page])
    },
  },
}

const requestOf = ({ id, staging, route, context }: TestVolume, fsType: FsType) => ({
  id,
  stagingPath: staging,
  capability: { ...MOUNT, fsType },
  publishContext: { ...route, blank: 'true' }, // the controller attests, wrongly: the worst case
  volumeContext: context,
})

for (const [what, { write, known }] of Object.entries(CONTENTS)) {
  for (const fsType of known ? (['ext4', 'xfs'] as const) : (['ext4'] as const)) {
    test(`${what} is never formatted as ${fsType}, with and without a lying blkid`, async () => {
      const volume = bench.volume({
        as: fsType,
        size: SIZE[what.startsWith('an xfs') ? 'xfs' : fsType],
      })
      await volume.create()
      await volume.publish()
      assert.equal(volume.route['blank'], 'true')
      write(volume)
      if (known) assert.match(run('blkid', '--probe', '--output', 'export', volume.data), known)
      const before = sha256(volume.data)
      for (const [who, lie] of Object.entries(LIARS)) {
        const { node, said } = await sitesOf(driver, lie)
        const reason = failure('failed-precondition', /cannot be used: .+nothing was written/)
        await assert.rejects(stageVolume(node, requestOf(volume, fsType), op), reason, who)
        assert.deepEqual(
          said.filter(text => /\bmkfs|\bof=|pwrite|e2fsck|^mount|tune2fs|xfs_admin/.test(text)),
          [],
          who,
        )
      }
      assert.equal(sha256(volume.data), before, 'the bytes are as before')
      assert.deepEqual(mountsAt(volume.staging), [])

      // Nor would the controller have attested it, whether its own claim is from before or not.
      const { controller } = await sitesOf(driver)
      const wanted = { id: volume.id, node: NODE_ID, capability: { ...MOUNT, fsType }, readonly: false }
      assert.equal((await publishVolume(controller, wanted, op))['blank'], 'false')
      await volume.unpublish()
      assert.equal((await publishVolume(controller, wanted, op))['blank'], 'false')
    })
  }
}

test('what somebody put beside the mark of an unfinished format is not formatted with it', async () => {
  // Only what nothing recognises can be the remains of mkfs; whatever has a name came later, or from elsewhere.
  for (const what of ['an ext4', 'a partition table', 'a LUKS container', 'swap space']) {
    const volume = await bench.volume().create()
    await volume.publish()
    CONTENTS[what]?.write(volume)
    for (const spot of markerSpots(BigInt(volume.size))) poke(volume.data, [Number(spot), markerPage(volume.id)])
    await volume.publish()
    assert.equal(volume.route['blank'], 'true', 'the controller sees the mark')
    const before = sha256(volume.data)
    await refused(volume.stage(), 'FAILED_PRECONDITION', /cannot be used: .+nothing was written/)
    assert.equal(sha256(volume.data), before, what)
  }
})

test('a superblock with a wrong checksum is not blank for a blkid that would call it so', async () => {
  // util-linux from 2.39 on verifies checksums, and then answers as for an empty device.
  for (const [fsType, at] of [
    ['ext4', 1024 + 0x34],
    ['xfs', 0x90],
  ] as const) {
    const volume = await bench.volume({ as: fsType }).up()
    await volume.unstage()
    const [byte = 0] = peek(volume.data, at, 1)
    poke(volume.data, [at, Buffer.from([byte ^ 1])])
    const before = sha256(volume.data)
    const { node, said } = await sitesOf(driver, LIARS['a blkid that sees nothing'])
    const ends = stageVolume(node, requestOf(volume, fsType), op)
    await assert.rejects(ends, failure('failed-precondition', new RegExp(`a damaged ${fsType}`)))
    assert.equal(sha256(volume.data), before)
    assert.ok(!said.some(text => text.includes('mkfs')))
    poke(volume.data, [at, Buffer.from([byte])])
    await volume.stage()
  }
})

/** Runs `act` when a command is about to run, once. */
const before = (pattern: RegExp, act: () => void): Meddler => {
  let done = false
  return text => {
    if (done || !pattern.test(text)) return undefined
    done = true
    act()
    return undefined
  }
}

test('a device whose reads fail at the probe is not formatted, and is when they succeed again', async () => {
  const half = (size: number) => size / 2
  const nothing = () => 0
  for (const left of [nothing, half]) {
    const volume = await bench.volume().create()
    await volume.publish()
    const shorten = () => run('truncate', '--size', String(left(volume.size)), volume.data)
    const meddlers = [/--flushbufs/, /^blkid/, /^wipefs/].map(pattern => before(pattern, shorten))
    for (const meddle of meddlers) {
      const { node, said } = await sitesOf(driver, meddle)
      await assert.rejects(stageVolume(node, requestOf(volume, 'ext4'), op), failure('unavailable'))
      assert.ok(!said.some(text => /\bmkfs|\bof=|pwrite/.test(text)))
      run('truncate', '--size', String(volume.size), volume.data)
    }
    assert.ok(!/[^\0]/.test(peek(volume.data, 0, volume.size).toString('latin1')))
    await volume.publish()
    await volume.stage()
  }
})
