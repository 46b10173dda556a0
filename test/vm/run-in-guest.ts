// Runs one command in a VM guest: node test/vm/run-in-guest.ts [options] -- COMMAND [ARG...]
import { parseArgs } from 'node:util'
import { shellQuote } from '../../hack/lab/command.ts'
import { EXIT_LAB } from '../../hack/lab/error.ts'
import { withGuest } from './guest.ts'

const USAGE = `usage: run-in-guest.ts [options] -- COMMAND [ARG...]      one word alone is a shell script
  --timeout SECONDS   3600 when not given; exit code 124 after it
  --env NAME=VALUE    may be given again
  --out DIRECTORY     gets what the command leaves in $ASHLAR_GUEST_OUT
  --memory MIB`

const readArguments = () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      timeout: { type: 'string', default: '3600' },
      env: { type: 'string', multiple: true, default: [] },
      out: { type: 'string' },
      memory: { type: 'string', default: '1536' },
    },
  })
  const numbers = { timeout: Number(values.timeout), memory: Number(values.memory) }
  if (positionals.length === 0 || !Object.values(numbers).every(value => value > 0)) throw new Error('')
  const env = Object.fromEntries(
    values.env.map(entry => [entry.split('=', 1)[0] ?? '', entry.slice(entry.indexOf('=') + 1)]),
  )
  const command = positionals.length === 1 ? (positionals[0] ?? '') : positionals.map(shellQuote).join(' ')
  return { ...numbers, env, command, out: values.out }
}

const main = async (): Promise<number> => {
  const { memory, timeout, env, command, out } = readArguments()
  const log = (line: string): void => {
    process.stderr.write(`lab: ${line}\n`)
  }
  return await withGuest(
    async guest => {
      const { code } = await guest.run(command, {
        timeout,
        env,
        onStdout: chunk => process.stdout.write(chunk),
        onStderr: chunk => process.stderr.write(chunk),
      })
      if (out !== undefined) guest.fetch(out)
      return code
    },
    { memory, log },
  )
}

try {
  process.exitCode = await main()
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`${message}${message === '' ? '' : '\n'}${message === '' ? `${USAGE}\n` : ''}`)
  process.exitCode = EXIT_LAB
}
