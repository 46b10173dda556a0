// The storage host of the initiator's test: LIO by hand, so that it can also be wrong in ways that no driver of ours would be.
import type { Machine } from '../../hack/lab/machine.ts'

const SHELL = `set -e
C=/sys/kernel/config/target
modprobe -a target_core_mod target_core_file iscsi_target_mod
mkdir -p $C/iscsi
# NAME SERIAL SIZE
backstore() {
  truncate -s $3 /srv/$1
  mkdir -p $C/core/fileio_0/$1
  echo fd_dev_name=/srv/$1,fd_dev_size=$3 >$C/core/fileio_0/$1/control
  echo -n $2 >$C/core/fileio_0/$1/wwn/vpd_unit_serial
  echo 1 >$C/core/fileio_0/$1/enable
}
# TARGET INITIATOR WRITE_PROTECT BACKSTORE
show() {
  ln -s $C/core/fileio_0/$4 $C/iscsi/$1/tpgt_1/lun/lun_0/shows
  mkdir $C/iscsi/$1/tpgt_1/acls/$2/lun_0
  ln -s $C/iscsi/$1/tpgt_1/lun/lun_0 $C/iscsi/$1/tpgt_1/acls/$2/lun_0/maps
  echo $3 >$C/iscsi/$1/tpgt_1/acls/$2/lun_0/write_protect
}
# TARGET INITIATOR
hide() {
  rm $C/iscsi/$1/tpgt_1/acls/$2/lun_0/maps
  rmdir $C/iscsi/$1/tpgt_1/acls/$2/lun_0
  rm $C/iscsi/$1/tpgt_1/lun/lun_0/shows
}
# TARGET INITIATOR AUTHENTICATION PORTAL...
target() {
  local tpg=$C/iscsi/$1/tpgt_1
  mkdir -p $tpg/lun/lun_0 $tpg/acls/$2
  echo $3 >$tpg/attrib/authentication
  for portal in \${@:4}; do mkdir -p $tpg/np/$portal; done
}
`

export interface Storage {
  /** Runs a shell command with the functions above. */
  run(command: string): Promise<string>
}

export function openStorage(machine: Machine): Storage {
  return {
    async run(command) {
      const { code, stdout, stderr } = await machine.exec(`${SHELL}${command}`)
      if (code !== 0) throw new Error(`storage: ${command}: exit ${code}: ${stderr}`)
      return stdout.trim()
    },
  }
}
