{{/* The folders of the pools, at the same path as on the host: the kernel shows a loop device's file by its path. */}}
{{- define "ashlar.poolMounts" -}}
{{- range $name, $pool := include "ashlar.pools" . | fromJson }}
- { name: pool-{{ $name }}, mountPath: {{ $pool.path }}, mountPropagation: HostToContainer }
{{- end }}
{{- end }}

{{- define "ashlar.poolVolumes" -}}
{{- range $name, $pool := include "ashlar.pools" . | fromJson }}
- { name: pool-{{ $name }}, hostPath: { path: {{ $pool.path }}, type: {{ $.Values.poolHostPathType }} } }
{{- end }}
{{- end }}
