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
    {{- if or (ne $opening "otlp") $root.Values.telemetry.otlpEndpoint }}
    {{- include "plexus.opening" (dict "root" $root "name" $opening) | nindent 4 }}
    {{- end }}
    {{- end }}
    {{- with .service.extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
