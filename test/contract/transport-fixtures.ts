// What the transport contract needs to know of each transport: a route as its exporter makes it, and ways to tamper with it.
import { serialOf, targetName } from '../../src/transports/iscsi/names.ts'
import { encodeIscsiRoute } from '../../src/transports/iscsi/route.ts'
import type { Route, VolumeId } from '../../src/volume/types.ts'

export interface TransportFixture {
  /** What the exporter answers for this volume, without `device_path`. */
  route(id: VolumeId): Route
  /** The same with one thing wrong, by what is wrong. */
  tampered(id: VolumeId): Readonly<Record<string, Route>>
}

const loopRoute = (id: VolumeId): Route => ({
  backing_file: `/nonexistent/volumes/${id}/data`,
  sector_size: '512',
  readonly: 'false',
  size: '1048576',
})

const iscsiRoute = (id: VolumeId): Route =>
  encodeIscsiRoute({
    target: targetName(id),
    lun: 0,
    portals: ['192.0.2.1:3260', '[2001:db8::1]:3260'],
    serial: serialOf(id),
    size: 1_048_576n,
    sectorSize: 512,
    readonly: false,
    chap: { mode: 'mutual', nonce: '0123456789abcdef'.repeat(2), key: '01234567' },
  })

export const TRANSPORT_FIXTURES: Readonly<Record<string, TransportFixture>> = {
  loop: {
    route: loopRoute,
    tampered: id => ({
      'a file outside the pool': { ...loopRoute(id), backing_file: '/etc/shadow' },
      'a device': { ...loopRoute(id), backing_file: '/dev/sda' },
      'a way out of the folder': { ...loopRoute(id), backing_file: `/nonexistent/volumes/${id}/../data` },
      'a sector size that no device has': { ...loopRoute(id), sector_size: '1' },
      'a readonly that is neither': { ...loopRoute(id), readonly: '' },
      'a size that is none': { ...loopRoute(id), size: '-1' },
    }),
  },
  iscsi: {
    route: iscsiRoute,
    tampered: id => ({
      'a target of somebody else': { ...iscsiRoute(id), target: 'iqn.2001-04.com.example:disk' },
      'a target in a folder above': { ...iscsiRoute(id), target: `../${targetName(id)}` },
      'a serial number of another volume': { ...iscsiRoute(id), serial: 'f'.repeat(32) },
      'an option for iscsiadm': { ...iscsiRoute(id), portals: '--logoutall=all' },
      'a portal with a line break': { ...iscsiRoute(id), portals: '192.0.2.1:3260\nnode.startup = automatic' },
      'a portal by name': { ...iscsiRoute(id), portals: 'storage:3260' },
      'no portal': { ...iscsiRoute(id), portals: '' },
      'a unit that is no number': { ...iscsiRoute(id), lun_id: '-' },
      'a sector size that no device has': { ...iscsiRoute(id), sector_size: '1' },
      'a readonly that is neither': { ...iscsiRoute(id), readonly: '' },
      'a size that is none': { ...iscsiRoute(id), size: '-1' },
      'an unknown way to authenticate': { ...iscsiRoute(id), chap: 'later' },
      'a nonce that is none': { ...iscsiRoute(id), chap_nonce: '../../etc/shadow' },
      'a key that has no such name': { ...iscsiRoute(id), chap_key: '/' },
    }),
  },
}
