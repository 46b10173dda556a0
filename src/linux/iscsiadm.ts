// open-iscsi's iscsiadm: records without discovery, login, logout, and what its exit codes mean.
import type { Host } from '../host/host.ts'
import { CommandFailed, EffectMissing, Unavailable, VolumeInUse } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import { Secret } from '../volume/secret.ts'

/** Where iscsid is. */
export interface Initiator {
  /** Runs programs in its namespaces. */
  readonly host: Host
  /** The root of its files as this process sees it. */
  readonly root: string
}

export interface Portal {
  readonly target: string
  /** IP:PORT */
  readonly portal: string
}

/** What a record says beyond iscsid's own presets. */
export interface RecordSettings {
  readonly initiator: string
  readonly loginTimeoutSeconds: number
  readonly replacementTimeoutSeconds: number
  readonly noopIntervalSeconds: number
  readonly noopTimeoutSeconds: number
  readonly chap: (Credentials & { readonly mutual?: Credentials }) | undefined
}

interface Credentials {
  readonly user: string
  readonly password: Secret
}

/** open-iscsi's include/iscsi_err.h, as far as these commands answer with them. */
const CODE = {
  dataBase: 6,
  sessionExists: 15,
  noDaemon: 20,
  nothingThere: 21,
  noSuchSession: 22,
  busy: 28,
  notConnected: 32,
} as const

const REASONS: Readonly<Record<number, string>> = {
  4: 'the connection broke',
  5: 'the target refused the login',
  8: 'it cannot be reached',
  11: 'it does not answer',
  19: 'the target refused the login for good, or failed to prove itself: its name, its CHAP secret or the ACL is another',
  24: 'the target does not admit this initiator: no ACL for its name, or another CHAP secret',
}

/** Debian keeps them below /etc, others where programs keep their state. */
const RECORDS = ['/etc/iscsi/nodes', '/var/lib/iscsi/nodes']
const TOOL_MS = 30_000

/** Makes the record of a portal anew. It is only for this driver: nothing logs in by itself, and nothing is looked for. */
export async function createRecord(
  { host, root }: Initiator,
  { target, portal }: Portal,
  settings: RecordSettings,
  op: Op,
): Promise<void> {
  const asked = `make the iscsiadm record of ${target} at ${portal}`
  const name = `${target}/${portal.replace(/^\[?(.*?)\]?:(\d+)$/, '$1,$2')},1/default`
  const create = async () => {
    const { code, stderr } = await host.run(
      command(['-m', 'node', '-o', 'new', '-I', 'default', '-T', target, '-p', `${portal},1`], [0, CODE.dataBase]),
      op,
    )
    return code === 0 ? undefined : stderr.trim()
  }
  let complaint = await explained(asked, create)
  if (complaint !== undefined) {
    // A record that a power cut left half-written is in its way.
    for (const folder of RECORDS) await host.files.removeFile(`${root}${folder}/${name}`)
    complaint = await explained(asked, create)
  }
  if (complaint !== undefined)
    throw new Unavailable({ asked, found: complaint, next: `check ${RECORDS[0]} and /run/lock/iscsi on the node` })
  for (const folder of RECORDS) {
    const text = await host.files.read(`${root}${folder}/${name}`)
    if (text !== undefined) return await writeRecord(host, `${folder}/${name}`, rewriteRecord(text, settings), op)
  }
  throw new EffectMissing({ asked, found: `no record in ${RECORDS.join(' or ')}`, next: 'see the log' })
}

/** Every other line of the record stays as it is. */
export function rewriteRecord(text: string, settings: RecordSettings): Secret {
  const { initiator, chap } = settings
  const values = new Map<string, string | Secret>([
    ['iface.initiatorname', initiator],
    ['node.startup', 'manual'],
    ['node.session.initial_login_retry_max', '1'],
    // Only the unit that is asked for becomes a disk, and only of one session: see scanForUnit.
    ['node.session.scan', 'manual'],
    ['node.session.timeo.replacement_timeout', String(settings.replacementTimeoutSeconds)],
    ['node.conn[0].timeo.login_timeout', String(settings.loginTimeoutSeconds)],
    ['node.conn[0].timeo.noop_out_interval', String(settings.noopIntervalSeconds)],
    ['node.conn[0].timeo.noop_out_timeout', String(settings.noopTimeoutSeconds)],
    ['node.session.auth.authmethod', chap ? 'CHAP' : 'None'],
    ...(chap ? credentials('', chap) : []),
    ...(chap?.mutual ? credentials('_in', chap.mutual) : []),
  ])
  const isOld = (line: string) => [...values.keys(), ...AUTH].some(key => line.startsWith(`${key} = `))
  const kept = text.split('\n').filter(line => line !== '' && !isOld(line))
  const end = kept.indexOf('# END RECORD')
  // The name of the initiator belongs behind that of its interface, which begins a block.
  const begin = kept.findIndex(line => line.startsWith('iface.iscsi_ifacename = ')) + 1
  const added = [...values].map(([key, value]) => Secret.join([`${key} = `, value, '\n']))
  const lines = (from: number, to: number) => kept.slice(from, to).map(line => `${line}\n`)
  const [name, ...rest] = added
  const last = end < 0 ? kept.length : end
  const parts = [
    ...lines(0, begin),
    ...(name ? [name] : []),
    ...lines(begin, last),
    ...rest,
    ...lines(last, kept.length),
  ]
  // It is written over the old one in one piece: what were shorter would leave the end of that.
  return Secret.join([...parts, '\n'.repeat(text.length)])
}

const AUTH = ['username', 'password', 'username_in', 'password_in'].map(key => `node.session.auth.${key}`)

function credentials(suffix: string, { user, password }: Credentials): [string, string | Secret][] {
  return [
    [`node.session.auth.username${suffix}`, user],
    [`node.session.auth.password${suffix}`, password],
  ]
}

/** One write, so that whoever reads meanwhile finds the old record or the new one. The mode stays 0600. */
async function writeRecord(host: Host, path: string, text: Secret, op: Op): Promise<void> {
  const args = [`of=${path}`, 'bs=1M', 'iflag=fullblock', 'conv=notrunc,nocreat,fsync', 'status=none']
  await host.run({ file: 'dd', args, stdin: text, timeoutMs: TOOL_MS, onAbort: 'kill' }, op)
}

/** Answers why not, in words; undefined when the session is there. A session that was there already is fine. */
export async function login(
  { host }: Initiator,
  { target, portal }: Portal,
  timeoutMs: number,
  op: Op,
): Promise<string | undefined> {
  const args = ['-m', 'node', '-I', 'default', '-T', target, '-p', `${portal},1`, '--login']
  const okCodes = [0, CODE.sessionExists, CODE.nothingThere, ...Object.keys(REASONS).map(Number)]
  const asked = `log in to ${target} at ${portal}`
  const { code } = await explained(asked, () => host.run({ ...command(args, okCodes), timeoutMs }, op))
  if (code === 0 || code === CODE.sessionExists) return undefined
  return REASONS[code] ?? 'its record vanished meanwhile'
}

/** Fine if the session is gone already. The caller sees to it that nothing uses its disks: iscsiadm does not ask. */
export async function logout({ host }: Initiator, sid: number, op: Op): Promise<void> {
  const asked = `log out of session ${sid}`
  const args = ['-m', 'session', '-r', String(sid), '--logout']
  const okCodes = [0, CODE.nothingThere, CODE.noSuchSession, CODE.busy, CODE.notConnected]
  const { code } = await explained(asked, () => host.run(command(args, okCodes), op))
  if (code === CODE.busy) {
    const next = 'unmount it there, and call again'
    throw new VolumeInUse({ asked, found: 'iscsiadm says that a disk of it is mounted (iscsid.safe_logout)', next })
  }
  if (code === CODE.notConnected) {
    const next = 'call again when it has adopted its sessions'
    throw new Unavailable({ asked, found: 'iscsid was restarted and has not found the session yet', next })
  }
}

/** Also those that iscsiadm cannot read. */
export async function hasRecords(initiator: Initiator, target: string): Promise<boolean> {
  return (await foldersOf(initiator, target)).length > 0
}

/** Fine if there are none. */
export async function deleteRecords(initiator: Initiator, target: string, op: Op): Promise<void> {
  if (!(await hasRecords(initiator, target))) return
  const asked = `delete the iscsiadm records of ${target}`
  const args = ['-m', 'node', '-o', 'delete', '-T', target]
  const okCodes = [0, CODE.dataBase, CODE.sessionExists, CODE.nothingThere]
  const { code } = await explained(asked, () => initiator.host.run(command(args, okCodes), op))
  if (code === CODE.sessionExists)
    throw new Unavailable({ asked, found: 'a session with it has come up meanwhile', next: 'call again' })
  await removeRests(initiator, target)
}

/** What iscsiadm cannot read it does not delete: half-written records, and their folders. */
async function removeRests(initiator: Initiator, target: string): Promise<void> {
  const { files } = initiator.host
  for (const folder of await foldersOf(initiator, target)) {
    for (const portal of (await files.list(folder)) ?? []) {
      await files.removeFile(`${folder}/${portal}/default`)
      await files.removeDirectory(`${folder}/${portal}`)
      await files.removeFile(`${folder}/../../static/${target},${portal},default`)
    }
    await files.removeDirectory(folder)
  }
}

async function foldersOf({ host, root }: Initiator, target: string): Promise<string[]> {
  const folders = RECORDS.map(folder => `${root}${folder}/${target}`)
  const found = await Promise.all(folders.map(folder => host.files.list(folder)))
  return folders.filter((_, n) => found[n] !== undefined)
}

function command(args: readonly string[], okCodes: readonly number[]) {
  return { file: 'iscsiadm', args, okCodes, timeoutMs: TOOL_MS, onAbort: 'kill' } as const
}

async function explained<T>(asked: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    const [found, next] =
      error.code === CODE.noDaemon
        ? ['iscsid is not running on the node', 'start it (systemctl start iscsid), and call again']
        : [error.message, 'see the log of iscsid on the node']
    throw new Unavailable({ asked, found, next }, { cause: error })
  }
}
