// Runs on a node: writers that number what they write, past the page cache, and readers that find it again.
import { constants, type FileHandle, open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { serveMailbox } from './mailbox.ts'

export type Question =
  /** Starts to write numbered pages to a device or file, round and round. */
  | {
      readonly do: 'write'
      readonly writer: string
      readonly path: string
      readonly pauseMs?: number
      readonly from?: number
      /** Of several that write to one device each has its own; 0 when not given. */
      readonly region?: number
    }
  | { readonly do: 'status'; readonly writer: string }
  | { readonly do: 'stop'; readonly writer: string }
  /** What is on the device now. */
  | { readonly do: 'read'; readonly path: string; readonly region?: number }
  /** Answers all of them: to carry a question costs an emulated processor more than to answer it. */
  | { readonly do: 'each'; readonly of: readonly Question[] }

export interface Status {
  /** Number of the last write that was acknowledged; 0: none. */
  readonly acknowledged: number
  readonly errors: number
  readonly lastError: string
  readonly longestMs: number
  readonly ended: boolean
}

export interface Contents {
  /** Numbers by slot; 0: never written. */
  readonly numbers: readonly number[]
  readonly writers: readonly string[]
  /** Slots whose page is neither whole nor empty. */
  readonly torn: readonly number[]
}

const PAGE = 4096
export const SLOTS = 64
/** Behind what mkfs and partition tools look at. */
const START = 1024 * 1024
const placeOf = (region: number, slot: number): number => START + (region * SLOTS + slot) * PAGE

/** O_DIRECT wants an aligned buffer, and WebAssembly memory begins on a page. */
const alignedBuffer = (): Buffer => {
  // Its types come with those of browsers.
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Memory: new (of: { initial: number }) => { buffer: ArrayBuffer } }
  }
  return Buffer.from(new WebAssembly.Memory({ initial: 1 }).buffer, 0, PAGE)
}

const fill = (buffer: Buffer, writer: string, number: number): void => {
  buffer.fill('.')
  const text = JSON.stringify({ writer, number })
  buffer.write(`${crc32(text).toString(16).padStart(8, '0')} ${text}\n`)
}

const parse = (page: Buffer): { writer: string; number: number } | 'empty' | 'torn' => {
  if (page.every(byte => byte === 0)) return 'empty'
  const line = page.toString('latin1').split('\n', 1)[0] ?? ''
  const [sum = '', text = ''] = [line.slice(0, 8), line.slice(9)]
  const isWhole =
    crc32(text).toString(16).padStart(8, '0') === sum && page.subarray(line.length + 1).every(byte => byte === 0x2e)
  return isWhole ? (JSON.parse(text) as { writer: string; number: number }) : 'torn'
}

interface Writer {
  status: { -readonly [K in keyof Status]: Status[K] }
  stopping: boolean
}

const writers = new Map<string, Writer>()

const FLAGS = constants.O_DIRECT | constants.O_DSYNC

async function write({ writer, path, pauseMs = 0, from = 1, region = 0 }: Question & { do: 'write' }): Promise<void> {
  const file = await open(path, constants.O_WRONLY | FLAGS)
  const status = { acknowledged: 0, errors: 0, lastError: '', longestMs: 0, ended: false }
  const self: Writer = { status, stopping: false }
  writers.set(writer, self)
  void (async () => {
    const buffer = alignedBuffer()
    for (let number = from; !self.stopping; ) {
      fill(buffer, writer, number)
      const started = performance.now()
      try {
        await file.write(buffer, 0, PAGE, placeOf(region, number % SLOTS))
        status.acknowledged = number
        number += 1
      } catch (error) {
        status.errors += 1
        status.lastError = String(error)
        await new Promise(resolve => setTimeout(resolve, 100))
      }
      status.longestMs = Math.max(status.longestMs, performance.now() - started)
      if (pauseMs > 0) await new Promise(resolve => setTimeout(resolve, pauseMs))
    }
    await closeQuietly(file)
    status.ended = true
  })()
}

/** After a lost session even close(2) may report what was lost. */
async function closeQuietly(file: FileHandle): Promise<void> {
  await file.close().catch(() => undefined)
}

async function read({ path, region = 0 }: Question & { do: 'read' }): Promise<Contents> {
  const file = await open(path, constants.O_RDONLY | constants.O_DIRECT)
  const buffer = alignedBuffer()
  const [numbers, names, torn]: [number[], Set<string>, number[]] = [[], new Set(), []]
  try {
    for (let slot = 0; slot < SLOTS; slot += 1) {
      await file.read(buffer, 0, PAGE, placeOf(region, slot))
      const found = parse(buffer)
      if (found === 'torn') torn.push(slot)
      numbers.push(typeof found === 'object' ? found.number : 0)
      if (typeof found === 'object') names.add(found.writer)
    }
  } finally {
    await file.close()
  }
  return { numbers, writers: [...names], torn }
}

const writerOf = (name: string): Writer => {
  const writer = writers.get(name)
  if (!writer) throw new Error(`there is no writer ${name}`)
  return writer
}

async function handle(question: Question): Promise<unknown> {
  switch (question.do) {
    case 'write':
      return await write(question)
    case 'status':
      return writerOf(question.writer).status
    case 'stop': {
      const writer = writerOf(question.writer)
      writer.stopping = true
      return writer.status
    }
    case 'read':
      return await read(question)
    case 'each':
      return await Promise.all(question.of.map(handle))
  }
}

if (import.meta.main) await serveMailbox(process.argv[2] ?? '', handle)
