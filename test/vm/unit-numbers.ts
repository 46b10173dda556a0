// Which numbers of units Linux makes disks of: asked of the kernel, for each half of the byte that decides it.
import assert from 'node:assert/strict'
import { usableLun } from '../../src/transports/iscsi/names.ts'
import { waitUntil } from '../patience.ts'
import { type Bench, exported, NAME, requireNothing, succeed } from './initiator-bench.ts'
import type { SeenDevice } from './initiator-talk.ts'

const HALVES = Array.from({ length: 16 }, (_, half) => half)
const BYTES = new Set(HALVES.flatMap(half => [0xc0 + half, (half << 4) + 1]))
const NUMBERS = [...BYTES].map(byte => (byte << 8) + 13)

export async function unitNumbers(bench: Bench): Promise<void> {
  const volume = await exported(bench, 'numbers')
  await bench.storage.run(`tpg=$C/iscsi/${volume.target}/tpgt_1
    for n in ${NUMBERS.join(' ')}; do
      mkdir $tpg/acls/${NAME}/lun_$n
      ln -s $tpg/lun/lun_0 $tpg/acls/${NAME}/lun_$n/maps
    done`)
  const ask = { id: volume.id, route: volume.route() }
  const { kname } = await succeed<SeenDevice>(bench, 'connect', ask)
  // Of its target there can be two sessions yet: the one that lost is left when the disk is known.
  const session = await bench.node(`realpath /sys/block/${kname}/device/../..`)
  await bench.node(`echo - - - >$(echo ${session}/../scsi_host/*/scan)`)
  const found = async (what: string) => {
    const lines = await bench.node(`ls -d /sys/class/scsi_device/*${what} 2>/dev/null || true`)
    return new Set([...lines.matchAll(/:(\d+)(?=\/|$)/gm)].map(([, lun]) => Number(lun)))
  }
  await waitUntil('units of all numbers', async () => (await found('')).size === NUMBERS.length + 1)
  await waitUntil('disks of all but one', async () => (await found('/device/block')).size === NUMBERS.length)
  const disks = await found('/device/block')
  assert.deepEqual(
    NUMBERS.filter(lun => !disks.has(lun)),
    NUMBERS.filter(lun => usableLun(lun) !== lun),
  )
  for (const lun of NUMBERS) assert.ok(disks.has(usableLun(lun)), `no disk has the number ${usableLun(lun)}`)
  await bench.node(`for disk in ${session}/target*/*/delete; do echo 1 >$disk; done`)
  await succeed(bench, 'disconnect', ask)
  await requireNothing(bench, volume)
}
