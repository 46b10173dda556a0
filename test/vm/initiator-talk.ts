// How a test on the host talks to a connector that runs in a VM: questions and answers as files of a shared folder.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitUntil } from '../patience.ts'

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

/** `folder`: as the host sees it. `program`: the connector's end, which no question outlives. */
export function openTalk(folder: string, program: Promise<{ code: number; stdout: string; stderr: string }>): Talk {
  mkdirSync(folder, { recursive: true })
  let end: string | undefined
  program.then(
    ({ code, stdout, stderr }) => {
      end ??= `the connector ended with ${code}: ${stdout}${stderr}`
    },
    error => {
      end ??= `the connector ended: ${error}`
    },
  )
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
      const answered = () => {
        assert.ok(end === undefined, `no answer to ${JSON.stringify(question)}: ${end}`)
        return existsSync(path)
      }
      try {
        await waitUntil(`an answer to ${JSON.stringify(question)}`, answered)
      } catch (error) {
        end ??= 'an earlier question was not answered either'
        throw error
      }
      return JSON.parse(readFileSync(path, 'utf8')) as Answer
    },
    end() {
      put({ verb: 'end', id: '' })
    },
  }
}
