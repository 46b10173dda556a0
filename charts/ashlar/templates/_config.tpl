{{/* The driver's configuration files: of whom the pools are, and of a node that only uses volumes. */}}
{{- define "ashlar.endpoint" -}}unix:///csi/csi.sock{{- end }}

{{/* Not in values.yaml: whoever names pools of their own would get this one besides. */}}
{{- define "ashlar.pools" -}}
{{- .Values.config.pools | default (dict "default" (dict "type" "file" "path" "/var/lib/ashlar/pool")) | toJson }}
{{- end }}

{{- define "ashlar.config.pools" -}}
{{- $_ := include "ashlar.check" . -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := set $config "endpoint" (include "ashlar.endpoint" .) -}}
{{- $_ := set $config "pools" (include "ashlar.pools" . | fromJson) -}}
{{- $metrics := ternary .Values.ports.nodeMetrics .Values.ports.controllerMetrics (ne (include "ashlar.isLocal" .) "") -}}
{{- $_ := set $config "metricsAddress" (printf ":%d" (int $metrics)) -}}
{{- if include "ashlar.isLocal" . }}
{{- $_ := set $config "selfPublish" true -}}
{{- else }}
{{- if not (hasKey $config "defaultTransport") }}{{ $_ := set $config "defaultTransport" "iscsi" }}{{ end -}}
{{- if include "ashlar.isRemote" . }}
{{- $paths := dict "identityFile" "/etc/ashlar/ssh/identity" "knownHostsFile" "/etc/ashlar/ssh/known_hosts" "controlDir" "/run/ashlar-ssh" -}}
{{- $_ := set $config "storage" (merge $paths $config.storage) -}}
{{- else if include "ashlar.hasChap" . }}
{{- $_ := set $config.iscsi "chapKeyFile" "/etc/ashlar/chap/key" -}}
{{- end }}
{{- end }}
{{- toPrettyJson $config }}
{{- end }}

{{- define "ashlar.config.node" -}}
{{- $_ := include "ashlar.check" . -}}
{{- if include "ashlar.isLocal" . }}{{ include "ashlar.config.pools" . }}
{{- else -}}
{{- $config := omit (deepCopy .Values.config) "pools" "defaultPool" "defaultTransport" "storage" "offerGetSnapshot" -}}
{{- $_ := set $config "endpoint" (include "ashlar.endpoint" .) -}}
{{- $_ := set $config "metricsAddress" (printf ":%d" (int .Values.ports.nodeMetrics)) -}}
{{- $iscsi := omit $config.iscsi "portals" "target" "layout" "chapKeyFile" -}}
{{- $_ := set $iscsi "inHostNamespaces" true -}}
{{- if include "ashlar.hasChap" . }}{{ $_ := set $iscsi "chapKeyFile" "/etc/ashlar/chap/key" }}{{ end -}}
{{- $_ := set $config "iscsi" $iscsi -}}
{{- toPrettyJson $config }}
{{- end }}
{{- end }}
