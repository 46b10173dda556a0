// SCSI disks: what they say they are, and the files in /sys that make the kernel ask them again or let them go.
import type { Host } from '../host/host.ts'
import type { Op } from '../volume/op.ts'
import { keepingQueue } from './block-queue.ts'
import { writeControl } from './control-file.ts'

const REMEDY = 'check the session of the disk; call again'

/** Of the vital product data page 0x80, as the kernel last read it; undefined for a disk without one. */
export async function readUnitSerial(host: Host, kname: string): Promise<string | undefined> {
  const page = await host.files.read(`/sys/block/${kname}/device/vpd_pg80`)
  // Four bytes of header (SPC-4 7.8.15), each one character also where it is no UTF-8. LIO ends the text with NUL, tgt
  // puts blanks before it.
  return page?.slice(4).replace(/^[\s\0]+|[\s\0]+$/g, '')
}

/** The identifier that the kernel makes of page 0x83, for messages; '' when there is none. */
export async function readWorldWideId(host: Host, kname: string): Promise<string> {
  return (await host.files.read(`/sys/block/${kname}/device/wwid`))?.trim() ?? ''
}

/** `running`, or why the disk takes no commands: blocked, transport-offline, offline ... */
export async function readDiskState(host: Host, kname: string): Promise<string> {
  return (await host.files.read(`/sys/block/${kname}/device/state`))?.trim() ?? 'gone'
}

/** Makes the kernel ask the disk anew for its size, its write protection and its identity. Its queue stays as it was. */
export async function rescanDisk(host: Host, kname: string, op: Op): Promise<void> {
  await keepingQueue(host, { kname }, op, () =>
    writeControl(host, `/sys/block/${kname}/device/rescan`, '1', REMEDY, op),
  )
}

/** Takes the disk out of the kernel, after writing back the disk's own cache; `at` is its folder in /sys. */
export async function deleteDisk(host: Host, at: string, op: Op): Promise<void> {
  await writeControl(host, `${at}/delete`, '1', REMEDY, op)
}

/** Looks for one logical unit behind a SCSI host; `at` is the host's folder in /sys. */
export async function scanHost(host: Host, at: string, lun: number, op: Op): Promise<void> {
  await writeControl(host, `${at}/scan`, `- - ${lun}`, REMEDY, op)
}
