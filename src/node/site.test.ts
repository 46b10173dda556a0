// Tests of whose a mount is, where its device has gone and only the journal can tell.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { BLOCK, deviceOf, failure, kernelOf, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { nodeSiteWith } from '../../test/node-site.ts'
import { fakeHost } from '../host/fake.ts'
import { mountsAt } from '../linux/mount.ts'
import type { Connector } from '../transports/transport.ts'
import { openJournal } from './journal.ts'
import { withdrawTarget } from './publish-volume.ts'
import { requireOwnMounts } from './site.ts'

const TARGET = '/pods/1'
const bound = (root: string, path: string) => `40 25 0:5 ${root} ${path} rw - devtmpfs devtmpfs rw\n`

/** A node with a raw block volume at TARGET by the journal, with these mounts. */
async function nodeWith(t: TestContext, mountinfo: string) {
  const host = fakeHost(
    [
      { run: `umount -- ${TARGET}`, effect: () => host.kernel.set('/proc/self/mountinfo', '') },
      { run: /^stat /, code: 1, stderr: 'No such file or directory' },
    ],
    { '/proc/self/mountinfo': mountinfo },
  )
  const journal = openJournal(host, await temporaryFolder(t))
  const targets = [{ path: TARGET, readonly: false }]
  await journal.write({ id: 'v', stagingPath: '/stage/v', capability: BLOCK, readonly: false, targets })
  /** Whatever is there is the other volume's. */
  const connector = {
    find: async () => undefined,
    identify: async () => 'other',
  } as unknown as Connector
  const site = nodeSiteWith(host, journal, connector)
  const require = async (id: string, path: string) =>
    await requireOwnMounts(site, 'unpublish', id, await mountsAt(host, path))
  return { host, site, require }
}

describe('a bound device node whose disk has gone', () => {
  it('is of the volume that the journal has there, and of no other', async t => {
    const { require } = await nodeWith(t, bound('/sda//deleted', TARGET))
    await require('v', TARGET)
    await assert.rejects(require('w', TARGET), failure('failed-precondition', /devtmpfs\) is mounted at \/pods\/1/))
  })

  it('is nobody’s at a path that is not in the journal', async t => {
    const { require } = await nodeWith(t, bound('/sda//deleted', '/pods/2'))
    await assert.rejects(require('v', '/pods/2'), failure('failed-precondition', /devtmpfs\) is mounted at \/pods\/2/))
  })

  it('is not of the volume whose disk has that name by now', async t => {
    const { host, require } = await nodeWith(t, bound('/sda//deleted', TARGET) + bound('/sda', '/pods/2'))
    const sda = deviceOf(undefined, { path: '/dev/sda', kname: 'sda', number: '8:0' })
    for (const [path, text] of Object.entries(kernelOf(sda))) host.kernel.set(path, text)
    await require('v', TARGET)
    await require('other', '/pods/2')
    await assert.rejects(require('other', TARGET), failure('failed-precondition'))
  })

  it('is of nobody if it is no node of a disk', async t => {
    for (const root of ['/null//deleted', '/sda//deleted//deleted', '/dir/sda//deleted', '/sda/deleted']) {
      const { require } = await nodeWith(t, bound(root, TARGET))
      await assert.rejects(require('v', TARGET), failure('failed-precondition'), root)
    }
  })

  it('is unpublished', async t => {
    const { host, site } = await nodeWith(t, bound('/sda//deleted', TARGET))
    await withdrawTarget(site, 'unpublish v', 'v', TARGET, testOp())
    assert.deepEqual((await site.journal.find('v'))?.targets, [])
    assert.equal(host.left(), 0)
  })
})
