// How a test on the host talks to a connector that runs in a VM: questions and answers as files of a shared folder.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Sizes travel as text. */
export interface SeenDevice {
  readonly path: string
  readonly kname: string
  readonly number: string
  readonly size: string
  readonly sectorSize: number
  readonly readonly: boolean
  readonly sequence: string
}

export interface Question {
  readonly verb:
    | 'connect'
    | 'find'
    | 'verify'
    | 'identify'
    | 'troublesOf'
    | 'rescan'
    | 'disconnect'
    | 'list'
    | 'log'
    | 'end'
  readonly id: string
  readonly route?: Readonly<Record<string, string>>
  readonly device?: SeenDevice
  /** Instead of some of the node's. */
  readonly settings?: object
}

/** What JSON can say. */
export type Sheet = null | string | number | boolean | readonly Sheet[] | { readonly [key: string]: Sheet }
export type Answer = { readonly value: Sheet } | { readonly kind: string; readonly message: string }

export interface Talk {
  ask(question: Question): Promise<Answer>
  end(): void
}

/** `folder`: as the host sees it. */
export function openTalk(folder: string): Talk {
  mkdirSync(folder, { recursive: true })
  let count = 0
  const put = (question: Question): number => {
    count += 1
    const path = join(folder, `ask-${count}.json`)
    writeFileSync(`${path}.tmp`, JSON.stringify(question))
    renameSync(`${path}.tmp`, path)
    return count
  }
  return {
    async ask(question) {
      const path = join(folder, `answer-${put(question)}.json`)
      const deadline = Date.now() + 120_000
      while (!existsSync(path)) {
        if (Date.now() > deadline) throw new Error(`no answer to ${JSON.stringify(question)}`)
        await sleep(20)
      }
      return JSON.parse(readFileSync(path, 'utf8')) as Answer
    },
    end() {
      put({ verb: 'end', id: '' })
    },
  }
}
