// Shells that stay on another machine: each is given one line after the other, for a login takes longer than most lines.
import type { Op } from '../volume/op.ts'
import { Secret } from '../volume/secret.ts'
import { cancelled } from './complaints.ts'
import type { Command, Output } from './host.ts'
import type { Conversation } from './local.ts'
import { Sealed } from './outputs.ts'
import { programLine } from './ssh-lines.ts'

export interface Shells {
  /** undefined when all are at work. The code is that of the client when it ended meanwhile, and 0 otherwise. */
  run(line: string, call: Pick<Command, 'stdin' | 'encoding'>, op: Op): Promise<Output | undefined>
  close(): void
}

/** sshd has room for ten sessions in a connection (MaxSessions); held programs and lasting commands need some. */
const MOST = 4
const IDLE_MS = 60_000

/**
 * Each line comes with its length and that of its input, and is sealed at both outputs by what it cannot know. `head`
 * takes from a pipe no more than it is asked for, and `cat` what the line leaves of its input.
 */
const LOOP = `while read -r seal size input; do
  line=$(head -c "$size")
  if [ "$input" = 0 ]; then (eval "$line") </dev/null
  else head -c "$input" | { (eval "$line"); cat >/dev/null; }; fi
  printf '\\n%s\\n' "$seal"; printf '\\n%s\\n' "$seal" >&2
done`

/** For the login shell. */
export const shellLine = (): string => `exec ${programLine(['sh', '-c', LOOP])}`

/** `newSeal` answers what nobody can guess. */
export function keepShells(start: () => Conversation, newSeal: () => string): Shells {
  const all = new Set<Shell>()
  return {
    async run(line, call, op) {
      const shell = [...all].find(each => !each.isBusy) ?? (all.size < MOST ? open() : undefined)
      return await shell?.run(line, newSeal(), call, op)
    },
    close() {
      for (const shell of all) shell.end()
    },
  }

  function open(): Shell {
    const shell = new Shell(start(), () => all.delete(shell))
    all.add(shell)
    return shell
  }
}

class Shell {
  readonly #talk: Conversation
  readonly #forget: () => void
  #idle: NodeJS.Timeout | undefined
  isBusy = false

  /** `forget` is called when nothing may be asked of it any more. */
  constructor(talk: Conversation, forget: () => void) {
    this.#talk = talk
    this.#forget = forget
    void talk.ended.then(() => this.end())
  }

  /** Throws Cancelled, or CommandFailed for a line that prints without end; it takes no further line then. */
  async run(line: string, seal: string, call: Pick<Command, 'stdin' | 'encoding'>, op: Op): Promise<Output> {
    this.isBusy = true
    clearTimeout(this.#idle)
    this.#talk.hold(true)
    const { stdin = '', encoding = 'utf8' } = call
    const [stdout, stderr] = [new Sealed(this.#talk.stdout, seal), new Sealed(this.#talk.stderr, seal)]
    try {
      this.#talk.say(`${seal} ${Buffer.byteLength(line)} ${lengthOf(stdin)}\n${line}`)
      this.#talk.say(stdin)
      const code = await this.#answer(line, [stdout, stderr], op)
      if (code !== 0) this.end()
      return { code, stdout: stdout.text(encoding), stderr: stderr.text(encoding) }
    } catch (error) {
      this.end()
      throw error
    } finally {
      for (const each of [stdout, stderr]) each.close()
      this.#rest()
    }
  }

  /** 0 when both outputs are whole. */
  async #answer(asked: string, outputs: readonly Sealed[], { signal }: Op): Promise<number> {
    const gone = Promise.withResolvers<never>()
    const leave = (): void => gone.reject(cancelled(asked))
    if (signal.aborted) leave()
    signal.addEventListener('abort', leave)
    try {
      const lost = this.#talk.ended.then(code => code ?? LOST)
      const whole = Promise.all(outputs.map(each => each.whole)).then(() => 0)
      return await Promise.race([whole, lost, gone.promise])
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  #rest(): void {
    this.isBusy = false
    this.#talk.hold(false)
    this.#idle = setTimeout(() => this.end(), IDLE_MS).unref()
  }

  /** Over there the end of its input ends it, after the line that it runs. */
  end(): void {
    clearTimeout(this.#idle)
    this.#forget()
    this.#talk.hold(false)
    this.#talk.end()
  }
}

/** A client that ended by a signal has lost its connection as well. */
const LOST = 255

function lengthOf(input: string | Secret): number {
  return input instanceof Secret ? input.byteLength : Buffer.byteLength(input)
}
