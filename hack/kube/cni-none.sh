#!/bin/sh
# A plugin of CNI that makes no network: pods of tests talk to nobody. It says that there is one, because containerd wants an address.
set -eu
case "$CNI_COMMAND" in
  ADD)
    printf '{"cniVersion": "1.0.0", "interfaces": [{"name": "%s", "sandbox": "%s"}],' "$CNI_IFNAME" "$CNI_NETNS"
    printf ' "ips": [{"address": "10.244.0.2/32", "interface": 0}]}\n'
    ;;
  VERSION) echo '{"cniVersion": "1.0.0", "supportedVersions": ["0.4.0", "1.0.0"]}' ;;
esac
