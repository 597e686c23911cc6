{{/* Parts of Pods that services and jobs share. All of it passes Pod Security "restricted". */}}

{{- define "plexus.podSecurity" -}}
runAsNonRoot: true
{{- /* None is named where the cluster gives them. */}}
{{- with .user }}
runAsUser: {{ int64 . }}
runAsGroup: {{ int64 . }}
fsGroup: {{ int64 . }}
{{- end }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "plexus.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- define "plexus.pullSecrets" -}}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* One key of a Secret as a file in a folder of its own. /run/secrets/plexus is closed to references of tenants. */}}
{{- define "plexus.secretVolume" -}}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 288
    items:
      {{- range $path, $key := .items }}
      - { key: {{ $key | quote }}, path: {{ $path }} }
      {{- end }}
{{- end -}}

{{- define "plexus.secretMount" -}}
- name: {{ .name }}
  mountPath: /run/secrets/plexus/{{ .name }}
  readOnly: true
{{- end -}}

{{/* Variables of everybody who speaks to NATS. */}}
{{- define "plexus.natsEnv" -}}
- { name: NATS_URL, value: {{ .root.Values.nats.url | quote }} }
{{- if .root.Values.nats.credentials.existingSecret }}
{{- if hasSuffix ".creds" .root.Values.nats.credentials.keySuffix }}
- { name: NATS_CREDS_FILE, value: /run/secrets/plexus/nats/user.creds }
{{- else }}
- { name: NATS_NKEY_SEED_FILE, value: /run/secrets/plexus/nats/seed.nk }
{{- end }}
{{- end }}
{{- with .root.Values.nats.tls }}
{{- if .existingSecret }}
- { name: NATS_CA_FILE, value: /run/secrets/plexus/nats-tls/ca.crt }
{{- if .clientCertificate }}
- { name: NATS_CERT_FILE, value: /run/secrets/plexus/nats-tls/tls.crt }
- { name: NATS_KEY_FILE, value: /run/secrets/plexus/nats-tls/tls.key }
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "plexus.natsVolumes" -}}
{{- with .root.Values.nats.credentials }}
{{- if .existingSecret }}
{{ include "plexus.secretVolume" (dict "name" "nats" "secret" .existingSecret "items" (dict (hasSuffix ".creds" .keySuffix | ternary "user.creds" "seed.nk") (printf "%s%s" $.role .keySuffix))) }}
{{- end }}
{{- end }}
{{- with .root.Values.nats.tls }}
{{- if .existingSecret }}
{{- $items := dict "ca.crt" .caKey }}
{{- if .clientCertificate }}{{ $items = dict "ca.crt" .caKey "tls.crt" .certKey "tls.key" .keyKey }}{{ end }}
{{ include "plexus.secretVolume" (dict "name" "nats-tls" "secret" .existingSecret "items" $items) }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "plexus.natsMounts" -}}
{{- if .root.Values.nats.credentials.existingSecret }}
{{ include "plexus.secretMount" (dict "name" "nats") }}
{{- end }}
{{- if .root.Values.nats.tls.existingSecret }}
{{ include "plexus.secretMount" (dict "name" "nats-tls") }}
{{- end }}
{{- end -}}

{{/* The authority of Postgres: a connection with sslmode=verify-full in its URL is checked against it (and everything else this process talks to). */}}
{{- define "plexus.postgresCa" -}}
{{- with .root.Values.postgres.ca }}
{{- if .existingSecret }}
{{- if eq $.part "env" }}
- { name: NODE_EXTRA_CA_CERTS, value: /run/secrets/plexus/postgres-ca/ca.crt }
{{- else if eq $.part "volume" }}
{{ include "plexus.secretVolume" (dict "name" "postgres-ca" "secret" .existingSecret "items" (dict "ca.crt" .key)) }}
{{- else }}
{{ include "plexus.secretMount" (dict "name" "postgres-ca") }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
