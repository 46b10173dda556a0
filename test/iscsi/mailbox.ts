// Questions and answers between the host and programs in VMs, as files of the folder that they share.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** The folder tells nobody of changes. */
const LOOK_MS = 60

const write = (path: string, content: unknown): void => {
  writeFileSync(`${path}.draft`, JSON.stringify(content))
  renameSync(`${path}.draft`, path)
}

/** Answers every question, many at a time, until the process is ended. A handler that throws is answered as `{ thrown }`. */
export async function serveMailbox(folder: string, handle: (question: never) => Promise<unknown>): Promise<never> {
  const [questions, answers] = [join(folder, 'in'), join(folder, 'out')]
  for (const each of [questions, answers]) mkdirSync(each, { recursive: true })
  for (;;) {
    for (const name of readdirSync(questions).filter(each => each.endsWith('.json'))) {
      const path = join(questions, name)
      const question = JSON.parse(readFileSync(path, 'utf8')) as never
      rmSync(path)
      void handle(question)
        .catch((error: unknown) => ({ thrown: String(error) }))
        .then(answer => write(join(answers, name), answer ?? {}))
    }
    await sleep(LOOK_MS)
  }
}

/** The asking side. */
export class Mailbox {
  readonly #folder: string
  #asked = 0

  constructor(folder: string) {
    this.#folder = folder
    for (const each of ['in', 'out']) mkdirSync(join(folder, each), { recursive: true })
  }

  /** Throws when the other side does not answer in time, or its handler threw. */
  async ask<Answer>(question: object, timeoutMs: number): Promise<Answer> {
    this.#asked += 1
    // A VM that was power-cut may have left answers to questions of its former life.
    const name = `${process.pid}-${this.#asked}.json`
    write(join(this.#folder, 'in', name), question)
    const path = join(this.#folder, 'out', name)
    const deadline = Date.now() + timeoutMs
    while (!existsSync(path)) {
      if (Date.now() > deadline) throw new Error(`no answer within ${timeoutMs} ms: ${JSON.stringify(question)}`)
      await sleep(10)
    }
    const answer = JSON.parse(readFileSync(path, 'utf8')) as Answer & { thrown?: string }
    rmSync(path)
    if (answer.thrown !== undefined) throw new Error(answer.thrown)
    return answer
  }
}
