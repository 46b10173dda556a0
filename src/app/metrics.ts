// Serves what the driver measures, in the text format that Prometheus reads, to whoever may connect: numbers and ids, no more.
import { once } from 'node:events'
import { counter, gauge, type Histogram, type Measured, type Metric } from '../volume/metric.ts'
import type { Logger } from '../volume/op.ts'

// Imported as others are, it would load Node's HTTP client as well: a tenth of the driver's start.
const { createServer } = process.getBuiltinModule('node:http')

/** Version 0.0.4: every scraper knows it. */
const TEXT = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * Answers GET /metrics at IP:PORT, or :PORT for all addresses. Volumes are worth more than numbers about them: what goes
 * wrong here is logged. Answers the port, or undefined when nobody can listen there.
 */
export async function serveMetrics(
  address: string,
  collect: () => Promise<readonly Measured[]>,
  log: Logger,
): Promise<number | undefined> {
  let collecting: Promise<readonly Measured[]> | undefined
  const server = createServer((request, response) => {
    if (request.url?.split('?', 1)[0] !== '/metrics') return void response.writeHead(404).end()
    // Of several that ask at once each is told the same.
    collecting ??= collect().finally(() => {
      collecting = undefined
    })
    collecting.then(
      measured => response.writeHead(200, { 'content-type': TEXT }).end(expose(measured)),
      (error: unknown) => {
        log.error({ err: error }, 'could not measure')
        response.writeHead(500).end()
      },
    )
  })
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  server.listen({ port: Number(address.slice(colon + 1)), ...(host !== '' && { host }) })
  try {
    await once(server, 'listening')
  } catch (error) {
    log.error({ address, cause: String(error) }, 'could not listen for who reads metrics; the driver works without')
    return undefined
  }
  server.on('error', error => log.error({ err: error }, 'the server of metrics met an error'))
  server.unref()
  const bound = server.address()
  return typeof bound === 'object' ? bound?.port : undefined
}

/** Under the names that all processes use. */
export function processMetrics(labels: { role: string; driver: string; version: string }): Measured[] {
  const { user, system } = process.cpuUsage()
  const one = (value: number) => [{ labels: {}, value }]
  return [
    gauge('ashlar_build_info', 'Always 1; the labels tell what runs.', [{ labels, value: 1 }]),
    gauge('process_start_time_seconds', 'Since 1970.', one(performance.timeOrigin / 1000)),
    gauge('process_resident_memory_bytes', 'Resident memory.', one(process.memoryUsage.rss())),
    counter(
      'process_cpu_seconds_total',
      'Processor time of the driver itself, without what it runs.',
      one((user + system) / 1e6),
    ),
  ]
}

/** Every name once, with all of its samples below it, as the format demands. */
export function expose(measured: readonly Measured[]): string {
  return measured
    .map(each => {
      const lines = each.type === 'histogram' ? linesOfHistogram(each) : linesOfMetric(each)
      return [`# HELP ${each.name} ${each.help}`, `# TYPE ${each.name} ${each.type}`, ...lines, ''].join('\n')
    })
    .join('')
}

function linesOfMetric({ name, samples }: Metric): string[] {
  return samples.map(({ labels, value }) => line(name, labels, value))
}

/** Bounds are cumulative here: each counts what the one before it counts, and more. */
function linesOfHistogram({ name, bounds, series }: Histogram): string[] {
  return series.flatMap(({ labels, counts, sum }) => {
    const upTo = counts.map((_, n) => counts.slice(0, n + 1).reduce((all, each) => all + each, 0))
    const buckets = upTo.map((count, n) => {
      const le = n < bounds.length ? String(bounds[n]) : '+Inf'
      return line(`${name}_bucket`, { ...labels, le }, count)
    })
    return [...buckets, line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, upTo.at(-1) ?? 0)]
  })
}

function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`)
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
