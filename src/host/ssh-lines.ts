// What a login shell over there is told to run, so that its end is known for certain, and how its answer is read.
import { Unavailable } from '../volume/errors.ts'
import type { Output } from './host.ts'
import { commandLine, quote } from './quote.ts'

/** The same as src/host/local.ts gives to its children. */
const ENVIRONMENT = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C', 'LANG=C']
const MAX_OUTPUT = 4 * 1024 * 1024

/** Exit code of `killLine`: what it killed is still there. */
export const HANGS = 9
/** Exit code of `collectLine`: the command left no result, and does not run. */
export const NO_RESULT = 8

/** Runs these words as a program, with the system's own PATH and nothing else of the environment. */
export function programLine(words: readonly string[], variables: readonly string[] = []): string {
  return commandLine(['env', '-i', ...ENVIRONMENT, ...variables, ...words])
}

/** The token before and the exit code after: what comes without them is not the answer of the program. */
function framed(token: string, code: string, line: string): string {
  return `printf '%s\\n' ${token}; ${line}; printf '\\n%s %s\\n' ${token} "${code}" >&2`
}

/** All processes that a call starts have this variable, and so `killLine` finds them. */
const MARK = 'ASHLAR_CALL'

/**
 * The program ends at its deadline also when nobody is there any more to kill it. In the foreground, so that it is told
 * from its children: those are not ours to judge when it has ended in time.
 */
export function killableLine(words: readonly string[], token: string, timeoutMs: number): string {
  const patience = ['timeout', '--foreground', '--kill-after=1', String(timeoutMs / 1000 + 2)]
  return framed(token, '$?', programLine([...patience, ...words], [`${MARK}=${token}`]))
}

/**
 * Runs a script in the shell that reads this, whose environment is the one above: no program is started but those that the
 * script names. `killLine` finds those, but not the shell between two of them, and there is no deadline.
 */
export function scriptLine(script: string, args: readonly string[], token: string): string {
  return framed(token, '$?', `(export ${MARK}=${token}; set -- ${args.map(quote).join(' ')}\n${script}\n)`)
}

/** Nothing but the program reads the input or prints: it ends with the one, and its echo is the other. */
export function heldLine(words: readonly string[], token: string): string {
  return `exec ${programLine(words, [`${MARK}=${token}`])}`
}

/**
 * Kills the processes of the call whose token comes on standard input, and waits for their end. A zombie has no
 * environment, and is dead enough.
 */
export function killLine(): string {
  return `exec sh -c ${quote(`
    read -r token
    find() { grep -lF -e "${MARK}=$token" /proc/[0-9]*/environ 2>/dev/null | tr -dc '0-9\n'; }
    ends() { n=0; while [ -n "$(find)" ]; do n=$((n + 1)); [ $n -lt 20 ] || return 1; sleep 0.05; done; }
    for signal in TERM KILL; do
      for pid in $(find); do kill -$signal "$pid" 2>/dev/null; done
      ends && exit 0
    done
    exit ${HANGS}`)}`
}

const folderOf = (token: string): string => `/run/ashlar-ssh.${token}`

/**
 * In a session of its own, with its output in files: neither the end of the connection nor that of its login shell
 * reaches it. Standard input is the connection's.
 */
export function lastingLine(words: readonly string[], token: string): string {
  const job = `d=$1; shift; echo $$ >"$d/pid"; "$@" >"$d/out" 2>"$d/err"; echo $? >"$d/code.new"; mv "$d/code.new" "$d/code"`
  const start = `setsid sh -c ${quote(job)} sh ${folderOf(token)} ${programLine(words)} <&3 3<&- >/dev/null 2>&1 &`
  return `mkdir -m 700 ${folderOf(token)} || exit 1; exec 3<&0; ${start} exec 3<&-; wait $!; ${collectLine(token)}`
}

/** Waits for the result of `lastingLine`, prints it, and removes it once it is on its way. */
export function collectLine(token: string): string {
  const d = folderOf(token)
  const isDead = `p=$(cat ${d}/pid 2>/dev/null) && ! kill -0 "$p" 2>/dev/null && [ ! -e ${d}/code ]`
  const wait = `while [ ! -e ${d}/code ]; do if ${isDead}; then exit ${NO_RESULT}; fi; sleep 0.1; done`
  const print = `tail -c ${MAX_OUTPUT} ${d}/out && tail -c ${MAX_OUTPUT} ${d}/err >&2`
  const clear = `rm -f ${d}/out ${d}/err ${d}/code ${d}/pid && rmdir ${d}`
  const answer = framed(token, `$(cat ${d}/code)`, `{ ${print}; } || exit 1`)
  return `[ -d ${d} ] || exit ${NO_RESULT}; ${wait}; ${answer} && ${clear}`
}

/** undefined when the answer did not arrive whole. Throws Unavailable for a login shell that prints text of its own. */
export function readResult({ stdout, stderr }: Output, token: string, asked: string): Output | undefined {
  const begin = stdout.indexOf(`${token}\n`)
  const [, before = '', code] = new RegExp(`^([\\s\\S]*)\\n${token} (\\d+)\\n$`).exec(stderr) ?? []
  if (begin < 0 || code === undefined) return undefined
  if (begin > 0) {
    throw new Unavailable({
      asked,
      found: `the login shell prints "${stdout.slice(0, Math.min(begin, 200)).trim()}" before it runs anything`,
      next: 'make its start files silent where no terminal is',
    })
  }
  return { code: Number(code), stdout: stdout.slice(token.length + 1), stderr: before }
}
