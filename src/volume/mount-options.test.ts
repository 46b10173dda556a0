// Tests of the mount option allow-list: nothing that names a device, a helper or a path gets through.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FS_TYPES } from './capability.ts'
import { firstRefusedOption, splitOptions } from './mount-options.ts'

const SELINUX = 'context="system_u:object_r:container_file_t:s0:c1,c2"'
/** Words that mount(8), libmount or a filesystem would obey, each of them harmful. */
const HARMFUL = [
  'loop',
  'loop=/dev/loop0',
  'offset=4096',
  'sizelimit=1',
  'helper=/tmp/x',
  'uhelper=x',
  'X-mount.mkdir',
  'X-mount.mkdir=0777',
  'x-mount.owner=0',
  'X-mount.subdir=/etc',
  'x-systemd.requires=y',
  'logdev=/dev/sda',
  'rtdev=/dev/sda',
  'journal_dev=0x803',
  'journal_path=/dev/sda',
  'sb=131072',
  'bind',
  'rbind',
  'move',
  'remount',
  'user',
  'users',
  'owner',
  'uid=0',
  'verity.roothash=00',
  'usrjquota=/etc/passwd',
  'nouuid',
  'errors=panic',
  'dax=always',
  'abort',
]
/** How libmount splits an option string: at commas outside double quotes. */
const asLibmount = (text: string): string[] => {
  const options = ['']
  let quoted = false
  for (const character of text) {
    if (character === '"') quoted = !quoted
    if (character === ',' && !quoted) options.push('')
    else options[options.length - 1] += character
  }
  return options.filter(option => option !== '')
}

describe('mount options', () => {
  it('that do harm are refused by name, alone, joined to a good one, or with white space', () => {
    for (const fsType of FS_TYPES) {
      for (const bad of HARMFUL) {
        assert.equal(firstRefusedOption([bad], fsType), bad)
        assert.equal(firstRefusedOption([`ro,${bad}`], fsType), bad)
        assert.equal(firstRefusedOption([`${SELINUX},${bad}`], fsType), bad)
        assert.equal(firstRefusedOption(['noatime', bad], fsType), bad)
        assert.notEqual(firstRefusedOption([`ro\n${bad}`], fsType), undefined)
        assert.notEqual(firstRefusedOption([`ro ${bad}`], fsType), undefined)
      }
    }
  })

  it('hide in quotes in vain', () => {
    for (const bad of [
      'ro",loop',
      '"ro,loop"',
      'context="a",loop,context="b"',
      'context="a"loop',
      'context="a b"',
      "'loop'",
    ])
      assert.notEqual(firstRefusedOption([bad], 'ext4'), undefined, bad)
  })

  it('in daily use pass, SELinux labels with commas as one', () => {
    assert.equal(firstRefusedOption([SELINUX, 'noatime', 'nodiratime,discard', 'ro'], 'xfs'), undefined)
    assert.deepEqual(splitOptions([`ro,${SELINUX}`, '', 'noatime']), ['ro', SELINUX, 'noatime'])
    for (const each of ['commit=30', 'data=ordered', 'errors=remount-ro', 'nobarrier', 'stripe=64', 'lazytime'])
      assert.equal(firstRefusedOption([each], 'ext4'), undefined, each)
    for (const each of ['allocsize=64m', 'logbufs=8', 'logbsize=256k', 'inode64', 'norecovery', 'pquota'])
      assert.equal(firstRefusedOption([each], 'xfs'), undefined, each)
  })

  it('of one filesystem are refused for the other', () => {
    assert.equal(firstRefusedOption(['data=ordered'], 'xfs'), 'data=ordered')
    assert.equal(firstRefusedOption(['allocsize=64m'], 'ext4'), 'allocsize=64m')
  })

  it('that pass are the ones mount(8) sees: nothing hides between our reading and libmount’s', () => {
    const good = ['ro', 'noatime', SELINUX, 'commit=30', 'discard']
    const piece = fc.oneof(
      fc.constantFrom(...good, ...HARMFUL),
      fc.string({ unit: fc.constantFrom(...'",= \\\nar:o-'), maxLength: 12 }),
    )
    const flag = fc
      .array(piece, { minLength: 1, maxLength: 4 })
      .chain(parts => fc.constantFrom(',', '', '"', ' ').map(glue => parts.join(glue)))
    let passed = 0
    fc.assert(
      fc.property(fc.array(flag, { maxLength: 3 }), flags => {
        if (firstRefusedOption(flags, 'ext4') !== undefined) return
        passed += 1
        for (const seen of asLibmount(splitOptions(flags).join(','))) {
          assert.ok(!HARMFUL.includes(seen), seen)
          assert.equal(firstRefusedOption([seen], 'ext4'), undefined, seen)
        }
      }),
      { numRuns: 300 },
    )
    assert.ok(passed > 0, 'the generator never made a harmless list')
  })
})
