{{/* The containers beside the driver. */}}

{{/* dict: root, name, args, and if they apply: port, api, node, privileged, env, mounts, probe */}}
{{- define "ashlar.sidecar" -}}
{{- $values := index .root.Values.sidecars .name -}}
- name: {{ .name }}
  image: {{ include "ashlar.image" (dict "registry" .root.Values.sidecars.registry "image" $values.image) | quote }}
  imagePullPolicy: {{ .root.Values.images.pullPolicy }}
  args:
    - --csi-address=/csi/csi.sock
    - --http-endpoint=:{{ .port }}
    - --v={{ .root.Values.sidecars.logLevel }}
  {{- range concat .args $values.extraArgs }}
    - {{ . | quote }}
  {{- end }}
  {{- with .env }}
  env:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - { name: {{ .portName | default .name }}, containerPort: {{ .port }} }
  {{- with .probe }}
  livenessProbe:
    httpGet: { path: {{ .path }}, port: {{ .port }} }
    initialDelaySeconds: 10
    timeoutSeconds: 10
    periodSeconds: 30
    failureThreshold: 4
  {{- end }}
  resources:
    {{- toYaml $values.resources | nindent 4 }}
  securityContext:
  {{- if .privileged }}
    privileged: true
    readOnlyRootFilesystem: true
  {{- else }}
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: { drop: [ALL] }
    seccompProfile: { type: RuntimeDefault }
  {{- end }}
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
    - { name: socket, mountPath: /csi }
  {{- if .api }}
    - { name: api-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
  {{- end }}
  {{- with .mounts }}
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Those of a sidecar that calls the API server. dict: root, name, leader */}}
{{- define "ashlar.apiArgs" -}}
{{- $sidecars := .root.Values.sidecars -}}
- --timeout={{ (index $sidecars .name).timeout }}
- --kube-api-qps={{ $sidecars.kubeApiQps }}
- --kube-api-burst={{ $sidecars.kubeApiBurst }}
{{- if .leader }}
- --leader-election
- --leader-election-namespace={{ .root.Release.Namespace }}
- --leader-election-lease-duration={{ $sidecars.leaderElection.leaseDuration }}
- --leader-election-renew-deadline={{ $sidecars.leaderElection.renewDeadline }}
- --leader-election-retry-period={{ $sidecars.leaderElection.retryPeriod }}
{{- end }}
{{- end }}

{{/* Provisioner, attacher, resizer and snapshotter, as the profile needs them. dict: root, privileged */}}
{{- define "ashlar.apiSidecars" -}}
{{- $root := .root -}}
{{- $local := include "ashlar.isLocal" $root -}}
{{- $ports := $root.Values.ports -}}
{{- $leading := dict "path" "/healthz/leader-election" -}}
{{- $pod := fromYamlArray "- { name: NAMESPACE, valueFrom: { fieldRef: { fieldPath: metadata.namespace } } }\n- { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }" -}}
{{- $node := fromYamlArray "- { name: NODE_NAME, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }" -}}

{{- $args := include "ashlar.apiArgs" (dict "root" $root "name" "provisioner" "leader" (not $local)) | fromYamlArray -}}
{{- $args = append $args "--extra-create-metadata" -}}
{{- if $local }}{{ $args = concat $args (list "--node-deployment" "--strict-topology" "--immediate-topology=false") }}{{ end -}}
{{- if $root.Values.csiDriver.storageCapacity }}
{{- $args = concat $args (list "--enable-capacity" (printf "--capacity-ownerref-level=%d" (ternary 1 2 (ne $local "")))) -}}
{{- end }}
{{- $probe := ternary nil (merge (dict "port" "provisioner") $leading) (ne $local "") }}
{{ include "ashlar.sidecar" (dict "root" $root "name" "provisioner" "args" $args "port" $ports.provisioner "api" true "privileged" .privileged "env" (concat $pod (ternary $node list (ne $local ""))) "probe" $probe) }}

{{- if not $local }}
{{- $args = include "ashlar.apiArgs" (dict "root" $root "name" "attacher" "leader" true) | fromYamlArray }}
{{ include "ashlar.sidecar" (dict "root" $root "name" "attacher" "args" $args "port" $ports.attacher "api" true "privileged" .privileged "probe" (merge (dict "port" "attacher") $leading)) }}
{{- end }}

{{- $args = include "ashlar.apiArgs" (dict "root" $root "name" "resizer" "leader" true) | fromYamlArray -}}
{{- $args = append $args "--handle-volume-inuse-error=false" }}
{{ include "ashlar.sidecar" (dict "root" $root "name" "resizer" "args" $args "port" $ports.resizer "api" true "privileged" .privileged "probe" (merge (dict "port" "resizer") $leading)) }}

{{- if include "ashlar.hasSnapshots" $root }}
{{- $args = include "ashlar.apiArgs" (dict "root" $root "name" "snapshotter" "leader" (not $local)) | fromYamlArray -}}
{{- $args = append $args "--extra-create-metadata" -}}
{{- if $local }}{{ $args = append $args "--node-deployment" }}{{ end -}}
{{- $probe = ternary nil (merge (dict "port" "snapshotter") $leading) (ne $local "") }}
{{ include "ashlar.sidecar" (dict "root" $root "name" "snapshotter" "args" $args "port" $ports.snapshotter "api" true "privileged" .privileged "env" (ternary $node list (ne $local "")) "probe" $probe) }}
{{- end }}
{{- end }}

{{/* The token for those that call the API server: a volume, so that no other container of the pod has it. */}}
{{- define "ashlar.apiToken" -}}
- name: api-token
  projected:
    # Readable by the group of the pod, where the sidecars are not root.
    defaultMode: 0440
    sources:
      - serviceAccountToken: { path: token, expirationSeconds: 3607 }
      - configMap: { name: kube-root-ca.crt, items: [{ key: ca.crt, path: ca.crt }] }
      - downwardAPI: { items: [{ path: namespace, fieldRef: { fieldPath: metadata.namespace } }] }
{{- end }}

{{/* Asks the driver over its socket, through the sidecar livenessprobe. */}}
{{- define "ashlar.driverProbes" -}}
# A probe is refused while the driver comes up; one that hangs is a driver that does.
livenessProbe:
  httpGet: { path: /healthz, port: health }
  initialDelaySeconds: 10
  timeoutSeconds: 5
  periodSeconds: 10
  failureThreshold: 6
{{- end }}
