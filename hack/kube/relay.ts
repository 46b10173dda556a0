// Stands between sidecars and the driver's socket: holds answers back, so that a death meets work whose end nobody heard of.
import { existsSync, unlinkSync } from 'node:fs'
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import { createConnection } from 'node:net'

/** No work: sidecars ask these at their start, and some before each call. */
const QUESTIONS = /^\/csi\.v1\.Identity\/|GetCapabilities$/
const CANCEL = 8

export class Relay {
  readonly #path: string
  readonly #driver: string
  #server: Http2Server | undefined
  /** Each sidecar, and its connection to the driver: one does not outlive the other. */
  readonly #pairs = new Map<ServerHttp2Session, ClientHttp2Session>()
  #holds = false

  /** Listens at `path` and connects each who comes with `driver`. */
  constructor(path: string, driver: string) {
    this.#path = path
    this.#driver = driver
  }

  async start(): Promise<void> {
    if (existsSync(this.#path)) unlinkSync(this.#path)
    const server = createServer()
    server.on('session', near => this.#join(near))
    server.on('stream', (stream, headers) => this.#pass(stream, headers))
    server.on('sessionError', () => undefined) // it is closed, which is all there is to do
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(this.#path, resolve)
    })
  }

  #join(near: ServerHttp2Session): void {
    const far = connect('http://localhost', { createConnection: () => createConnection(this.#driver) })
    this.#pairs.set(near, far)
    const part = (): void => {
      this.#pairs.delete(near)
      near.destroy()
      far.destroy()
    }
    for (const each of [near, far]) each.on('error', part).on('close', part)
  }

  #pass(near: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const far = near.session && this.#pairs.get(near.session as ServerHttp2Session)
    if (!far || far.destroyed) {
      near.close(CANCEL)
      return
    }
    const out = far.request(headers)
    let trailers = {}
    near.on('error', () => undefined).on('close', () => out.close(near.rstCode))
    out.on('error', () => undefined).on('trailers', found => (trailers = found))
    near.pipe(out)
    out.on('response', (answer, flags) => {
      if (near.destroyed || (this.#holds && !QUESTIONS.test(String(headers[':path'])))) return
      const isAll = (flags & 1) === 1 // END_STREAM: an error, without a message
      near.respond(answer, isAll ? { endStream: true } : { waitForTrailers: true })
      near.once('wantTrailers', () => near.sendTrailers(trailers))
      if (!isAll) out.pipe(near)
    })
  }

  /** From now on the driver hears and is not heard. */
  hold(): void {
    this.#holds = true
  }

  /** Whoever was held is cut off: what was not heard is never heard. */
  release(): void {
    if (!this.#holds) return
    this.#holds = false
    this.#cut()
  }

  #cut(): void {
    for (const near of [...this.#pairs.keys()]) near.destroy()
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (!server) return
    const closed = new Promise(resolve => server.close(resolve))
    this.#cut()
    await closed
  }
}
