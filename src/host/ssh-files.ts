// Files of a machine that is reached with ssh: each call is one round trip, and runs tools of coreutils.
import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import type { Secret } from '../volume/secret.ts'
import type { Command, FileFacts, HostFiles, Output } from './host.ts'

interface ShellOptions extends Pick<Command, 'stdin' | 'encoding'> {
  /** It changes nothing, so it does not matter when it ends if nobody waits for it any more. */
  readonly isQuestion?: boolean
}

/** Runs a script of sh with these arguments; any exit code is an answer. */
export type Shell = (script: string, args: readonly string[], options?: ShellOptions) => Promise<Output>

/** As strerror(3) words them in the C locale; coreutils ends its complaints with one. */
const ERRNO: Readonly<Record<string, string>> = {
  'No such file or directory': 'ENOENT',
  'Not a directory': 'ENOTDIR',
  'Is a directory': 'EISDIR',
  'File exists': 'EEXIST',
  'Directory not empty': 'ENOTEMPTY',
  'Permission denied': 'EACCES',
  'Operation not permitted': 'EPERM',
  'Device or resource busy': 'EBUSY',
  'No space left on device': 'ENOSPC',
  'Disk quota exceeded': 'EDQUOT',
  'Read-only file system': 'EROFS',
  'Input/output error': 'EIO',
  'No such device or address': 'ENXIO',
  'No such device': 'ENODEV',
  'No such process': 'ESRCH',
  'Invalid argument': 'EINVAL',
  'Cannot allocate memory': 'ENOMEM',
  'File too large': 'EFBIG',
  'File name too long': 'ENAMETOOLONG',
  'Too many levels of symbolic links': 'ELOOP',
  'Too many links': 'EMLINK',
  'Invalid cross-device link': 'EXDEV',
  'Structure needs cleaning': 'EUCLEAN',
  'Operation not supported': 'ENOTSUP',
  'Numerical result out of range': 'ERANGE',
  'Text file busy': 'ETXTBSY',
}
/** At the end of a line: a name may hold such words too, but not without its quotes. */
const COMPLAINT = new RegExp(`: (${Object.keys(ERRNO).join('|')})$`, 'm')
/** Checks of mv itself, before the system call that would say it. */
const OWN_WORDS: readonly [pattern: RegExp, code: string][] = [
  [/^mv: cannot overwrite directory /m, 'EISDIR'],
  [/^mv: cannot overwrite non-directory /m, 'ENOTDIR'],
  [/^mv: cannot move .* to a subdirectory of itself/m, 'EINVAL'],
]
const ABSENT = ['ENOENT', 'ENOTDIR', 'ENODEV']

/** st_mode's file type: inode(7). */
const KINDS: Readonly<Record<number, FileFacts['kind']>> = { 32768: 'file', 16384: 'directory', 24576: 'block' }

/** A complete file under another name, durable. Its own mode, whatever the umask of the login is. */
const DRAFT =
  'umask 077; dd of="$2" bs=64K conv=excl,fsync status=none || { c=$?; unlink -- "$2" 2>/dev/null; exit $c; }'

const READ = 'exec cat -- "$1"'
// With a slash behind it: of a file, ls would answer the file itself.
const LIST = 'exec ls -A1b -- "$1/"'
const FACTS = 'exec stat -c "%f %s %b %B %i %d %h %.3Y" -- "$1"'
const SPACE = 'exec stat -f -c "%s %b %a" -- "$1"'
const CREATE = `${DRAFT}; ln -T -- "$2" "$1"; c=$?; unlink -- "$2"; [ $c = 0 ] && exec sync -- "$3"; exit $c`
const REPLACE = `${DRAFT}; mv -fT -- "$2" "$1" || { c=$?; unlink -- "$2"; exit $c; }; exec sync -- "$3"`
// Without O_CREAT and O_TRUNC, and in one write.
const WRITE = 'exec dd of="$1" bs=1M iflag=fullblock conv=notrunc,nocreat status=none'
const LINK = 'exec ln -sT -- "$2" "$1"'
const READ_LINK = 'exec readlink -nv -- "$1"'
const CREATE_SPARSE = 'umask 077; exec dd if=/dev/null of="$1" bs=1 count=0 seek="$2" conv=excl,fsync status=none'
const MAKE_DIRECTORY = 'umask 077; exec mkdir -p -- "$1"'
// mv would copy from one filesystem to another.
const RENAME = `a=$(stat -c %d -- "$1") && b=$(stat -c %d -- "$4") || exit 1
  [ "$a" = "$b" ] || { echo "mv: Invalid cross-device link" >&2; exit 1; }
  mv -fT -- "$1" "$2" && exec sync -- "$3" "$4"`
const REMOVE_FILE = 'exec unlink -- "$1"'
const REMOVE_DIRECTORY = 'exec rmdir -- "$1"'

/** Answers and errors are those of src/host/local-files.ts. `name`: of the machine, for messages. */
export function sshFiles(shell: Shell, name: string): HostFiles {
  const ask = async (script: string, args: readonly string[], options?: ShellOptions): Promise<string> => {
    const { code, stdout, stderr } = await shell(script, args, options)
    if (code === 0) return stdout
    throw systemError(stderr, `${args[0]} on ${name}`)
  }
  const look = async (script: string, path: string, options?: ShellOptions) =>
    await unless(ABSENT, ask(script, [path], { ...options, isQuestion: true }))
  const draftOf = (path: string): string => `${path}.${randomBytes(6).toString('hex')}.tmp`
  return {
    read: path => look(READ, path),
    list: async path =>
      (await look(LIST, path, { encoding: 'latin1' }))?.split('\n').slice(0, -1).map(unescapeName).sort(),
    async facts(path) {
      const text = await look(FACTS, path)
      return text === undefined ? undefined : parseFacts(text)
    },
    async space(path) {
      const [size = 0n, total = 0n, available = 0n] = (await ask(SPACE, [path], { isQuestion: true }))
        .trim()
        .split(' ')
        .map(BigInt)
      return { total: total * size, available: available * size }
    },
    createExclusive: async (path, content) =>
      (await unless(['EEXIST'], ask(CREATE, [path, draftOf(path), dirname(path)], { stdin: content }))) !== undefined,
    replace: async (path, content) => {
      await ask(REPLACE, [path, draftOf(path), dirname(path)], { stdin: content })
    },
    write: async (path, content: string | Secret) => {
      await ask(WRITE, [path], { stdin: content })
    },
    link: async (path, destination) => {
      await ask(LINK, [path, destination])
    },
    readLink: path => look(READ_LINK, path),
    createSparse: async (path, size) => {
      if (size > BigInt(Number.MAX_SAFE_INTEGER))
        throw new RangeError(`${size} bytes exceed what one file can be given here`)
      await ask(CREATE_SPARSE, [path, String(size)])
    },
    makeDirectory: async path => {
      await ask(MAKE_DIRECTORY, [path])
    },
    rename: async (from, to) =>
      (await unless(['ENOTEMPTY', 'EEXIST'], ask(RENAME, [from, to, dirname(from), dirname(to)]))) !== undefined,
    removeFile: async path => {
      await unless(ABSENT, ask(REMOVE_FILE, [path]))
    },
    removeDirectory: async path => {
      await unless(ABSENT, ask(REMOVE_DIRECTORY, [path]))
    },
  }
}

function systemError(stderr: string, subject: string): Error {
  const text = stderr.trim()
  const own = OWN_WORDS.find(([pattern]) => pattern.test(text))?.[1]
  const code = own ?? ERRNO[COMPLAINT.exec(text)?.[1] ?? ''] ?? 'UNKNOWN'
  return Object.assign(new Error(`${code}: ${text || 'no output'}, ${subject}`), { code })
}

async function unless(codes: readonly string[], work: Promise<string>): Promise<string | undefined> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Error && 'code' in error && codes.includes(String(error.code))) return undefined
    throw error
  }
}

/** What `ls --escape` wrote, a character a byte. */
function unescapeName(name: string): string {
  const letters: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' }
  const bytes = name.replace(/\\([0-7]{3}|[\s\S])/g, (_, each: string) =>
    each.length === 3 ? String.fromCharCode(Number.parseInt(each, 8)) : (letters[each] ?? each),
  )
  return Buffer.from(bytes, 'latin1').toString()
}

function parseFacts(text: string): FileFacts {
  const [mode = '', size = '', blocks = '', unit = '', inode = '', device = '', links = '', modified = ''] = text
    .trim()
    .split(' ')
  return {
    kind: KINDS[Number.parseInt(mode, 16) & 0xf000] ?? 'other',
    size: BigInt(size),
    allocated: BigInt(blocks) * BigInt(unit),
    inode: BigInt(inode),
    device: decodeDevice(BigInt(device)),
    links: Number(links),
    modified: new Date(Math.round(Number(modified) * 1000)),
  }
}

/** glibc's gnu_dev_major/minor layout of dev_t: makedev(3). */
function decodeDevice(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn)
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn)
  return `${major}:${minor}`
}
