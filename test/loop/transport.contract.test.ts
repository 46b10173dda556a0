// The contract of transports on the real kernel, run for every entry of the registry, with volumes of a real pool.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { localHost } from '../../src/host/local.ts'
import { findDevice } from '../../src/linux/device.ts'
import { POOLS } from '../../src/pools/index.ts'
import type { Pool } from '../../src/pools/pool.ts'
import { loop } from '../../src/transports/loop.ts'
import { encodeVolumeId } from '../../src/volume/ids.ts'
import type { Claim, Route, Volume } from '../../src/volume/types.ts'
import { BLOCK, failure, MIB, testOp } from '../fixtures.ts'
import { clear, loopsBelow } from './machine.ts'

const op = testOp()
const host = localHost()
const SIZE = 4n * MIB
const claim: Claim = { node: 'n1', readonly: false, capability: BLOCK, blank: true }

for (const [type, transport] of Object.entries({ loop })) {
  describe(`transport ${type} on the real kernel`, () => {
    const exporter = transport.exporter(host, { nodeId: 'n1' })
    const connector = transport.connector(host)
    let folder = ''
    let pool: Pool
    let count = 0

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'ashlar-transport-'))
      const kind = POOLS['file']
      assert.ok(kind)
      pool = await kind.open(host, 'p', { type: 'file', path: folder, overcommit: 1, sectorSize: 512 })
    })
    after(() => {
      const found = clear(folder)
      rmSync(folder, { recursive: true })
      assert.deepEqual(found, [], 'a test left something behind')
    })

    /** A volume of its own, and its export to this node; nothing of it is left when `use` has ended. */
    const withVolume = async (
      use: (volume: Volume, give: (rest?: Partial<Claim>) => Promise<Route>) => Promise<void>,
      sectorSize = 512,
    ): Promise<void> => {
      count += 1
      // Other runs on this machine have other ids: a device is found by the id of its volume.
      const name = `${basename(folder)}-${count}`
      const id = encodeVolumeId('p', name)
      const volume = await pool.create(
        { id, name, capabilities: [BLOCK], parameters: {}, transport: type, sectorSize, segments: {} },
        SIZE,
        op,
      )
      try {
        await use(
          volume,
          async rest => await exporter.export(volume, await pool.backing(id), [{ ...claim, ...rest }], op),
        )
      } finally {
        await connector.disconnect(id, op)
        await exporter.unexport(id, 'n1', op)
        await pool.delete(id, op)
        assert.deepEqual(loopsBelow(join(folder, 'volumes', id)), [])
      }
    }
    const writeTo = async (path: string, text: string) => {
      const file = await open(path, 'r+')
      try {
        await file.write(Buffer.from(text.padEnd(4096, '.')), 0, 4096, 0)
        await file.sync()
      } finally {
        await file.close()
      }
    }
    const readFrom = async (path: string, length: number): Promise<string> => {
      const file = await open(path, 'r')
      try {
        return (await file.read(Buffer.alloc(length), 0, length, 0)).buffer.toString()
      } finally {
        await file.close()
      }
    }

    it('connects a device that is the volume: size, sectors, bytes both ways', async () => {
      for (const sectorSize of [512, 4096]) {
        await withVolume(async (volume, give) => {
          const route = await give()
          const device = await connector.connect(volume.id, route, op)
          assert.deepEqual([device.size, device.sectorSize, device.readonly], [SIZE, sectorSize, false])
          assert.equal(route['device_path'], device.path)
          assert.ok(Object.values(route).every(value => typeof value === 'string'))
          await writeTo(device.path, 'hello')
          const { path } = await pool.backing(volume.id)
          assert.equal(await readFrom(path, 5), 'hello')
          assert.equal(await pool.isBlank(volume.id, op), false)
        }, sectorSize)
      }
    })

    it('exports and connects once, however often and at once it is asked', async () => {
      await withVolume(async (volume, give) => {
        const route = await give()
        assert.deepEqual(await give(), route)
        const devices = await Promise.all(Array.from({ length: 6 }, () => connector.connect(volume.id, route, op)))
        assert.equal(new Set(devices.map(device => device.path)).size, 1)
        assert.equal(loopsBelow(join(folder, 'volumes', volume.id)).length, 1)
      })
    })

    it('finds and identifies its device from the kernel alone, and no other', async () => {
      await withVolume(async (volume, give) => {
        assert.equal(await connector.find(volume.id, op), undefined)
        const device = await connector.connect(volume.id, await give(), op)
        const anew = transport.connector(localHost())
        assert.deepEqual(await anew.find(volume.id, op), device)
        assert.equal(await anew.identify(device), volume.id)
        assert.equal(await anew.find(encodeVolumeId('p', 'another'), op), undefined)
      })
    })

    it('connects again by itself when the device is gone, with the same bytes', async () => {
      await withVolume(async (volume, give) => {
        const route = await give()
        await writeTo((await connector.connect(volume.id, route, op)).path, 'kept')
        await connector.disconnect(volume.id, op)
        assert.equal(await connector.find(volume.id, op), undefined)
        assert.equal(await readFrom((await connector.connect(volume.id, route, op)).path, 4), 'kept')
      })
    })

    it('shows the new size after a rescan, and not by accident before', async () => {
      await withVolume(async (volume, give) => {
        const device = await connector.connect(volume.id, await give(), op)
        await pool.grow(volume.id, 2n * SIZE, op)
        assert.equal((await findDevice(host, device.kname))?.size, SIZE)
        assert.equal((await connector.rescan(device, op)).size, 2n * SIZE)
        assert.equal((await findDevice(host, device.kname))?.size, 2n * SIZE)
      })
    })

    it('makes a read-only export a device that cannot be written', async () => {
      await withVolume(async (volume, give) => {
        const device = await connector.connect(volume.id, await give({ readonly: true }), op)
        assert.equal(device.readonly, true)
        await assert.rejects(writeTo(device.path, 'x'))
        assert.equal(await pool.isBlank(volume.id, op), true)
      })
    })

    it('takes nothing away while the device is mounted, and says where', async () => {
      await withVolume(async (volume, give) => {
        const device = await connector.connect(volume.id, await give(), op)
        execFileSync('mkfs.ext4', ['-q', device.path])
        const path = mkdtempSync(join(folder, 'mount-'))
        execFileSync('mount', ['-t', 'ext4', device.path, path])
        try {
          const busy = failure('failed-precondition', new RegExp(path))
          await assert.rejects(exporter.unexport(volume.id, 'n1', op), busy)
          await assert.rejects(connector.disconnect(volume.id, op), busy)
          await assert.rejects(exporter.requireUnused(volume.id, op), busy)
          assert.deepEqual(await connector.find(volume.id, op), device)
        } finally {
          execFileSync('umount', [path])
        }
        await exporter.unexport(volume.id, 'n1', op)
        assert.equal(await connector.find(volume.id, op), undefined)
        await exporter.unexport(volume.id, 'n1', op)
        await exporter.requireUnused(volume.id, op)
      })
    })

    it('says that the bytes are in reach as long as they are', async () => {
      await withVolume(async (volume, give) => {
        await exporter.requireUnused(volume.id, op)
        await give()
        await assert.rejects(exporter.requireUnused(volume.id, op), failure('failed-precondition'))
        await exporter.unexport(volume.id, 'n1', op)
        await exporter.requireUnused(volume.id, op)
      })
    })

    it('refuses the route of another volume, and a volume that is not on this host', async () => {
      await withVolume(async (volume, give) => {
        const route = await give()
        const other = encodeVolumeId('p', `${volume.name}-other`)
        await assert.rejects(connector.connect(other, route, op), failure('invalid-argument'))
        await exporter.unexport(volume.id, 'n1', op)
        await pool.delete(volume.id, op)
        await assert.rejects(connector.connect(volume.id, route, op), failure('not-found'))
      })
    })
  })
}
