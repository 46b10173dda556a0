// A string that prints as *** everywhere; only the folder `host` calls `reveal`.
import { inspect } from 'node:util'

export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** A text with secrets in it is one too. */
  static join(parts: readonly (string | Secret)[]): Secret {
    return new Secret(parts.map(part => (part instanceof Secret ? part.#value : part)).join(''))
  }

  get byteLength(): number {
    return Buffer.byteLength(this.#value)
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '***'
  }

  toJSON(): string {
    return '***'
  }

  [inspect.custom](): string {
    return '***'
  }
}
