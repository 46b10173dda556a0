#!/bin/bash
# Stage 2, PID 1 of the VM: prepare the system, then serve commands.
#
# A command is a directory /lab/mail/<id> (9p, written by the host) that holds
# the script `cmd` and its `stdin`. The host names it on the second serial port
# ("run <id>"); the job writes `stdout`, `stderr` and finally `rc` beside it.
# "kill <id>" ends the job's process group and whatever still carries LAB_JOB=<id>
# in its environment: children in sessions of their own.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8 TERM=dumb
cd /
. /lab/mail/vm.env

mkdir -p /dev/pts /dev/shm /run/lock /var/lock
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t cgroup2 cgroup /sys/fs/cgroup
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
modprobe configfs && mount -t configfs configfs /sys/kernel/config

mkdir -p /etc/iscsi /etc/nvme
echo "InitiatorName=$LAB_IQN" >/etc/iscsi/initiatorname.iscsi
echo "$LAB_UUID" >/etc/nvme/hostid
echo "nqn.2014-08.org.nvmexpress:uuid:$LAB_UUID" >/etc/nvme/hostnqn
echo "${LAB_UUID//-/}" >/etc/machine-id
echo "$LAB_NAME" >/etc/hostname
cp /lab/mail/hosts /etc/hosts

# A lab that its owner lost sight of ends by itself.
( sleep "$LAB_MAX_LIFE"; echo o >/proc/sysrq-trigger ) </dev/null >/dev/null 2>&1 &

job() {
    local dir=/lab/mail/$1 rc
    [ -f "$dir/cmd" ] || return 0
    set -m                                     # the command gets its own process group
    LAB_JOB=$1 bash "$dir/cmd" <"$dir/stdin" >"$dir/stdout" 2>"$dir/stderr" &
    echo $! >"/run/lab-job-$1"
    wait $!
    rc=$?
    rm -f "/run/lab-job-$1" &
    echo "$rc" >"$dir/rc"
} 2>/dev/null

exec 3<>/dev/ttyS1
stty -F /dev/ttyS1 raw -echo clocal
read -r up _ </proc/uptime
echo "$up" >/lab/mail/ready.tmp && mv /lab/mail/ready.tmp /lab/mail/ready
end_job() {
    local pid
    read -r pid <"/run/lab-job-$1" && kill -KILL -- "-$pid"
    grep -lzx "LAB_JOB=$1" /proc/[0-9]*/environ | while IFS=/ read -r _ _ pid _; do kill -KILL "$pid"; done
} 2>/dev/null

while true; do
    IFS=' ' read -r -u 3 verb id || { sleep 1; continue; }
    case $verb in
        run) job "$id" 3>&- & ;;
        kill) end_job "$id" ;;
        ping) ;;
        *) continue ;;
    esac 2>/dev/null
    echo "ok $verb $id" >&3
done
