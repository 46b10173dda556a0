// What the transport contract needs to know of each transport: a route as its exporter makes it, and ways to tamper with it.
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
}
