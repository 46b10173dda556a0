// An initiator beside the target, for tests in a guest: open-iscsi by hand, under whatever name.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import type { Chap, ExportDocument } from '../../src/transports/iscsi/target.ts'

export const PORTAL = '127.0.0.1:3260'

/** Its exit code. */
export function iscsiadm(...args: string[]): number {
  const { status } = spawnSync('iscsiadm', ['-m', ...args], { encoding: 'utf8' })
  return status ?? -1
}

export function login({ target: name }: ExportDocument, initiator: string, chap?: Chap): number {
  assert.equal(iscsiadm('node', '-o', 'new', '-T', name, '-p', `${PORTAL},1`), 0)
  const [record = ''] = globSync(`/etc/iscsi/nodes/${name}/*/default`)
  const secrets = (user: string, password: string, from: Chap | Chap['mutual']) =>
    from
      ? [`node.session.auth.${user} = ${from.user}`, `node.session.auth.${password} = ${from.password.reveal()}`]
      : []
  const lines = [
    ...(chap ? ['node.session.auth.authmethod = CHAP'] : []),
    ...secrets('username', 'password', chap),
    ...secrets('username_in', 'password_in', chap?.mutual),
  ]
  const text = readFileSync(record, 'utf8')
    .replace(/^node\.session\.auth\.(authmethod|user|pass).*\n/gm, '')
    .replace(/^(node\.session\.initial_login_retry_max) = .*$/m, '$1 = 1')
    .replace(/^(iface\.iscsi_ifacename = .*)$/m, `$1\niface.initiatorname = ${initiator}`)
    .replace('# END RECORD', [...lines, '# END RECORD'].join('\n'))
  writeFileSync(record, text)
  return iscsiadm('node', '-T', name, '-p', `${PORTAL},1`, '--login')
}

export function logout({ target: name }: ExportDocument): void {
  iscsiadm('node', '-T', name, '--logout')
  iscsiadm('node', '-T', name, '-o', 'delete')
}

export function diskOf({ target: name, rights }: ExportDocument, lun = rights[0]?.lun): string {
  for (const session of globSync('/sys/class/iscsi_session/session*')) {
    if (readFileSync(`${session}/targetname`, 'utf8').trim() !== name) continue
    const [path] = globSync(`${session}/device/target*/*:*:*:${lun}/block/sd*`)
    if (path !== undefined) return path.slice(path.lastIndexOf('/') + 1)
  }
  throw new Error(`there is no disk of ${name}`)
}

export const write = (disk: string, ...more: string[]) =>
  spawnSync('dd', ['if=/dev/zero', `of=/dev/${disk}`, 'bs=4096', 'oflag=direct', ...more], { encoding: 'utf8' }).status
