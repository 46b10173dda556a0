// What many tests need: an Op, a folder that goes away, a device, and a match for planned failures.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Device } from '../src/linux/device.ts'
import type { IscsiSettings } from '../src/schema/shapes/config.ts'
import type { Ledger } from '../src/transports/transport.ts'
import type { Capability } from '../src/volume/capability.ts'
import type { ErrorKind } from '../src/volume/errors.ts'
import { type Logger, type Op, SILENT } from '../src/volume/op.ts'

export function testOp(signal: AbortSignal = new AbortController().signal): Op {
  return { log: SILENT, signal }
}

/** Gone when the test has ended. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-test-'))
  t.after(() => rm(folder, { recursive: true }))
  return folder
}

/** For assert.rejects and assert.throws: a planned failure of this kind whose message matches. */
export function failure(kind: ErrorKind, message = /./): { kind: ErrorKind; message: RegExp } {
  return { kind, message }
}

export const MIB = 1024n * 1024n
export const GIB = 1024n * MIB

export function deviceOf(size: bigint = GIB, rest: Partial<Device> = {}): Device {
  const names = { path: '/dev/loop7', kname: 'loop7', number: '7:7' }
  return { ...names, size, sectorSize: 512, readonly: false, sequence: '7', ...rest }
}

/** A command as it runs under the lock of a file or device. */
export const locked = (command: string, path = '/dev/loop7') =>
  `flock --exclusive --wait 5 --conflict-exit-code 75 --no-fork ${path} ${command}`

/** What the kernel shows of the device, for a fake host. */
export function kernelOf(device: Device, backingFile?: string): Record<string, string> {
  const at = `/sys/block/${device.kname}`
  return {
    [`${at}/dev`]: `${device.number}\n`,
    [`${at}/size`]: `${device.size / 512n}\n`,
    [`${at}/ro`]: device.readonly ? '1\n' : '0\n',
    [`${at}/queue/logical_block_size`]: `${device.sectorSize}\n`,
    [`${at}/diskseq`]: `${device.sequence}\n`,
    [`/sys/dev/block/${device.number}/uevent`]: `MAJOR=7\nDEVNAME=${device.kname}\nDEVTYPE=disk\n`,
    ...(backingFile !== undefined && {
      [`${at}/loop/backing_file`]: `${backingFile}\n`,
      [`${at}/loop/dio`]: '1\n',
    }),
  }
}

/** Answers `xfs_io -c "pread -v ..."` as it prints pages, from these at their offsets; all others are zero. */
export function printPages(pages: Readonly<Record<string, string>>): (command: string) => string {
  return command => [...command.matchAll(/pread -v -b 4096 (\d+) 4096/g)].map(([, at = '']) => print(at)).join('')
  function print(at: string): string {
    const page = Buffer.from(pages[at] ?? '\0'.repeat(4096), 'latin1')
    const lines = Array.from({ length: 256 }, (_, n) => {
      const line = page
        .subarray(n * 16, n * 16 + 16)
        .toString('hex')
        .replace(/../g, '$& ')
      return `${(Number(at) + n * 16).toString(16).padStart(8, '0')}:  ${line} ................`
    })
    return [...lines, `read 4096/4096 bytes at offset ${at}`, '4 KiB, 1 ops; 0.0002 sec', ''].join('\n')
  }
}

/** As the configuration is without any of them. */
/** Of pools without a single claim. */
export const EMPTY_LEDGER: Ledger = {
  claims: async () => new Map(),
  claimsOf: async () => [],
  alone: async (_pool, _what, _op, work) => await work(),
}

export const ISCSI: IscsiSettings = {
  target: 'lio',
  layout: 'per-volume',
  portals: [],
  chap: 'none',
  inHostNamespaces: false,
  loginTimeoutSeconds: 5,
  replacementTimeoutSeconds: 120,
  noopIntervalSeconds: 5,
  noopTimeoutSeconds: 5,
}

export const MOUNT: Capability = { access: 'mount', mode: 'SINGLE_NODE_WRITER', mountFlags: [] }
export const BLOCK: Capability = { access: 'block', mode: 'SINGLE_NODE_WRITER', mountFlags: [] }

/** Keeps every line as one JSON text. */
export function recordingLogger(lines: string[], base: object = {}): Logger {
  const write = (level: string) => (fields: object, message: string) => {
    lines.push(JSON.stringify({ level, ...base, ...fields, message }))
  }
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: fields => recordingLogger(lines, { ...base, ...fields }),
  }
}
