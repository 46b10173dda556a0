#!/bin/sh
# The first process of a node in namespaces of its own: containerd and kubelet, which comes back when it ends. Mounts of
# the host below kubelet's folder appear here, those of here nowhere else; all of it is gone with this process.
# Arguments: the work folder, kubelet's folder, then the words of kubelet's command.
set -eu
work="$1" root="$2"
shift 2
kubelet="$1"

# Whether the node uses what is mounted at the path; the work folder or the programs may be on a filesystem of their own.
isUsed() {
  case "$1" in / | /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | "$root") return 0 ;; esac
  for used in "$work" "$kubelet" /usr/bin; do
    case "$used" in "$1"/*) return 0 ;; esac
  done
  return 1
}

# This namespace began with a copy of each mount of the host. One that is unmounted there would stay here, and its disk in use.
awk '{ print $5 }' /proc/self/mountinfo | tac | while read -r escaped; do
  path="$(printf '%b' "$escaped")"
  isUsed "$path" || umount --lazy -- "$path"
done

mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
# kubelet sets these for the whole machine, which is not its own.
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
  kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  copy="$work/$(echo "$setting" | tr / .)"
  cat "/proc/sys/$setting" >"$copy"
  mount --bind "$copy" "/proc/sys/$setting"
done

containerd --config "$work/containerd.toml" >"$work/containerd.log" 2>&1 &
for _ in $(seq 600); do
  if ctr version >/dev/null 2>&1; then break; fi
  sleep 0.1
done
ctr --namespace k8s.io images import --snapshotter native "$work/image.tar"

while :; do
  "$@" &
  wait "$!" || echo "kubelet: exit $?"
  sleep 1
done
