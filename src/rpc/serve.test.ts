// Tests of serving: a dead socket goes, a live one stays, and nothing else at its path is touched.
import assert from 'node:assert/strict'
import { link, lstat, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type Server, type ServiceError, status } from '@grpc/grpc-js'
import { temporaryFolder } from '../../test/fixtures.ts'
import { connect } from './client.ts'
import { csi } from './proto.ts'
import { drain, parseEndpoint, serve } from './serve.ts'

const services = [
  {
    definition: csi.Identity.service,
    implementation: {
      Probe: (_: unknown, answer: (error: null, reply: object) => void) => answer(null, { ready: { value: true } }),
    },
  },
]
async function start(t: TestContext, address: string, socketMode = 0o600): Promise<Server> {
  const server = await serve({ endpoint: { kind: 'unix', address }, socketMode, services })
  t.after(() => server.forceShutdown())
  return server
}
async function answers(address: string): Promise<boolean> {
  const client = connect(address)
  try {
    return (await client.call<{ ready: { value: boolean } }>('Identity', 'Probe', {}, 5000)).ready.value
  } finally {
    client.close()
  }
}

describe('an endpoint', () => {
  it('is a unix socket in any of its spellings', () => {
    for (const text of ['unix:///run/csi.sock', 'unix:/run/csi.sock', '/run/csi.sock'])
      assert.deepEqual(parseEndpoint(text, false), { kind: 'unix', address: '/run/csi.sock' })
  })

  it('is TCP only when that was asked for', () => {
    assert.throws(() => parseEndpoint('tcp://127.0.0.1:1', false), /--allow-tcp/)
    assert.deepEqual(parseEndpoint('tcp://127.0.0.1:1', true), { kind: 'tcp', address: '127.0.0.1:1' })
  })

  it('that is relative, of another kind, or too long for the kernel is refused', () => {
    for (const text of ['', 'unix://run/csi.sock', 'csi.sock', 'http://x:1', 'tcp://127.0.0.1', 'tcp://'])
      assert.throws(() => parseEndpoint(text, true), /absolute/, text)
    const path = (bytes: number) => `/${'ä'.repeat(50)}${'x'.repeat(bytes - 101)}`
    assert.equal(Buffer.byteLength(parseEndpoint(path(107), false).address), 107)
    assert.throws(() => parseEndpoint(path(108), false), /at most 107 bytes/)
  })
})

describe('serving', () => {
  it('makes the folder, sets the mode, and leaves the umask as it was', async t => {
    const address = join(await temporaryFolder(t), 'a', 'b', 'csi.sock')
    const before = process.umask()
    await start(t, address, 0o660)
    assert.equal((await stat(address)).mode & 0o777, 0o660)
    assert.equal(process.umask(), before)
    assert.equal(await answers(address), true)
  })

  it('removes the socket that a dead process left', async t => {
    const address = join(await temporaryFolder(t), 'csi.sock')
    const dead = createServer()
    await new Promise<void>(resolve => dead.listen(`${address}.0`, resolve))
    await link(`${address}.0`, address)
    await new Promise(resolve => dead.close(resolve)) // unlinks the one name, as a killed process would not
    assert.ok((await lstat(address)).isSocket())
    await start(t, address)
    assert.equal(await answers(address), true)
  })

  it('does not steal a live socket', async t => {
    const address = join(await temporaryFolder(t), 'csi.sock')
    await start(t, address)
    await assert.rejects(start(t, address), /another process is serving it/)
    assert.equal(await answers(address), true)
  })

  it('waits for one that lives a moment longer than its process', async t => {
    const address = join(await temporaryFolder(t), 'csi.sock')
    const dying = createServer()
    await new Promise<void>(resolve => dying.listen(`${address}.0`, resolve))
    await link(`${address}.0`, address)
    setTimeout(() => dying.close(), 200)
    await start(t, address)
    assert.equal(await answers(address), true)
  })

  it('does not touch what is no socket', async t => {
    const address = join(await temporaryFolder(t), 'csi.sock')
    await writeFile(address, 'precious')
    await assert.rejects(start(t, address), /not a socket/)
    assert.equal(await readFile(address, 'utf8'), 'precious')
  })

  it('drains at once when nothing runs, and cuts off what runs too long', async t => {
    const folder = await temporaryFolder(t)
    assert.equal(await drain(await start(t, join(folder, 'idle.sock')), 10_000), true)
    const address = join(folder, 'busy.sock')
    const called = Promise.withResolvers<void>()
    const hanging = [{ definition: csi.Identity.service, implementation: { Probe: () => called.resolve() } }]
    const server = await serve({ endpoint: { kind: 'unix', address }, socketMode: 0o600, services: hanging })
    const call = answers(address)
    await called.promise
    const [inTime] = await Promise.all([
      drain(server, 20),
      assert.rejects(call, (error: ServiceError) => error.code !== status.DEADLINE_EXCEEDED),
    ])
    assert.equal(inTime, false)
  })
})
