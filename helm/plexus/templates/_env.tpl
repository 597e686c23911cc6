{{/* All variables of one service: what belongs to the chart, then what its `settings` say, then extraEnv. root, name, service, facts. */}}
{{- define "plexus.env" -}}
{{- $root := .root -}}
{{- $facts := .facts -}}
{{- $stops := $facts.stops -}}
- { name: NODE_ENV, value: {{ $root.Values.nodeEnv }} }
- { name: LOG_LEVEL, value: {{ $root.Values.logLevel }} }
- { name: INTERNAL_HOST, value: {{ $root.Values.internal.host | quote }} }
- { name: INTERNAL_PORT, value: {{ $root.Values.internal.port | quote }} }
- { name: PROPAGATION_DELAY_MS, value: {{ mul $stops.delay 1000 | quote }} }
- { name: SHUTDOWN_TIMEOUT_MS, value: {{ mul (add $stops.delay $stops.drain $stops.flush) 1000 | quote }} }
{{ include "plexus.natsEnv" . }}
- { name: OTEL_SERVICE_NAME, value: {{ .name }} }
- { name: OTEL_TRACES_SAMPLER_ARG, value: {{ include "plexus.text" $root.Values.telemetry.sampleRatio | quote }} }
{{- with $root.Values.telemetry.otlpEndpoint }}
- { name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }} }
{{- end }}
{{- with $facts.port }}
- { name: {{ .host }}, value: 0.0.0.0 }
- { name: {{ .variable }}, value: {{ .number | quote }} }
{{- end }}
{{- with $facts.database }}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ $.service.database.existingSecret | default $root.Values.postgres.existingSecret }}
      key: {{ $.service.database.key | default (index $root.Values.postgres .key) }}
{{- include "plexus.postgresCa" (dict "root" $root "part" "env") }}
{{- end }}
{{- range $facts.files }}
{{- $secret := index $root.Values.secrets .secret }}
{{- if $secret.existingSecret }}
- { name: {{ .variable }}, value: /run/secrets/plexus/{{ .name }}/current }
{{- if and .previous $secret.previousKey }}
- { name: {{ .previous }}, value: /run/secrets/plexus/{{ .name }}/previous }
{{- end }}
{{- end }}
{{- end }}
{{- range $facts.variables }}
{{- $secret := index $root.Values.secrets .secret }}
{{- if $secret.existingSecret }}
- name: {{ .variable }}
  valueFrom: { secretKeyRef: { name: {{ $secret.existingSecret }}, key: {{ $secret.key }} } }
{{- end }}
{{- end }}
{{- if eq .name "scheduler" }}
{{ include "plexus.vmEnv" $root }}
{{- end }}
{{- if eq .name "memory" }}
- { name: MEMORY_MIGRATE, value: "0" }
{{- end }}
{{- range $name, $value := .service.settings }}
- { name: {{ $name }}, value: {{ include "plexus.text" $value | quote }} }
{{- end }}
{{- with .service.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Where VMs run: what the scheduler must know of the rest of the release. */}}
{{- define "plexus.vmEnv" -}}
{{- $gateway := (include "plexus.facts" . | fromYaml).gateway.port.number -}}
- { name: PLEXUS_CLUSTER, value: {{ include "plexus.cluster" . | quote }} }
- { name: PROVIDER, value: {{ join "," .Values.vms.provider | quote }} }
- { name: CONTROL_PLANE_WS, value: {{ include "plexus.controlPlane" . | quote }} }
{{- if .Values.vms.templates }}
- { name: VM_TEMPLATES_FILE, value: /etc/plexus/vm-templates.json }
{{- end }}
{{- if has "kubernetes" .Values.vms.provider }}
- { name: KUBERNETES_NAMESPACE, value: {{ .Values.vms.namespace | quote }} }
- { name: KUBERNETES_NAMESPACE_PER_TENANT, value: {{ ternary "1" "0" .Values.vms.namespacePerTenant | quote }} }
- { name: KUBERNETES_IMAGE, value: {{ include "plexus.image" (dict "root" . "target" "runtime" "image" .Values.vms.image) | quote }} }
- { name: KUBERNETES_IMAGE_PULL_SECRETS, value: {{ toJson .Values.vms.imagePullSecrets | quote }} }
- { name: KUBERNETES_GATEWAY, value: {{ include "plexus.gatewayPeer" . | quote }} }
- { name: KUBERNETES_GATEWAY_PORT, value: {{ $gateway | quote }} }
- { name: KUBERNETES_NETWORK_POLICY_ENFORCED, value: {{ ternary "1" "0" .Values.vms.networkPolicyEnforced | quote }} }
{{- end }}
{{- end -}}

{{- define "plexus.controlPlane" -}}
{{- $port := ((include "plexus.settings" (dict "root" . "name" "gateway") | fromYaml).service).port -}}
{{- .Values.vms.gatewayUrl | default (printf "ws://%s-gateway.%s.svc:%v/ws/vm" (include "plexus.fullname" .) .Release.Namespace (int64 $port)) -}}
{{- end -}}

{{- define "plexus.gatewayPeer" -}}
{{- $labels := include "plexus.selector" (dict "root" . "component" "gateway") | fromYaml -}}
{{- list (dict "namespace" .Release.Namespace "podLabels" $labels) | toJson -}}
{{- end -}}
