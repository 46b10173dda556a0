// A workload that knows what it was promised: checksummed records, acknowledged only when fsync has answered.
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'

/** One page: what O_DIRECT can read and write at any offset. */
export const RECORD = 4096
const NAME_AT = 16
const NAME_BYTES = 240
/** No volume gets more, so that the smallest has room. */
const MOST = 2048
const PAUSE_MS = 10

/** What the workload of one volume may rely on. */
export interface Ledger {
  readonly volume: string
  /** Records 0 to this one less one are durable. */
  acknowledged: number
}

export interface Writer {
  /** Answers when at least so many records are acknowledged. */
  reached(count: number): Promise<void>
  /** Answers when the last record is acknowledged and the file is closed. Throws what went wrong while writing. */
  stop(): Promise<void>
}

declare const WebAssembly: { Memory: new (pages: { initial: number }) => { buffer: ArrayBuffer } }

/** 64 KiB. O_DIRECT wants aligned memory, and this is the only kind here that is aligned for certain. */
const alignedPages = (): Buffer => Buffer.from(new WebAssembly.Memory({ initial: 1 }).buffer)

/** Record n of a volume: checksum, number, name, and bytes that differ from record to record. */
const fillRecord = (page: Buffer, volume: string, sequence: number): void => {
  page.fill(`${sequence}/${volume}.`, 0, RECORD)
  page.writeUInt32LE(sequence, 4)
  page.write(volume.padEnd(NAME_BYTES, '\0'), NAME_AT, 'latin1')
  page.writeUInt32LE(crc32(page.subarray(4, RECORD)), 0)
}

/** What is wrong with a page that should hold the record; undefined when nothing is. */
const faultOf = (page: Buffer, volume: string, sequence: number): string | undefined => {
  if (page.every(byte => byte === 0)) return 'zeroes'
  if (page.readUInt32LE(0) !== crc32(page.subarray(4))) return 'a wrong checksum'
  const name = page.toString('latin1', NAME_AT, NAME_AT + NAME_BYTES).replace(/\0+$/, '')
  if (name !== volume) return `a record of ${name}`
  const found = page.readUInt32LE(4)
  return found === sequence ? undefined : `record ${found}`
}

/** Appends records to a file, or to a device past all caches, until it is told to stop. */
export const startWriter = (path: string, ledger: Ledger, access: 'mount' | 'block'): Writer => {
  const state = { stopping: false, failure: undefined as unknown }
  const writing = write(path, ledger, access, state).catch((error: unknown) => {
    state.failure = error
  })
  const stop = async () => {
    state.stopping = true
    await writing
    if (state.failure !== undefined) throw new Error(`the workload on ${path} failed: ${String(state.failure)}`)
  }
  return {
    stop,
    async reached(count) {
      while (ledger.acknowledged < Math.min(count, MOST)) {
        if (state.failure !== undefined) await stop()
        await sleep(PAUSE_MS)
      }
    },
  }
}

const write = async (
  path: string,
  ledger: Ledger,
  access: 'mount' | 'block',
  state: { stopping: boolean },
): Promise<void> => {
  const page = alignedPages().subarray(0, RECORD)
  const file = await open(path, constants.O_RDWR | (access === 'block' ? constants.O_DIRECT : constants.O_CREAT))
  try {
    while (!state.stopping) {
      if (ledger.acknowledged < MOST) {
        fillRecord(page, ledger.volume, ledger.acknowledged)
        const { bytesWritten } = await file.write(page, 0, RECORD, ledger.acknowledged * RECORD)
        if (bytesWritten !== RECORD) throw new Error(`wrote ${bytesWritten} of ${RECORD} bytes`)
        await file.sync()
        ledger.acknowledged += 1
      }
      await sleep(PAUSE_MS)
    }
  } finally {
    await file.close()
  }
}

/** The acknowledged records that a file or device does not give back, each in words; read past the page cache. */
export const lostRecords = async (path: string, { volume, acknowledged }: Ledger): Promise<string[]> => {
  if (acknowledged === 0) return []
  const pages = alignedPages()
  const lost: string[] = []
  const file = await open(path, constants.O_RDONLY | constants.O_DIRECT).catch((error: unknown) => String(error))
  if (typeof file === 'string') return Array.from({ length: acknowledged }, (_, n) => `${volume}: record ${n}: ${file}`)
  try {
    for (let first = 0; first < acknowledged; first += pages.length / RECORD) {
      const { bytesRead } = await file.read(pages, 0, pages.length, first * RECORD)
      const count = Math.min(acknowledged - first, pages.length / RECORD)
      for (let n = 0; n < count; n += 1) {
        const end = (n + 1) * RECORD
        const fault =
          end <= bytesRead ? faultOf(pages.subarray(end - RECORD, end), volume, first + n) : 'the end of the file'
        if (fault !== undefined) lost.push(`${volume}: record ${first + n} of ${acknowledged}: ${path} has ${fault}`)
      }
    }
  } finally {
    await file.close()
  }
  return lost
}
