// What a simulated program gets and answers, and how its arguments are taken apart: strictly, unknown ones are an error.
import type { Inode } from './disk.ts'
import { fileOf, type Loop, type State } from './state.ts'

export interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Call {
  readonly state: State
  readonly args: readonly string[]
  readonly stdin: string
}

export type Program = (call: Call) => Answer

export const done = (stdout = ''): Answer => ({ code: 0, stdout, stderr: '' })
export const failed = (code: number, stderr: string): Answer => ({ code, stdout: '', stderr })

/** The driver ran something that this machine was never taught; a test that meets it must fail. */
export class UnknownCommand extends Error {}

/** The groups of the pattern, which must cover the whole command line. */
export function take(args: readonly string[], pattern: RegExp): string[] {
  const line = args.join(' ')
  const found = new RegExp(`^(?:${pattern.source})$`, pattern.flags).exec(line)
  if (!found) throw new UnknownCommand(`arguments "${line}" do not fit ${pattern.source}`)
  return found.slice(1).map(group => (group as string | undefined) ?? '')
}

export interface OpenDevice {
  readonly loop: Loop
  readonly file: Inode
}

/** A loop device that is bound, and the data file at its bottom. */
export function openDevice(state: State, path: string): OpenDevice | undefined {
  const kname = /^\/dev\/(loop\d+)$/.exec(path)?.[1] ?? ''
  const loop = state.loops.get(kname)
  const file = fileOf(state, kname)
  return loop && file ? { loop, file } : undefined
}

export const noDevice = (path: string, code = 1): Answer => failed(code, `${path}: No such device or address`)
