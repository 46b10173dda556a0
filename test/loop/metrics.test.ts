// The metrics of a real driver: what a scraper reads while volumes are made, used, and fall ill.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { waitUntil } from '../patience.ts'
import { refused, useDriver } from './harness.ts'

/** Free a moment ago. */
const port = await new Promise<number>(resolve => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const address = probe.address()
    probe.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
  })
})
const bench = useDriver({ config: { metricsAddress: `127.0.0.1:${port}` } })
const { driver } = bench

const COMMENT = /^# (?:HELP [a-z_]+ .+\.|TYPE [a-z_]+ (?:counter|gauge|histogram))$/
const SAMPLE = /^([a-z_]+(?:\{[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})?) (\S+)$/

/** By name and labels, as they stand in the text; fails for a line that is not of the format. */
async function scrape(): Promise<Map<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  assert.ok(text.endsWith('\n'))
  const lines = text.slice(0, -1).split('\n')
  const samples = lines.filter(line => !COMMENT.test(line)).map(line => SAMPLE.exec(line) ?? assert.fail(line))
  const found = new Map(samples.map(([, name = '', value]) => [name, Number(value)]))
  assert.ok([...found.values()].every(Number.isFinite))
  // A series that is there twice fails the whole scrape.
  assert.equal(found.size, samples.length)
  return found
}

test('pools, calls and staged volumes are counted as they are', async () => {
  const volume = await bench.volume().create()
  await (await (await volume.publish()).stage()).publishAt(bench.path('pod'))
  await refused(driver.call('Controller', 'ControllerPublishVolume', {}), 'INVALID_ARGUMENT')
  const found = await scrape()
  const of = (name: string) => found.get(name)
  assert.deepEqual(
    [
      of('ashlar_pool_answers{pool="default"}'),
      of('ashlar_pool_volumes{pool="default"}'),
      of('ashlar_pool_snapshots{pool="default"}'),
    ],
    [1, 1, 0],
  )
  assert.equal(of('ashlar_pool_promised_bytes{pool="default"}'), volume.size)
  const [size = 0, free = 0] = ['size', 'free'].map(each => of(`ashlar_pool_${each}_bytes{pool="default"}`))
  assert.ok(free > 0 && free < size)
  assert.equal(of('ashlar_calls_total{method="CreateVolume",code="OK"}'), 1)
  assert.equal(of('ashlar_calls_total{method="ControllerPublishVolume",code="INVALID_ARGUMENT"}'), 1)
  assert.equal(of('ashlar_call_duration_seconds_count{method="NodeStageVolume"}'), 1)
  assert.equal(of('ashlar_call_duration_seconds_bucket{method="NodeStageVolume",le="+Inf"}'), 1)
  assert.ok([...found.keys()].some(name => /^ashlar_build_info\{.*version="\d+\./.test(name)))
  await waitUntil('the staged volume', async () => (await scrape()).get('ashlar_volumes_staged') === 1)
})

test('a volume whose filesystem stops taking writes is named until it is well', async () => {
  const volume = await bench.volume().create()
  await (await volume.publish()).stage()
  const isIll = async () => (await scrape()).get(`ashlar_volume_abnormal{volume="${volume.id}"}`) === 1
  const remount = (how: 'ro' | 'rw') => execFileSync('mount', ['-o', `remount,${how}`, volume.staging])
  assert.equal(await isIll(), false)
  remount('ro')
  await waitUntil('the ill volume', isIll)
  remount('rw')
  await waitUntil('the well volume', async () => !(await isIll()))
})

test('a driver that was killed counts anew, and serves volumes also where somebody else has the address', async () => {
  await driver.kill()
  const squatter = createServer()
  await new Promise<void>(resolve => squatter.listen(port, '127.0.0.1', resolve))
  await driver.start()
  await bench.volume().create()
  assert.match(driver.log, /EADDRINUSE/)
  await new Promise(resolve => squatter.close(resolve))
  await driver.kill()
  await driver.start()
  assert.equal((await scrape()).get('ashlar_calls_total{method="CreateVolume",code="OK"}'), undefined)
})
