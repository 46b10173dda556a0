// Tests of the loop transport: routes arrive as sent or are refused, and a device is the volume only while all shows it.
import assert from 'node:assert/strict'
import { mkdir, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { BLOCK, deviceOf, failure, kernelOf, MIB, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { encodeVolumeId } from '../volume/ids.ts'
import { encodeLoopRoute, loop, parseLoopRoute } from './loop.ts'

const id = encodeVolumeId('p', 'name')
const route = encodeLoopRoute({
  backingFile: `/pool/volumes/${id}/data`,
  sectorSize: 512,
  readonly: false,
  size: 1024n,
})
const refused = failure('invalid-argument', /publish context/)
const folder = fc
  .array(fc.string({ unit: fc.constantFrom(...'abc ä"\'\\$-.'), minLength: 1, maxLength: 8 }), { maxLength: 4 })
  .filter(parts => !parts.some(part => part === '.' || part === '..'))
  .map(parts => parts.map(part => `/${part}`).join(''))

describe('a loop route', () => {
  it('comes back as it was sent, whatever the pool’s folder is called and however large the volume', () => {
    fc.assert(
      fc.property(
        folder,
        fc.constantFrom(512, 4096),
        fc.boolean(),
        fc.bigInt(0n, 2n ** 63n - 1n),
        (parent, sectorSize, readonly, size) => {
          const sent = { backingFile: `${parent}/${id}/data`, sectorSize, readonly, size }
          const travelling = encodeLoopRoute(sent)
          assert.ok(Object.values(travelling).every(value => typeof value === 'string'))
          assert.deepEqual(parseLoopRoute(id, travelling), sent)
          assert.throws(() => parseLoopRoute(encodeVolumeId('p', 'other'), travelling), refused)
        },
      ),
    )
  })

  it('with any key missing is refused', () => {
    for (const key of Object.keys(route)) {
      const { [key]: _, ...rest } = route
      assert.throws(() => parseLoopRoute(id, rest), refused, key)
    }
  })

  it('that leads to another file is refused', () => {
    for (const path of [
      '/etc/shadow',
      '/dev/sda',
      `/pool/volumes/${id}`,
      `pool/volumes/${id}/data`,
      `/pool/volumes/${id}/../${encodeVolumeId('p', 'other')}/data`,
      `/pool/volumes/${encodeVolumeId('p', 'other')}/../${id}/data`,
      `/pool/volumes/${id}//data`,
      `/pool/volumes/${id}/./data`,
      `/pool/volumes/${id}/deep/data`,
      `/pool/volumes/x${id}/data`,
    ])
      assert.throws(() => parseLoopRoute(id, { ...route, backing_file: path }), refused, path)
    assert.throws(() => parseLoopRoute('../..', { ...route, backing_file: '/pool/../../data' }), refused)
  })

  it('with a value that is not exactly what we send is refused', () => {
    const wrong = {
      sector_size: ['', '0', '1024', '512 ', '512\n', '0x200', '-512', '4096,512'],
      readonly: ['', 'True', '1', 'true\n', 'yes'],
      size: ['', '-1', '1e9', '1.5', ' 1', '1\n', '9'.repeat(20), 'NaN'],
    }
    for (const [key, values] of Object.entries(wrong)) {
      for (const value of values)
        assert.throws(() => parseLoopRoute(id, { ...route, [key]: value }), refused, `${key}=${JSON.stringify(value)}`)
    }
  })
})

const op = testOp()
const device = deviceOf(4n * MIB)
const BACKING = '/sys/block/loop7/loop/backing_file'

describe('the proof that a device still is the volume', () => {
  const own = `/pool/volumes/${id}/data`
  const prove = (kernel: Record<string, string>) => loop.connector(fakeHost([], kernel)).verify(id, device, op)

  it('holds while it is the same disk on the same file', async () => {
    await prove(kernelOf(device, own))
    const noSequence = { ...device, sequence: '' }
    const old = kernelOf(device, own)
    delete old['/sys/block/loop7/diskseq'] // before Linux 5.15
    await loop.connector(fakeHost([], old)).verify(id, noSequence, op)
  })

  it('fails, naming what is there, for another disk, another volume, an unlinked file and nothing', async () => {
    const other = `/pool/volumes/${encodeVolumeId('p', 'other')}/data`
    const wrong: Record<string, [Record<string, string>, RegExp]> = {
      'a later disk': [kernelOf({ ...device, sequence: '8' }, own), /attached as disk 8, not 7/],
      'another volume': [kernelOf(device, other), new RegExp(other)],
      'another file': [kernelOf(device, '/tmp/data'), /backed by \/tmp\/data/],
      'a file that was unlinked': [kernelOf(device, `${own} (deleted)`), /\(deleted\)/],
      'a device that was detached': [kernelOf(device), /nothing any more/],
      'no device': [{}, /nothing any more/],
    }
    for (const [what, [kernel, words]] of Object.entries(wrong)) {
      await assert.rejects(prove(kernel), failure('failed-precondition', words), what)
      await assert.rejects(prove(kernel), failure('failed-precondition', new RegExp(id)), what)
    }
  })
})

/** A device on a real file of 4 MiB. */
async function onFile(t: TestContext, script: Parameters<typeof fakeHost>[0] = []) {
  const folder = join(await temporaryFolder(t), id)
  await mkdir(folder)
  const path = join(folder, 'data')
  await writeFile(path, '')
  await truncate(path, Number(device.size))
  const host = fakeHost(script, kernelOf(device, path))
  return { path, host, connector: loop.connector(host), exporter: loop.exporter(host, { nodeId: 'n' }) }
}

describe('what lies below a device', () => {
  it('has no troubles while all is well, and tells each when not: to the node and to the controller', async t => {
    const { path, host, connector, exporter } = await onFile(t)
    const both = async () => [
      (await connector.troublesOf(device)).join(),
      (await exporter.exports(op)).get(id)?.troubles.join() ?? '',
    ]
    assert.deepEqual(await both(), ['', ''])
    await truncate(path, 512)
    for (const words of await both()) assert.match(words, /truncated to 512 bytes/)
    await unlink(path)
    host.kernel.set(BACKING, `${path} (deleted)\n`)
    assert.match((await connector.troublesOf(device)).join(), /deleted.*lost when it is detached/)
    host.kernel.delete(BACKING)
    assert.match((await connector.troublesOf(device)).join(), /backed by nothing/)
    assert.equal((await exporter.exports(op)).get(id), undefined)
  })

  it('is two devices on one file for the controller', async t => {
    const { path, host, exporter } = await onFile(t)
    const twin = deviceOf(device.size, { path: '/dev/loop8', kname: 'loop8', number: '7:8' })
    for (const [file, text] of Object.entries(kernelOf(twin, path))) host.kernel.set(file, text)
    assert.match(
      (await exporter.exports(op)).get(id)?.troubles.join() ?? '',
      /several devices show it: \/dev\/loop7, \/dev\/loop8/,
    )
  })

  it('holds data as its file does, and cannot be told for one that is unlinked or not there', async t => {
    const ask = { run: /^xfs_io -r -c seek -d 0 / }
    for (const [answer, expected] of [
      ['DATA\t4096\n', true],
      ['DATA\tEOF\n', false],
    ] as const) {
      const { connector, host, path } = await onFile(t, [{ ...ask, stdout: `Whence\tResult\n${answer}` }])
      assert.equal(await connector.holdsData(device, op), expected)
      assert.ok(host.said[0]?.endsWith(` ${path}`))
    }
    const { connector, host, path } = await onFile(t)
    host.kernel.set(BACKING, `${path} (deleted)\n`)
    assert.equal(await connector.holdsData(device, op), undefined)
    host.kernel.delete(BACKING)
    assert.equal(await connector.holdsData(device, op), undefined)
  })
})

it('a device that goes as soon as somebody closes it is not used again, neither by controller nor by node', async t => {
  const { path, host, connector, exporter } = await onFile(t)
  host.kernel.set('/sys/block/loop7/loop/autoclear', '1\n')
  const given = encodeLoopRoute({ backingFile: path, sectorSize: 512, readonly: false, size: device.size })
  const leaving = failure('unavailable', /goes as soon as/)
  await assert.rejects(connector.connect(id, given, op), leaving)
  const spec = { id, name: 'n', capabilities: [], parameters: {}, transport: 'loop', sectorSize: 512, segments: {} }
  const claim = { node: 'n', readonly: false, capability: BLOCK, blank: true }
  const { size } = device
  await assert.rejects(exporter.export({ ...spec, pool: 'p', size }, { path, size }, [claim], op), leaving)
  assert.deepEqual(host.said, [])
})
