// The two ways data comes out of a VM: lines over a unix socket and files that grow.
import { closeSync, openSync, readSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { LabError } from './error.ts'

/** A unix socket that speaks lines. */
export class Lines {
  readonly #socket: Socket
  readonly #lines: AsyncGenerator<string>
  readonly #timer: NodeJS.Timeout

  /** Connects; the whole conversation must end within `timeout` seconds. */
  static async connect(file: string, timeout: number): Promise<Lines> {
    const deadline = Date.now() + timeout * 1000
    const late = new LabError(`no answer within ${timeout} s`)
    for (;;) {
      const socket = createConnection(file)
      try {
        await new Promise<void>((resolve, reject) => {
          socket.once('connect', resolve).once('error', reject)
        })
        return new Lines(socket, deadline - Date.now(), late)
      } catch (error) {
        socket.destroy()
        // QEMU serves one client at a time; a few more may queue.
        const { code } = error as NodeJS.ErrnoException
        if (code !== 'EAGAIN' && code !== 'ECONNREFUSED') throw error
        if (Date.now() > deadline) throw late
        await sleep(20)
      }
    }
  }

  private constructor(socket: Socket, milliseconds: number, late: Error) {
    this.#socket = socket
    this.#lines = split(socket)
    this.#timer = setTimeout(() => socket.destroy(late), milliseconds)
  }

  write(line: string): void {
    this.#socket.write(`${line}\n`)
  }

  async next(): Promise<string> {
    const result = await this.#lines.next()
    if (result.done === true) throw new LabError('the connection was closed')
    return result.value
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#socket.on('error', () => {}).destroy()
  }
}

async function* split(socket: Socket): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of socket.setEncoding('utf8')) {
    const parts = (rest + String(chunk)).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) yield part.trim()
  }
}

export type Sink = (chunk: Buffer) => void

/** Follows a growing file; without a sink it collects. */
export class Tail {
  readonly #fd: number
  readonly #chunks: Buffer[] = []
  readonly #sink: Sink

  constructor(file: string, sink?: Sink) {
    this.#fd = openSync(file, 'r')
    this.#sink = sink ?? (chunk => this.#chunks.push(chunk))
  }

  pump(): void {
    for (;;) {
      const chunk = Buffer.alloc(65536)
      const length = readSync(this.#fd, chunk, 0, chunk.length, null)
      if (length === 0) return
      this.#sink(chunk.subarray(0, length))
    }
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** What was collected. */
  get text(): string {
    return Buffer.concat(this.#chunks).toString()
  }
}
