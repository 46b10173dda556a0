// A mounted volume grows from 1 to 3 GiB under a running writer, who never sees an error; all sizes agree afterwards.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { refused, useDriver } from './harness.ts'
import { hasSysResource, peek, run } from './machine.ts'
import { GIB, type TestVolume } from './volume.ts'

const bench = useDriver()

/** Writes and syncs 4 KiB pages until told to stop; each page bears its number. Dies of the first error. */
const WRITER = `
const fs = require('node:fs')
const file = fs.openSync(process.argv[1], process.argv[2])
const page = Buffer.alloc(4096)
let n = 0
process.stdin.on('end', () => { process.stdout.write(String(n)); process.exit(0) })
process.stdin.resume()
const step = () => {
  page.writeBigUInt64LE(BigInt(n), 0)
  fs.writeSync(file, page, 0, 4096, n * 4096)
  fs.fdatasyncSync(file)
  n += 1
  if (n === 5) process.stderr.write('running')
  setImmediate(step)
}
step()
`

async function startWriter(path: string, flags: string): Promise<ChildProcess> {
  const writer = spawn(process.execPath, ['-e', WRITER, path, flags], { stdio: ['pipe', 'pipe', 'pipe'] })
  const [first] = (await once(writer.stderr, 'data')) as [Buffer]
  assert.equal(String(first), 'running')
  return writer
}

/** How many pages it wrote. */
async function stopWriter(writer: ChildProcess): Promise<number> {
  let count = ''
  let complaint = ''
  writer.stdout?.on('data', (chunk: Buffer) => (count += String(chunk)))
  writer.stderr?.on('data', (chunk: Buffer) => (complaint += String(chunk)))
  writer.stdin?.end()
  const [code] = (await once(writer, 'close')) as [number | null]
  assert.deepEqual({ code, complaint }, { code: 0, complaint: '' }, 'the writer saw an error')
  return Number(count)
}

function requireEveryPage(path: string, pages: number): void {
  const content = peek(path, 0, pages * 4096)
  for (let n = 0; n < pages; n += 1) assert.equal(content.readBigUInt64LE(n * 4096), BigInt(n), `page ${n}`)
}

interface Usage {
  usage: { unit: string; total: string }[]
}

async function totalOf(volume: TestVolume, path: string): Promise<number> {
  const { usage } = await bench.driver.call<Usage>('Node', 'NodeGetVolumeStats', {
    volume_id: volume.id,
    volume_path: path,
  })
  return Number(usage.find(each => each.unit === 'BYTES')?.total)
}

for (const kind of ['ext4', 'xfs', 'block'] as const) {
  test(`a ${kind} volume grows from 1 to 3 GiB under a running writer`, async () => {
    const volume = bench.volume({ as: kind, size: GIB })
    await volume.up()
    const target = await volume.publishAt(bench.path('t'))
    const path = kind === 'block' ? target : join(target, 'file')
    const writer = await startWriter(path, kind === 'block' ? 'r+' : 'w')
    bench.defer(() => writer.kill('SIGKILL'))

    assert.equal(await volume.expand(3 * GIB), 3 * GIB)
    const canGrow = kind !== 'ext4' || hasSysResource()
    if (canGrow) assert.equal(await volume.expandOnNode(target), 3 * GIB)
    else await refused(volume.expandOnNode(target), 'FAILED_PRECONDITION', /CAP_SYS_RESOURCE.*privileged/)

    const pages = await stopWriter(writer)
    requireEveryPage(path, pages)
    assert.equal(Number(run('blockdev', '--getsize64', volume.device)), 3 * GIB)
    const total = await totalOf(volume, target)
    if (kind === 'block') assert.equal(total, 3 * GIB)
    else {
      const [shown] = run('df', '--block-size=1', '--output=size', target).trim().split('\n').slice(-1).map(Number)
      assert.equal(total, shown)
      // What a filesystem keeps for itself is below a tenth.
      const device = canGrow ? 3 * GIB : GIB
      assert.ok(total > 0.9 * device && total <= device, `${total} of ${device}`)
    }
  })
}
