// The bench of the initiator's tests: LIO on a storage host, open-iscsi and the node's half of iSCSI on another VM.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { Lab } from '../../hack/lab/lab.ts'
import type { IscsiSettings } from '../../src/schema/shapes/config.ts'
import { initiatorName, serialOf, targetName } from '../../src/transports/iscsi/names.ts'
import { encodeIscsiRoute, type IscsiRoute } from '../../src/transports/iscsi/route.ts'
import type { Chap } from '../../src/transports/iscsi/target.ts'
import { encodeVolumeId } from '../../src/volume/ids.ts'
import { ISCSI } from '../fixtures.ts'
import { Mailbox } from '../iscsi/mailbox.ts'
import { PATIENCE_MS, waitUntil } from '../patience.ts'
import { installPrograms, programLine } from '../programs.ts'
import { openStorage, type Storage } from './initiator-storage.ts'
import type { Answer, Question } from './initiator-talk.ts'

const ROOT = join(import.meta.dirname, '../..')
const TOPOLOGY = {
  nets: ['san0', 'san1'],
  vms: {
    storage: { index: 1, memory: 384 },
    'node-a': { index: 11, memory: 1024, visible: [ROOT], translationCache: 512 },
  },
}
export const PORTALS = ['10.77.0.1:3260', '10.77.1.1:3260']
export const NAME = initiatorName('node-a')
export const SIZE = 64n * 1024n * 1024n
const SETTINGS: IscsiSettings = {
  ...ISCSI,
  replacementTimeoutSeconds: 8,
  // A busy machine emulates slowly.
  loginTimeoutSeconds: 15,
  noopTimeoutSeconds: 15,
}

export interface Bench {
  readonly lab: Lab
  readonly storage: Storage
  /** Asks the connector on the node. */
  ask(question: Question): Promise<Answer>
  /** Standard output of a command on the node. */
  node(command: string): Promise<string>
}

type Ask = Omit<Question, 'verb'>
type Verb = Question['verb']

export async function succeed<T = unknown>({ ask }: Bench, verb: Verb, rest: Ask): Promise<T> {
  const answer = await ask({ verb, ...rest })
  assert.ok(!('kind' in answer), `${verb}: ${JSON.stringify(answer)}`)
  return answer.value as T
}

export async function refuse({ ask }: Bench, kind: string, words: RegExp, verb: Verb, rest: Ask): Promise<void> {
  const answer = await ask({ verb, ...rest })
  assert.ok('kind' in answer, `${verb} succeeded: ${JSON.stringify(answer)}`)
  assert.equal(answer.kind, kind, answer.message)
  assert.match(answer.message, words)
}

/** Calls again for as long as the session is lost: an idle connection that answers too late is taken for dead. */
export async function succeedAtLast(bench: Bench, verb: Verb, rest: Ask): Promise<void> {
  await waitUntil(verb, async () => {
    const answer = await bench.ask({ verb, ...rest })
    assert.ok(!('kind' in answer) || answer.kind === 'unavailable', `${verb}: ${JSON.stringify(answer)}`)
    return !('kind' in answer)
  })
}

/** A volume that the storage host shows to the node through both portals. */
export async function exported(
  { storage }: Bench,
  name: string,
  { protect = 0, chap }: { protect?: number; chap?: Chap } = {},
) {
  const id = encodeVolumeId('p', name)
  const target = targetName(id)
  const users = (side: string, { user, password }: { user: string; password: Chap['password'] }) =>
    `echo -n ${user} >$auth/userid${side}; echo -n ${password.reveal()} >$auth/password${side};`
  await storage.run(`backstore ${name} ${serialOf(id)} ${SIZE}
    target ${target} ${NAME} ${chap ? 1 : 0} ${PORTALS.join(' ')}
    show ${target} ${NAME} ${protect} ${name}
    auth=$C/iscsi/${target}/tpgt_1/acls/${NAME}/auth
    ${chap ? users('', chap) : ''} ${chap?.mutual ? users('_mutual', chap.mutual) : ''}
    echo 1 >$C/iscsi/${target}/tpgt_1/enable`)
  const base: IscsiRoute = {
    target,
    lun: 0,
    portals: PORTALS,
    serial: serialOf(id),
    size: SIZE,
    sectorSize: 512,
    readonly: false,
    chap: { mode: 'none' },
  }
  const route = (rest: Partial<IscsiRoute> = {}) => encodeIscsiRoute({ ...base, ...rest })
  return { id, name, target, serial: serialOf(id), route }
}

/** Sessions and records that are left of a target on the node, and tools that still run. */
const REMAINS = (target: string) => `
  grep -l ${target} /sys/class/iscsi_session/*/targetname
  find /etc/iscsi/nodes /etc/iscsi/static -name '*${target}*'
  pgrep -af 'iscsiadm .*${target}'`

/** The sessions of a target, as their states, and their disks. */
export const SESSIONS = (target: string) =>
  `for file in $(grep -l ${target} /sys/class/iscsi_session/*/targetname); do s=\${file%/targetname}; cat $s/state; ls $s/device/target*/*/block; done 2>/dev/null; true`

export async function requireNothing(bench: Bench, { target }: { target: string }): Promise<void> {
  assert.equal(await bench.node(`{ ${REMAINS(target)}; } 2>/dev/null || true`), '')
}

export async function withBench(use: (bench: Bench) => Promise<void>): Promise<void> {
  const lab = new Lab({ topology: TOPOLOGY, attached: true })
  try {
    await lab.up()
    installPrograms(lab.share, ['test/vm/initiator-node.ts'])
    const machine = lab.vm('node-a')
    const node = async (command: string) => {
      const { code, stdout, stderr } = await machine.exec(command)
      assert.equal(code, 0, `node-a: ${command}: ${stderr}`)
      return stdout.trim()
    }
    await node('mkdir -p /run/lock/iscsi; modprobe -a iscsi_tcp sd_mod; iscsid')
    const args = ['/lab/share/talk', `'${JSON.stringify(SETTINGS)}'`, NAME].join(' ')
    const program = machine.exec(
      `cd ${ROOT}; export PATH=${ROOT}/node_modules/node/bin:$PATH; ${programLine('initiator-node')} ${args}`,
      { timeout: 3000 },
    )
    const ended = program.then(({ code, stderr }) => {
      throw new Error(`the connector ended with ${code}: ${stderr}`)
    })
    ended.catch(() => undefined) // each question tells
    const mailbox = new Mailbox(join(lab.share, 'talk'))
    const ask = (question: Question) => Promise.race([mailbox.ask<Answer>(question, PATIENCE_MS), ended])
    await use({ lab, storage: openStorage(lab.vm('storage')), ask, node })
  } finally {
    await lab.down()
  }
}
