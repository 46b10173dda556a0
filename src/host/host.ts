// The only way to touch a machine: run a command, or read and write files of the system and of a pool.
import type { Op } from '../volume/op.ts'
import type { Secret } from '../volume/secret.ts'
import type { Bytes } from '../volume/types.ts'

export interface Command {
  /** A program's name, looked up in a fixed PATH. */
  readonly file: string
  readonly args: readonly (string | Secret)[]
  readonly stdin?: string | Secret
  /** Exit codes that the caller gives a meaning to; [0] when absent. Any other throws CommandFailed. */
  readonly okCodes?: readonly number[]
  /** After this the child is killed (`kill`), or a warning is logged (`finish`). */
  readonly timeoutMs: number
  /** `finish`: nothing ends the child, for programs that must not be stopped half-way (mkfs, resize2fs, mount). */
  readonly onAbort: 'kill' | 'finish'
  /** latin1 keeps binary output intact, one character a byte. */
  readonly encoding?: 'utf8' | 'latin1'
}

/** A program that is held may take this long until it echoes. */
export type Held = Pick<Command, 'file' | 'args' | 'timeoutMs'>

export interface Output {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface FileFacts {
  readonly kind: 'file' | 'directory' | 'block' | 'other'
  readonly size: Bytes
  /** Bytes that the file occupies. */
  readonly allocated: Bytes
  readonly inode: bigint
  /** Of the filesystem that holds the file, as MAJOR:MINOR. */
  readonly device: string
  readonly links: number
  readonly modified: Date
}

export interface Space {
  readonly total: Bytes
  readonly available: Bytes
}

/**
 * Files of the kernel (/proc, /sys) and of a pool. Never for paths on a volume or in a pod: those can hang, and four
 * hung calls stop all file work of a Node process; such paths are touched by commands with a deadline.
 */
export interface HostFiles {
  /** undefined when absent. Throws on any other failure. */
  read(path: string): Promise<string | undefined>
  /** Names in a directory, sorted; undefined when absent. */
  list(path: string): Promise<string[] | undefined>
  facts(path: string): Promise<FileFacts | undefined>
  space(path: string): Promise<Space>
  /** Creates a file with this content, whole or not at all, and durable; false if the path exists. */
  createExclusive(path: string, content: string): Promise<boolean>
  /** Replaces or creates a file with this content, whole or not at all, and durable. */
  replace(path: string, content: string): Promise<void>
  /** Writes to a file of the kernel that exists; nothing is durable, and the kernel may refuse with any errno. */
  write(path: string, content: string | Secret): Promise<void>
  /** Makes a symbolic link; fails if the path exists. */
  link(path: string, destination: string): Promise<void>
  /** Where a symbolic link leads; undefined when absent. */
  readLink(path: string): Promise<string | undefined>
  /** Creates a sparse file of this size; fails if the path exists. */
  createSparse(path: string, size: Bytes): Promise<void>
  /** Creates a directory and its parents; fine if it exists. */
  makeDirectory(path: string): Promise<void>
  /** Renames, durably; false if the destination is a non-empty directory. */
  rename(from: string, to: string): Promise<boolean>
  /** Removes one file; fine if it is gone. */
  removeFile(path: string): Promise<void>
  /** Removes one empty directory; fine if it is gone. */
  removeDirectory(path: string): Promise<void>
}

/** Asked just before a change would show: true when the caller was told already that there is no answer. */
export type IsLate = () => boolean

/** Files whose whole-or-nothing changes do not show any more once their caller has been told so. */
export interface TimelyFiles extends HostFiles {
  createExclusive(path: string, content: string, isLate?: IsLate): Promise<boolean>
  replace(path: string, content: string, isLate?: IsLate): Promise<void>
}

export interface Host {
  /** For messages: "local", a node's name. */
  readonly name: string
  readonly files: HostFiles
  /** Throws CommandFailed for an exit code that is not in okCodes, Unavailable when killed, hanging or missing. */
  run(command: Command, op: Op): Promise<Output>
  /**
   * Starts a program that echoes its input and answers when it does; the function that is answered closes its input and
   * waits for its end. It ends with this process too, however that ends. Throws CommandFailed when it ends by itself;
   * kills it and throws Unavailable when it does not echo in time, Cancelled when the caller goes before. The function
   * that is answered throws Unavailable when the program had not lived until then.
   */
  hold(command: Held, op: Op): Promise<() => Promise<void>>
}
