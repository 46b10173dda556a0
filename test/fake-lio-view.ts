// What initiators would get from the kernel's LIO as test/fake-lio.ts plays it.
import { type Group, isSet } from './fake-lio.ts'

/** What an initiator that logs in now would get, by what the kernel does. */
export interface Open {
  readonly initiator: string
  readonly access: 'none' | 'read-only' | 'read-write'
  readonly file: string
  /** '' when the target asks for none. */
  readonly user: string
  readonly password: string
  readonly targetUser: string
  readonly targetPassword: string
}

/** What an initiator with a session can use now. */
export interface Reached {
  readonly initiator: string
  readonly lun: string
  readonly access: 'read-only' | 'read-write'
  readonly file: string
  readonly serial: string
  readonly size: bigint
  readonly sectorSize: number
}

export function reachedBy(group: Group): Reached[] {
  return [...group.acls].flatMap(([initiator, { luns }]) =>
    [...luns].flatMap(([name, { lun, protect }]) =>
      protect === '' || !lun?.device
        ? []
        : [
            {
              initiator,
              lun: name,
              access: protect === '1' ? ('read-only' as const) : ('read-write' as const),
              file: lun.device.file,
              serial: lun.device.serial,
              size: lun.device.size,
              sectorSize: lun.device.sectorSize,
            },
          ],
    ),
  )
}

export function openOf(group: Group): Open[] {
  if (!group.enabled || group.portals.size === 0) return []
  return [...group.acls].flatMap(([initiator, { auth, attributes, luns }]) => {
    const own = attributes.get('authentication')
    const asks = own === '-1' ? group.attributes.get('authentication') === '1' : own === '1'
    if (asks && !(isSet(auth.get('userid')) && isSet(auth.get('password')))) return []
    const [mapped] = luns.values()
    const value = (name: string) => (asks && isSet(auth.get(name)) ? (auth.get(name) ?? '') : '')
    const isMutual = isSet(auth.get('userid_mutual')) && isSet(auth.get('password_mutual'))
    return [
      {
        initiator,
        access: !mapped || mapped.protect === '' ? 'none' : mapped.protect === '1' ? 'read-only' : 'read-write',
        file: mapped?.lun?.device?.file ?? '',
        user: value('userid'),
        password: value('password'),
        targetUser: isMutual ? value('userid_mutual') : '',
        targetPassword: isMutual ? value('password_mutual') : '',
      } as const,
    ]
  })
}
