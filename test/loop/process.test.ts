// Check 40: the processes start over what a killed one left, answer every call, end cleanly and keep secrets.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, credentials } from '@grpc/grpc-js'
import { Driver } from './driver.ts'
import { again, outcome, refused, useDriver } from './harness.ts'
import { mountsAt } from './machine.ts'
import { stopMkfs } from './mkfs.ts'

// Drains for longer than any mkfs takes: what cuts calls off has a driver of its own below.
const bench = useDriver({ config: { drainSeconds: 600 } })
const { driver } = bench
const ROOT = join(import.meta.dirname, '..', '..')

/** Runs the driver's main until it ends by itself. */
const runMain = (args: string[], env: Record<string, string> = {}) =>
  spawnSync(process.execPath, [join(ROOT, 'src', 'bin', 'all-in-one.ts'), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', ...env },
    timeout: 120_000,
  })

const probe = async () => await driver.call<{ ready: { value: boolean } | null }>('Identity', 'Probe')

test('check 40: a socket that a killed driver left is taken over, a live one and a file are not', async () => {
  const socket = driver.socket('all-in-one')
  await driver.kill()
  assert.ok(lstatSync(socket).isSocket())
  await driver.start()
  assert.deepEqual((await probe()).ready, { value: true })
  assert.equal((statSync(socket).mode & 0o777).toString(8), '660')

  const config = join(driver.folder, 'all-in-one.json')
  const second = runMain(['--config', config])
  assert.equal(second.status, 1)
  assert.match(second.stdout, /another process is serving it/)
  assert.deepEqual((await probe()).ready, { value: true })

  const file = bench.path('file')
  writeFileSync(file, 'not a socket')
  bench.defer(() => unlinkSync(file))
  const third = runMain(['--config', config, '--endpoint', `unix://${file}`])
  assert.equal(third.status, 1)
  assert.equal(readFileSync(file, 'utf8'), 'not a socket')
})

test('check 40: a wrong configuration ends with code 2 and every problem, before anything is touched', () => {
  const folder = bench.path('nothing')
  const config = bench.path('config')
  writeFileSync(
    config,
    JSON.stringify({ stateDir: folder, pools: { Bad_Name: { type: 'tape', path: folder } }, extra: 1 }),
  )
  bench.defer(() => unlinkSync(config))
  const { status, stderr } = runMain(['--config', config])
  assert.equal(status, 2)
  for (const words of [/nodeId/, /endpoint/, /extra/, /type/]) assert.match(stderr, words)
  assert.ok(!existsSync(folder))
})

test('check 40: of the environment only CSI_ENDPOINT has the prefix of the orchestrator', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts') && !name.startsWith('rpc/generated') && !name.endsWith('.test.ts'))
    .map(name => readFileSync(join(ROOT, 'src', name), 'utf8'))
  assert.ok(sources.length > 30)
  const found = new Set(sources.flatMap(text => [...text.matchAll(/env(?:\.|\[')(CSI_\w+)/g)].map(([, name]) => name)))
  assert.deepEqual([...found], ['CSI_ENDPOINT'])
  const { status, stderr } = runMain([], { CSI_ENDPOINT: 'tcp://127.0.0.1:1', NODE_ID: 'n' })
  assert.equal(status, 2)
  assert.match(stderr, /allowTcp/)
})

test('check 40: an error that nobody planned is an answer, and the driver lives on', async () => {
  const volume = await bench.volume().create()
  const document = join(driver.pool, 'volumes', volume.id, 'volume.json')
  renameSync(document, `${document}.saved`)
  mkdirSync(document) // reading a directory is an error that no code expects
  const words = await refused(volume.publish(), 'INTERNAL')
  assert.ok(!words.includes(driver.folder), 'no path of ours in an unplanned answer')
  await refused(volume.delete(), 'INTERNAL')
  rmdirSync(document)
  writeFileSync(document, 'not JSON')
  assert.match(await outcome(volume.publish()), /^(UNAVAILABLE|INTERNAL)$/)
  renameSync(`${document}.saved`, document)
  await volume.publish()
  assert.deepEqual((await probe()).ready, { value: true })
})

test('check 40: services that are not offered are UNIMPLEMENTED', async () => {
  const client = new Client(`unix:${driver.socket('all-in-one')}`, credentials.createInsecure())
  bench.defer(() => client.close())
  const same = (bytes: Buffer) => bytes
  const answer = new Promise((resolve, reject) => {
    client.makeUnaryRequest('/csi.v1.Other/Any', same, same, Buffer.alloc(0), (error, reply) =>
      error ? reject(error) : resolve(reply),
    )
  })
  await refused(answer, 'UNIMPLEMENTED')
})

test('check 40: SIGTERM lets a running mkfs end, refuses new calls and removes the socket', async () => {
  const { volume, staging, mkfs } = await stopMkfs(bench, 'ext4')
  const ended = driver.end('SIGTERM')
  while (!driver.log.includes('"draining"')) await sleep(20)
  await sleep(100)
  mkfs.resume()
  assert.equal(await outcome(staging), 'OK')
  assert.deepEqual(await ended, ['exit 0'])
  assert.ok(!existsSync(driver.socket('all-in-one')))
  assert.equal(mountsAt(volume.staging).length, 1)
  await driver.start()
  await volume.stage()
})

describe('check 40: a driver with little patience', () => {
  const impatient = useDriver({ config: { drainSeconds: 2 } })

  test('check 40: calls that do not end in time are cut off, mkfs goes on, the next driver finishes', async () => {
    const { volume, staging, mkfs } = await stopMkfs(impatient, 'ext4')
    const cut = outcome(staging)
    assert.deepEqual(await impatient.driver.end('SIGTERM'), ['exit 1'])
    assert.notEqual(await cut, 'OK')
    mkfs.resume()
    await mkfs.gone()
    const mark = impatient.driver.log.length
    await impatient.driver.start()
    await again(() => volume.stage())
    assert.ok(!impatient.driver.commands(mark).some(each => each.includes('mkfs.')), 'the first mkfs was enough')
  })
})

test('check 40: secrets are in no log, no error, no process argument and no publish context', async () => {
  const secret = 'chap-5ecret-p4ssword'
  const secrets = { 'node.session.auth.password': secret }
  const volume = bench.volume()
  await volume.create({ secrets })
  await volume.publish({ secrets })
  assert.ok(!JSON.stringify([volume.route, volume.context]).includes(secret))
  await volume.stage({ secrets })
  const target = await volume.publishAt(bench.path('t'), { secrets })
  const words = await refused(volume.publishAt(target, { secrets, readonly: true }), 'ALREADY_EXISTS')
  assert.ok(!words.includes(secret))
  await refused(volume.publish({ secrets, node_id: 'node-b' }), 'FAILED_PRECONDITION')
  await driver.call('Controller', 'DeleteVolume', { volume_id: 'gone', secrets })
  assert.ok(/"secrets":"(\*\*\*|\[Redacted\])"/.test(driver.log), 'requests with secrets were logged')
  assert.ok(!driver.log.includes(secret))
  assert.ok(!readFileSync(`/proc/${driver.pid()}/cmdline`, 'utf8').includes(secret))
})

test('the controller and the node run as two processes, and each serves its own', async () => {
  const split = new Driver({ split: true })
  bench.defer(async () => {
    assert.deepEqual(await split.end('SIGTERM'), ['exit 0', 'exit 0'])
    rmSync(split.folder, { recursive: true })
  })
  await split.start()
  await split.call('Controller', 'ListVolumes')
  await split.call('Node', 'NodeGetInfo')
})
