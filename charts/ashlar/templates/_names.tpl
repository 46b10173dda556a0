{{/* Names, labels, and what follows from the profile. */}}
{{- define "ashlar.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}{{- end -}}
{{- end }}

{{- define "ashlar.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "ashlar.labels" -}}
{{ include "ashlar.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "ashlar.driverName" -}}{{ .Values.config.driverName }}{{- end }}

{{/* Non-empty when the thing is so. */}}
{{- define "ashlar.isLocal" -}}{{ if eq .Values.profile "local" }}yes{{ end }}{{- end }}
{{- define "ashlar.isRemote" -}}{{ if .Values.config.storage }}yes{{ end }}{{- end }}
{{- define "ashlar.hasSnapshots" -}}
{{- $has := .Capabilities.APIVersions.Has "snapshot.storage.k8s.io/v1" -}}
{{- if or (eq (toString .Values.snapshots) "true") (and (eq (toString .Values.snapshots) "auto") $has) }}yes{{ end }}
{{- end }}
{{- define "ashlar.hasChap" -}}
{{- if and (not (include "ashlar.isLocal" .)) (ne (dig "iscsi" "chap" "none" .Values.config) "none") }}yes{{ end }}
{{- end }}
{{- define "ashlar.replicas" -}}
{{- if kindIs "invalid" .Values.controller.replicas }}{{ if include "ashlar.isRemote" . }}2{{ else }}1{{ end }}
{{- else }}{{ .Values.controller.replicas }}{{ end }}
{{- end }}

{{- define "ashlar.lifecycleModes" -}}[Persistent{{ if .Values.config.ephemeral }}, Ephemeral{{ end }}]{{- end }}

{{/* Of whom the sidecars that call the API server are. */}}
{{- define "ashlar.apiAccount" -}}
{{ include "ashlar.fullname" . }}-{{ if include "ashlar.isLocal" . }}node{{ else }}controller{{ end }}
{{- end }}

{{/* dict: registry, image (repository, tag, digest), tag (when the image has none) */}}
{{- define "ashlar.image" -}}
{{- $name := .image.repository -}}
{{- if .registry }}{{ $name = printf "%s/%s" (trimSuffix "/" .registry) $name }}{{ end -}}
{{- if .image.digest }}{{ $name }}@{{ .image.digest }}
{{- else }}{{ $name }}:{{ .image.tag | default .tag }}{{ end -}}
{{- end }}

{{/* The name that sidecars give to their leases. */}}
{{- define "ashlar.lease" -}}{{ regexReplaceAll "[^a-zA-Z0-9-]" . "-" }}{{- end }}
