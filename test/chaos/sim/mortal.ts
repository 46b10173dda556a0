// A host that counts what a driver does to the machine, and on which the driver can die at any of these boundaries.
import { serialize } from 'node:v8'
import type { Command, Host, HostFiles, Output } from '../../../src/host/host.ts'
import type { Op } from '../../../src/volume/op.ts'
import { halvesOf, type Machine, meaning, wordsOf } from './machine.ts'
import { changeByHalf, HALVES, MUTATING } from './memory-files.ts'

/** A command, or a change of a file, that a driver asked for. */
export interface Boundary {
  /** From 0, within one call. */
  readonly n: number
  readonly what: string
  /** How far it may have come when the driver dies in it. */
  readonly halves: readonly string[]
  /** The machine before and after it, when a survey asks for them. */
  readonly before?: Buffer
  after?: Buffer
}

export interface Death {
  readonly n: number
  /** `before`, `after`, or one of the halves; a number chooses among what there is. */
  readonly when: string | number
}

export interface Mortal extends Host {
  readonly boundaries: readonly Boundary[]
  /** Counts from 0 again, and dies there. */
  arm(death?: Death): void
  /** Settles when the driver has died; nothing that it does later reaches the machine. */
  readonly died: Promise<'died'>
}

interface Effect<T> {
  readonly what: string
  readonly halves: readonly string[]
  readonly whole: () => Promise<T>
  readonly half: (name: string) => void
}

/** `survey` keeps an image of the machine around each boundary; commands that fit `spoils` fail. */
export function mortalHost(
  machine: Machine,
  { survey = false, spoils }: { survey?: boolean; spoils?: RegExp | undefined } = {},
): Mortal {
  const boundaries: Boundary[] = []
  let death: Death | undefined
  // Locks of the driver itself end with it, so they make no difference to what it leaves.
  const image = () => (survey ? serialize({ ...machine.state, held: [] }) : undefined)
  let isDead = false
  let tellDeath: (word: 'died') => void = () => undefined
  const died = new Promise<'died'>(resolve => {
    tellDeath = resolve
  })
  const never = new Promise<never>(() => undefined)
  const locks = new Set<string>()
  const die = async (): Promise<never> => {
    isDead = true
    // The kernel takes the locks of a process away when it ends.
    const kept = machine.state.held.filter(path => !locks.has(path))
    machine.state.held.splice(0, machine.state.held.length, ...kept)
    tellDeath('died')
    return await never
  }
  const guard = async <T>({ what, halves, whole, half }: Effect<T>): Promise<T> => {
    if (isDead) return await never
    const before = image()
    const boundary: Boundary = { n: boundaries.length, what, halves, ...(before && { before }) }
    boundaries.push(boundary)
    const when = death?.n === boundary.n ? choose(death.when, halves) : undefined
    if (when === 'before') return await die()
    if (when !== undefined && when !== 'after') {
      half(when)
      return await die()
    }
    try {
      return await whole()
    } finally {
      const after = image()
      if (after) boundary.after = after
      if (when === 'after') await die()
    }
  }
  const run = async (command: Command, op: Op) =>
    await guard({
      what: wordsOf(command).join(' '),
      halves: halvesOf(command),
      whole: async () =>
        spoils?.test(wordsOf(command).join(' ')) === true ? fail(command) : await machine.run(command, op),
      half: name => machine.runHalf(command, name),
    })
  return {
    name: machine.name,
    boundaries,
    died,
    arm(next) {
      boundaries.length = 0
      death = next
    },
    files: guardFiles(machine, guard, () => isDead),
    run,
    async hold(command, op) {
      const path = String(command.args.at(-1))
      const release = await guard({
        what: wordsOf(command).join(' '),
        halves: [],
        whole: async () => {
          const free = await machine.hold(command, op)
          locks.add(path)
          return free
        },
        half: () => undefined,
      })
      return async () => {
        if (isDead) return await never
        locks.delete(path)
        await release()
      }
    },
  }
}

function choose(when: string | number, halves: readonly string[]): string | undefined {
  const all = ['before', ...halves, 'after']
  return typeof when === 'number' ? all[when % all.length] : when
}

/** A command that fails without effect. */
function fail(command: Command): Output {
  const answer = { code: 1, stdout: '', stderr: 'Input/output error\n' }
  if ((command.okCodes ?? [0]).includes(1)) return answer
  throw meaning(command, answer)
}

function guardFiles(
  { files, state }: Machine,
  guard: <T>(effect: Effect<T>) => Promise<T>,
  isDead: () => boolean,
): HostFiles {
  const guarded = Object.entries(files).map(([name, method]) => {
    const call = method as (...args: unknown[]) => Promise<unknown>
    const mutating = MUTATING.find(each => each === name)
    if (!mutating)
      return [name, async (...args: unknown[]) => await (isDead() ? new Promise(() => undefined) : call(...args))]
    return [
      name,
      async (path: string, ...rest: unknown[]) =>
        await guard({
          what: `${name} ${path}`,
          halves: HALVES[mutating],
          whole: () => call(path, ...rest),
          half: how => changeByHalf(state.disk, how, path, rest[0]),
        }),
    ]
  })
  return Object.fromEntries(guarded) as HostFiles
}

/** The boundaries and halves after which the machine differs from what it was: a driver that died tells nothing else. */
export function distinctDeaths(boundaries: readonly Boundary[]): Death[] {
  const deaths: Death[] = []
  let last: Buffer | undefined
  for (const { n, halves, before, after } of boundaries) {
    if (!last || (before && !last.equals(before))) deaths.push({ n, when: 'before' })
    deaths.push(...halves.map(when => ({ n, when })))
    if (before && after && !after.equals(before)) deaths.push({ n, when: 'after' })
    last = after
  }
  return deaths
}
