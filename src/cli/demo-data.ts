// The demo's workload: bytes with a checksum, and a writer that goes on while the volume grows.
import { createHash, randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

const CHUNK = 1024 * 1024
const RECORD = 4096
const PAUSE_MS = 5

/** A range of bytes in a file or a device, and what it holds. */
export interface Written {
  readonly path: string
  readonly offset: number
  readonly length: number
  readonly sha256: string
}

export interface Writer {
  /** Waits until this many more records are on the disk; throws what the writer met. */
  more(records: number): Promise<void>
  stop(): Promise<Written>
}

/** Writes random bytes and waits until they are on the disk. `wx` makes a file, `r+` writes into a device. */
export async function writeRandom(
  path: string,
  { flags, offset, length, signal }: { flags: 'wx' | 'r+'; offset: number; length: number; signal: AbortSignal },
): Promise<Written> {
  const file = await open(path, flags)
  try {
    const hash = createHash('sha256')
    for (let at = 0; at < length; at += CHUNK) {
      signal.throwIfAborted()
      const chunk = randomBytes(Math.min(CHUNK, length - at))
      hash.update(chunk)
      await writeAll(file, chunk, offset + at)
    }
    await file.sync()
    return { path, offset, length, sha256: hash.digest('hex') }
  } finally {
    await file.close()
  }
}

/** Throws unless the bytes are what was written. */
export async function verify({ path, offset, length, sha256 }: Written, signal: AbortSignal): Promise<void> {
  const file = await open(path, 'r')
  try {
    const hash = createHash('sha256')
    const buffer = Buffer.alloc(CHUNK)
    for (let at = 0; at < length; ) {
      signal.throwIfAborted()
      const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK, length - at), offset + at)
      if (bytesRead === 0) throw new Error(`${path} ends after ${at} of ${length} bytes`)
      hash.update(buffer.subarray(0, bytesRead))
      at += bytesRead
    }
    const found = hash.digest('hex')
    if (found !== sha256) throw new Error(`${path} has SHA-256 ${found}, written was ${sha256}: data was lost`)
  } finally {
    await file.close()
  }
}

/** Writes one record after the other, each one on the disk before the next, until it is stopped. */
export async function startWriter(path: string, flags: 'wx' | 'r+', offset: number): Promise<Writer> {
  const file = await open(path, flags)
  const hash = createHash('sha256')
  let records = 0
  const stopping = new AbortController()
  let failure: unknown
  const work = (async () => {
    while (!stopping.signal.aborted) {
      const record = randomBytes(RECORD)
      await writeAll(file, record, offset + records * RECORD)
      await file.datasync()
      hash.update(record)
      records += 1
      await sleep(PAUSE_MS)
    }
  })().catch((error: unknown) => {
    failure = error ?? new Error('the writer failed')
  })
  const check = () => {
    if (failure !== undefined) throw new Error(`the writer met an error: ${String(failure)}`)
  }
  return {
    async more(count) {
      const goal = records + count
      while (records < goal) {
        check()
        await sleep(PAUSE_MS)
      }
    },
    async stop() {
      stopping.abort()
      await work
      await file.close()
      check()
      return { path, offset, length: records * RECORD, sha256: hash.digest('hex') }
    },
  }
}

type Sink = Awaited<ReturnType<typeof open>>

async function writeAll(file: Sink, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}
