// What belongs to a work folder, and what is removed in it.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { localHost } from '../host/local.ts'
import type { Loop } from '../linux/losetup.ts'
import { type Mount, parseMountinfo } from '../linux/mount.ts'
import { endpointOf, isDriverOf, removeTree, selectLeftovers } from './demo-leftovers.ts'

const FOLDER = '/var/tmp/ashlar-demo/0123abcd-42-1'
const mount = (path: string): Mount[] => parseMountinfo(`1 2 7:0 / ${path} rw - ext4 /dev/loop0 rw`)
const loop = (kname: string, backingFile: string): Loop => ({ kname, backingFile, isLeaving: false })

describe('selectLeftovers', () => {
  it('answers mounts below the folder, the latest first', () => {
    const mounts = ['/', `${FOLDER}/staging/xfs`, '/mnt', `${FOLDER}/pods/xfs`].flatMap(mount)
    assert.deepEqual(selectLeftovers(FOLDER, mounts, []).mounts, [`${FOLDER}/pods/xfs`, `${FOLDER}/staging/xfs`])
  })
  it('leaves the folder of another demo whose name begins the same', () => {
    const left = selectLeftovers(FOLDER, mount(`${FOLDER}0/staging/xfs`), [loop('loop1', `${FOLDER}0/pool/data`)])
    assert.deepEqual(left, { mounts: [], loops: [] })
  })
  it('answers loop devices of its files, deleted ones too, and their views first', () => {
    const loops = [
      loop('loop0', `${FOLDER}/pool/data`),
      loop('loop1', '/dev/loop0'),
      loop('loop2', '/home/x.img'),
      loop('loop3', '/dev/loop2'),
      loop('loop4', `${FOLDER}/pool/data (deleted)`),
    ]
    const names = selectLeftovers(FOLDER, [], loops).loops.map(({ kname }) => kname)
    assert.deepEqual(names, ['loop1', 'loop0', 'loop4'])
  })
})

describe('isDriverOf', () => {
  const cmdline = (...args: string[]) => `${args.join('\0')}\0`
  const endpoint = endpointOf(FOLDER)
  it('knows the driver on this folder’s socket', () =>
    assert.equal(isDriverOf(cmdline('node', '/a/src/bin/all-in-one.ts', '--endpoint', endpoint), FOLDER), true))
  it('leaves a driver on another socket', () =>
    assert.equal(isDriverOf(cmdline('node', '/a/src/bin/all-in-one.ts', '--endpoint', `${endpoint}2`), FOLDER), false))
  it('leaves another program that names the folder', () =>
    assert.equal(isDriverOf(cmdline('vi', '--endpoint', endpoint), FOLDER), false))
})

describe('removeTree', () => {
  let outside = ''
  beforeEach(() => {
    outside = mkdtempSync(join(tmpdir(), 'ashlar-tree-'))
  })
  afterEach(() => rmSync(outside, { recursive: true }))

  it('removes files and folders, and follows no symbolic link', async () => {
    const tree = join(outside, 'tree')
    mkdirSync(join(tree, 'a', 'b'), { recursive: true })
    writeFileSync(join(tree, 'a', 'b', 'data'), 'x')
    writeFileSync(join(outside, 'precious'), 'x')
    symlinkSync(outside, join(tree, 'a', 'link'))
    await removeTree(localHost(), tree)
    assert.equal(existsSync(tree), false)
    assert.equal(existsSync(join(outside, 'precious')), true)
  })

  it('removes nothing while something is mounted in it', async () => {
    const tree = join(outside, 'tree')
    mkdirSync(tree)
    writeFileSync(join(tree, 'data'), 'x')
    const host = localHost()
    const read = async (path: string) =>
      path === '/proc/self/mountinfo' ? `1 2 7:0 / ${tree}/m rw - ext4 /dev/loop0 rw\n` : await host.files.read(path)
    await assert.rejects(removeTree({ ...host, files: { ...host.files, read } }, tree), /mounted: .*tree\/m/)
    assert.equal(existsSync(join(tree, 'data')), true)
  })

  it('stops at another filesystem', async () => {
    const tree = join(outside, 'tree')
    mkdirSync(join(tree, 'other'), { recursive: true })
    writeFileSync(join(tree, 'other', 'data'), 'x')
    const host = localHost()
    const facts = async (path: string) => {
      const found = await host.files.facts(path)
      return found && path.endsWith('other') ? { ...found, device: '253:9' } : found
    }
    await assert.rejects(removeTree({ ...host, files: { ...host.files, facts } }, tree), /on another filesystem/)
    assert.equal(existsSync(join(tree, 'other', 'data')), true)
  })

  it('is content with a folder that is gone', async () => await removeTree(localHost(), join(outside, 'none')))
})
