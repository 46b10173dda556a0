// Tests of serving metrics: the text format, who is answered what, and that the driver does without when it must.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { it } from 'node:test'
import { recordingLogger } from '../../test/fixtures.ts'
import { gauge, type Measured } from '../volume/metric.ts'
import { SILENT } from '../volume/op.ts'
import { expose, serveMetrics } from './metrics.ts'

it('is the text that Prometheus reads: buckets that count the ones below, and labels whose characters are escaped', () => {
  const measured: Measured[] = [
    gauge('a_bytes', 'What is there.', [
      { labels: {}, value: 0 },
      { labels: { path: 'a"b\\c\nd', other: 'x' }, value: 2 ** 60 },
    ]),
    gauge('none', 'Of nothing.', []),
    {
      name: 'took_seconds',
      help: 'How long.',
      type: 'histogram',
      bounds: [0.5, 10],
      series: [{ labels: { method: 'M' }, counts: [2, 0, 1], sum: 12.5 }],
    },
  ]
  assert.equal(
    expose(measured),
    [
      '# HELP a_bytes What is there.',
      '# TYPE a_bytes gauge',
      'a_bytes 0',
      'a_bytes{path="a\\"b\\\\c\\nd",other="x"} 1152921504606847000',
      '# HELP none Of nothing.',
      '# TYPE none gauge',
      '# HELP took_seconds How long.',
      '# TYPE took_seconds histogram',
      'took_seconds_bucket{method="M",le="0.5"} 2',
      'took_seconds_bucket{method="M",le="10"} 2',
      'took_seconds_bucket{method="M",le="+Inf"} 3',
      'took_seconds_sum{method="M"} 12.5',
      'took_seconds_count{method="M"} 3',
      '',
    ].join('\n'),
  )
})

it('answers /metrics alone, never measures twice at once, and goes on after a failure', async () => {
  let [running, most] = [0, 0]
  let failure: Error | undefined
  const collect = async () => {
    running += 1
    most = Math.max(most, running)
    await new Promise(resolve => setTimeout(resolve, 20))
    running -= 1
    if (failure) throw failure
    return [gauge('x', 'X.', [{ labels: {}, value: 7 }])]
  }
  const lines: string[] = []
  const port = await serveMetrics('127.0.0.1:0', collect, recordingLogger(lines))
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
  for (const answer of await Promise.all(Array.from({ length: 5 }, () => get('/metrics')))) {
    assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
    assert.deepEqual([answer.status, await answer.text()], [200, '# HELP x X.\n# TYPE x gauge\nx 7\n'])
  }
  assert.equal(most, 1)
  assert.deepEqual([(await get('/')).status, (await get('/metrics/x')).status], [404, 404])
  assert.equal((await get('/metrics?name=x')).status, 200)
  failure = new Error('no pool')
  assert.deepEqual([(await get('/metrics')).status, lines.length], [500, 1])
  failure = undefined
  assert.equal((await get('/metrics')).status, 200)
})

it('gives up an address that somebody else has, and says so', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const lines: string[] = []
  const { port } = other.address() as AddressInfo
  assert.equal(await serveMetrics(`127.0.0.1:${port}`, async () => [], recordingLogger(lines)), undefined)
  assert.match(lines.join(), /EADDRINUSE/)
  assert.notEqual(await serveMetrics('[::1]:0', async () => [], SILENT), undefined)
  other.close()
})
