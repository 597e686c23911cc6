{{/* Rules of one named opening outwards: root, name. Without peers: any address, on these ports only. */}}
{{- define "plexus.opening" -}}
{{- $opening := index .root.Values.networkPolicy.egress .name -}}
{{- if $opening.ports }}
- ports:
    {{- range $opening.ports }}
    - { port: {{ int . }}, protocol: TCP }
    {{- if eq $.name "dns" }}
    - { port: {{ int . }}, protocol: UDP }
    {{- end }}
    {{- end }}
  {{- with $opening.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Whether anybody goes through an opening with these values: root, name, service. */}}
{{- define "plexus.isNeeded" -}}
{{- if eq .name "otlp" -}}
{{- ne .root.Values.telemetry.otlpEndpoint "" -}}
{{- else if eq .name "kubernetesApi" -}}
{{- has "kubernetes" .root.Values.vms.provider -}}
{{- else if eq .name "embedder" -}}
{{- eq (toString (.service.settings | default dict).MEMORY_EMBEDDER) "openai" -}}
{{- else -}}
true
{{- end -}}
{{- end -}}

{{/* Port of an address: url, and the one that its scheme means. */}}
{{- define "plexus.portOf" -}}
{{- $host := (urlParse .url).host -}}
{{- $named := regexFind ":[0-9]+$" $host | trimPrefix ":" -}}
{{- if $named -}}
{{- $named -}}
{{- else -}}
{{- index (dict "nats" "4222" "tls" "4222" "ws" "80" "wss" "443" "http" "80" "https" "443") (urlParse .url).scheme -}}
{{- end -}}
{{- end -}}

{{/* A policy that keeps a service from an address that its values name: root, name, url, value. Where rules of your own (extra) open more, who knows. */}}
{{- define "plexus.validateOpening" -}}
{{- $ports := list -}}
{{- range (index .root.Values.networkPolicy.egress .name).ports }}{{ $ports = append $ports (int . | toString) }}{{ end -}}
{{- $port := include "plexus.portOf" . -}}
{{- if and .root.Values.networkPolicy.enabled (not .extra) (not (has $port $ports)) -}}
{{- fail (printf "%s leads to port %s, and networkPolicy.egress.%s.ports opens only [%s]: nothing would arrive. Add the port there, or set networkPolicy.enabled=false." .value $port .name (join " " $ports)) -}}
{{- end -}}
{{- end -}}

{{- define "plexus.object.networkPolicy" -}}
{{- $root := .root -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "plexus.metadata" (dict "root" $root "component" .component "name" .full) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "plexus.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    # Probes come from the node and pass always; this is for whoever reads metrics.
    - ports: [{ port: internal, protocol: TCP }]
      {{- with $root.Values.networkPolicy.ingress.metrics }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- else }}
      from: [{ namespaceSelector: {} }]
      {{- end }}
    {{- if has "clients" (.facts.admits | default list) }}
    - ports: [{ port: {{ .facts.port.name }}, protocol: TCP }]
      {{- with $root.Values.networkPolicy.ingress.clients }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
    {{- if and (has "clients" (.facts.admits | default list)) $root.Values.tests.token.existingSecret }}
    - ports: [{ port: {{ .facts.port.name }}, protocol: TCP }]
      from:
        - podSelector:
            matchLabels:
              {{- include "plexus.selector" (dict "root" $root "component" "smoke") | nindent 14 }}
    {{- end }}
    {{- if and (has "vms" (.facts.admits | default list)) (has "kubernetes" $root.Values.vms.provider) }}
    - ports: [{ port: {{ .facts.port.name }}, protocol: TCP }]
      from:
        - podSelector: { matchLabels: { app.kubernetes.io/managed-by: plexus-scheduler } }
          {{- if $root.Values.vms.namespacePerTenant }}
          namespaceSelector: {}
          {{- else }}
          namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ $root.Values.vms.namespace }} } }
          {{- end }}
    {{- end }}
    {{- with .service.extraIngress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  egress:
    {{- range $opening := .facts.opens }}
    {{- if eq (include "plexus.isNeeded" (dict "root" $root "name" $opening "service" $.service)) "true" }}
    {{- include "plexus.opening" (dict "root" $root "name" $opening) | nindent 4 }}
    {{- end }}
    {{- end }}
    {{- with .service.extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
