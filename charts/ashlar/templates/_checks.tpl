{{/* What no schema can say; each failure tells what to do. */}}
{{- define "ashlar.check" -}}
{{- $config := .Values.config -}}
{{- $default := $config.defaultPool | default "default" -}}
{{- if not (hasKey (include "ashlar.pools" . | fromJson) $default) }}
{{- fail (printf "config.defaultPool: there is no pool %q in config.pools" $default) }}
{{- end }}
{{- if include "ashlar.isLocal" . }}
{{- if $config.iscsi }}{{ fail "config.iscsi: profile local reaches volumes over loop devices only; set profile: iscsi" }}{{ end }}
{{- if $config.storage }}{{ fail "config.storage: profile local has its pools on the nodes; set profile: iscsi" }}{{ end }}
{{- if eq ($config.defaultTransport | default "loop") "iscsi" }}{{ fail "config.defaultTransport: profile local has loop only" }}{{ end }}
{{- if .Values.volumeAttributesClasses }}
{{- fail "volumeAttributesClasses: profile local has none: the resizer speaks to one driver, and the volumes are on every node" }}
{{- end }}
{{- else }}
{{- if $config.ephemeral }}{{ fail "config.ephemeral: pods' own volumes are files of the node; profile iscsi has pools on the storage host only" }}{{ end }}
{{- if not (dig "iscsi" "portals" list $config) }}
{{- fail "config.iscsi.portals: profile iscsi needs the addresses of the storage host, as [\"10.0.0.1:3260\"]" }}
{{- end }}
{{- if include "ashlar.isRemote" . }}
{{- if not .Values.sshSecret.name }}{{ fail "sshSecret.name: config.storage needs the Secret with private key and known hosts" }}{{ end }}
{{- if eq (dig "iscsi" "target" "lio" $config) "tgt" | and (dig "iscsi" "chap" "none" $config | ne "none") }}{{ fail "config.iscsi.chap: must be none for target tgt" }}{{ end }}
{{- if and (include "ashlar.hasChap" .) (not (dig "iscsi" "chapKeyFile" "" $config)) }}
{{- fail "config.iscsi.chapKeyFile: the path on the storage host; with config.storage the controller reads the key there" }}
{{- end }}
{{- else }}
{{- if not .Values.controller.nodeSelector }}
{{- fail "controller.nodeSelector: select the storage host, as {kubernetes.io/hostname: storage-1}; or set config.storage to reach it over ssh" }}
{{- end }}
{{- if gt (int (include "ashlar.replicas" .)) 1 }}
{{- fail "controller.replicas: a controller on the storage host is alone there: its ports are the host's" }}
{{- end }}
{{- end }}
{{- if and (include "ashlar.hasChap" .) (not .Values.chapSecret.name) }}
{{- fail "chapSecret.name: config.iscsi.chap needs the Secret with the key" }}
{{- end }}
{{- end }}
{{- $vac := .Capabilities.APIVersions.Has "storage.k8s.io/v1/VolumeAttributesClass" }}
{{- if and .Values.volumeAttributesClasses (not $vac) }}
{{- fail "volumeAttributesClasses: this cluster has no VolumeAttributesClass in storage.k8s.io/v1 (Kubernetes 1.34 or later)" }}
{{- end }}
{{- include "ashlar.checkImmutable" . }}
{{- end }}

{{/* The API server would refuse the change half-way through the upgrade. */}}
{{- define "ashlar.checkImmutable" -}}
{{- $name := include "ashlar.driverName" . -}}
{{- $old := lookup "storage.k8s.io/v1" "CSIDriver" "" $name -}}
{{- if $old }}
{{- $was := dig "spec" "attachRequired" true $old -}}
{{- $wanted := eq (include "ashlar.isLocal" .) "" -}}
{{- if ne $was $wanted }}
{{- fail (printf "profile: CSIDriver %s has attachRequired %t, and this profile needs %t, which cannot be changed. End the pods with its volumes, then: kubectl delete csidriver %s; and upgrade again. See docs/install.md, Upgrade" $name $was $wanted $name) }}
{{- end }}
{{- $modes := printf "[%s]" (dig "spec" "volumeLifecycleModes" (list "Persistent") $old | sortAlpha | reverse | join ", ") -}}
{{- if ne $modes (include "ashlar.lifecycleModes" .) }}
{{- fail (printf "config.ephemeral: CSIDriver %s has volumeLifecycleModes %s, and these values need %s, which cannot be changed. Then: kubectl delete csidriver %s; and upgrade again; running pods are not touched. See docs/install.md, Upgrade" $name $modes (include "ashlar.lifecycleModes" .) $name) }}
{{- end }}
{{- end }}
{{- end }}
