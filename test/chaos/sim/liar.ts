// A host on which one command lies: it says that it did what it did not, or the reverse, or talks nonsense, or hangs.
import type { Command, Host, Output } from '../../../src/host/host.ts'
import { CommandFailed, Unavailable } from '../../../src/volume/errors.ts'
import type { Op } from '../../../src/volume/op.ts'
import { type Machine, meaning, wordsOf } from './machine.ts'

export const LIES = {
  'exit code 0 without effect or output': 'nothing',
  'exit code 0, no effect, garbage': 'garbage',
  'half of its output': 'half',
  'no answer': 'hang',
  'exit code 1 without effect': 'refuse',
  'exit code 1 after it did it': 'modest',
} as const
export type Lie = keyof typeof LIES

const GARBAGE = 'garbage: \u00ff{"loopdevices":\n[ -1 x loop7 0x\n'

export interface Liar extends Host {
  /** Every command that ran since it was armed. */
  readonly said: readonly string[]
  /** The command of this number lies; counts from 0 again. */
  arm(n: number, lie: Lie): void
}

export function lyingHost(machine: Machine): Liar {
  const said: string[] = []
  let armed: { n: number; lie: Lie } | undefined
  return {
    ...machine,
    said,
    arm(n, lie) {
      said.length = 0
      armed = { n, lie }
    },
    async run(command, op) {
      const n = said.push(wordsOf(command).join(' ')) - 1
      return armed?.n === n ? await tellLie(machine, command, armed.lie, op) : await machine.run(command, op)
    },
  }
}

async function tellLie(machine: Machine, command: Command, lie: Lie, op: Op): Promise<Output> {
  switch (LIES[lie]) {
    case 'nothing':
      return answer(command, { code: 0, stdout: '', stderr: '' })
    case 'garbage':
      return answer(command, { code: 0, stdout: GARBAGE, stderr: '' })
    case 'half': {
      const { code, stdout, stderr } = await machine.run(command, op)
      return { code, stdout: stdout.slice(0, stdout.length / 2), stderr }
    }
    case 'hang':
      throw hang(command)
    case 'refuse':
      return answer(command, { code: 1, stdout: '', stderr: 'Input/output error\n' })
    case 'modest':
      await machine.run(command, op)
      return answer(command, { code: 1, stdout: '', stderr: 'Input/output error\n' })
  }
}

/** The local host kills what may be killed after its deadline; what may not be killed can still be killed by others. */
function hang(command: Command): Error {
  const asked = wordsOf(command).join(' ')
  if (command.onAbort === 'kill')
    return new Unavailable({ asked, found: `no answer within ${command.timeoutMs} ms`, next: 'check the device' })
  return new CommandFailed({ asked, found: 'ended by SIGKILL', next: 'see the log', code: undefined })
}

function answer(command: Command, output: Output): Output {
  if ((command.okCodes ?? [0]).includes(output.code)) return output
  throw meaning(command, output)
}
