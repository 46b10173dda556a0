// What programs print: the end of it, or what comes before a seal.
import type { Readable } from 'node:stream'
import { CommandFailed } from '../volume/errors.ts'

/** A tool that prints more than this is not one of ours: the most is a direct read of 1 MiB. */
export const MAX_OUTPUT = 4 * 1024 * 1024

/** Answers how to get the last MAX_OUTPUT bytes that the stream has brought. */
export function keepEnd(stream: Readable, encoding: BufferEncoding): () => string {
  let chunks: Buffer[] = []
  let length = 0
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    length += chunk.length
    if (length <= 2 * MAX_OUTPUT) return
    chunks = [Buffer.concat(chunks).subarray(-MAX_OUTPUT)]
    length = MAX_OUTPUT
  })
  return () => Buffer.concat(chunks).subarray(-MAX_OUTPUT).toString(encoding)
}

/** What a stream brings up to the seal. */
export class Sealed {
  readonly whole: Promise<void>
  readonly #stream: Readable
  readonly #listener: (chunk: Buffer) => void
  readonly #seal: Buffer
  #bytes = Buffer.alloc(0)

  constructor(stream: Readable, seal: string) {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.whole = promise
    this.#stream = stream
    this.#seal = Buffer.from(`\n${seal}\n`)
    this.#listener = chunk => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      if (this.#isSealed()) resolve()
      else if (this.#bytes.length > 2 * MAX_OUTPUT) reject(endless())
    }
    stream.on('data', this.#listener)
  }

  #isSealed(): boolean {
    return this.#bytes.subarray(-this.#seal.length).equals(this.#seal)
  }

  text(encoding: BufferEncoding): string {
    return this.#bytes.subarray(0, this.#isSealed() ? -this.#seal.length : undefined).toString(encoding)
  }

  close(): void {
    this.#stream.off('data', this.#listener)
  }
}

function endless(): CommandFailed {
  return new CommandFailed({
    asked: 'run a line',
    found: 'it prints without end',
    next: 'see the log',
    code: undefined,
  })
}
