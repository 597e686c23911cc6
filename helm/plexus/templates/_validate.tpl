{{/* Settings that contradict each other: a sentence, and what to do. What can be said in a schema is in values.schema.json. */}}
{{- define "plexus.validate" -}}
{{- $v := .Values -}}
{{- $known := include "plexus.facts" . | fromYaml -}}
{{- $consumers := .Files.Get "files/consumers.yaml" | fromYaml -}}
{{- $enabled := dict -}}
{{- range $name, $own := $v.services -}}
  {{- if not (hasKey $known $name) -}}
    {{- fail (printf "services.%s: there is no such service. There are: %s." $name (keys $known | sortAlpha | join ", ")) -}}
  {{- end -}}
  {{- $service := include "plexus.settings" (dict "root" $ "name" $name) | fromYaml -}}
  {{- if $service.enabled -}}
    {{- $_ := set $enabled $name $service -}}
    {{- include "plexus.validateService" (dict "root" $ "name" $name "service" $service "facts" (index $known $name) "consumers" (index $consumers $name)) -}}
  {{- end -}}
{{- end -}}
{{- if hasKey $enabled "scheduler" -}}
  {{- if and (has "kubernetes" $v.vms.provider) (eq $v.vms.namespace .Release.Namespace) (not $v.vms.namespacePerTenant) -}}
    {{- fail (printf "vms.namespace is %q, where this release lives: the scheduler may list the Secrets of that namespace. Give VMs a namespace of their own, for example vms.namespace=%s-vms." $v.vms.namespace .Release.Namespace) -}}
  {{- end -}}
  {{- if and (not (hasKey $enabled "gateway")) (not $v.vms.gatewayUrl) -}}
    {{- fail "services.gateway is disabled and vms.gatewayUrl is empty: VMs would have nowhere to connect to. Set vms.gatewayUrl to the ws:// or wss:// address of a gateway (…/ws/vm)." -}}
  {{- end -}}
  {{- if not $v.secrets.vmToken.existingSecret -}}
    {{- fail "secrets.vmToken.existingSecret is empty: replicas of the scheduler would not accept each other's VM tokens. Create a Secret with at least 32 random bytes and name it there." -}}
  {{- end -}}
{{- end -}}
{{- if and (hasKey $enabled "memory") (eq $v.nodeEnv "production") (not $v.secrets.masterKey.existingSecret) -}}
  {{- fail "secrets.masterKey.existingSecret is empty: memory refuses to start in production without a master key. Create a Secret with at least 32 random bytes and name it there." -}}
{{- end -}}
{{- if and $v.migrations.enabled (not $v.migrations.existingSecret) (not $v.postgres.existingSecret) -}}
  {{- fail "migrations.enabled, but neither migrations.existingSecret nor postgres.existingSecret names a Secret with database URLs. Name one, or set migrations.enabled=false and run `plexus db migrate` yourself before each upgrade." -}}
{{- end -}}
{{- if and $v.backup.enabled (not $v.backup.existingClaim) -}}
  {{- fail "backup.enabled without backup.existingClaim: a backup in a Pod is gone with it. Make a PersistentVolumeClaim for backups, best of a storage class that is not the databases', and name it." -}}
{{- end -}}
{{- if and $v.backup.enabled (not (or $v.backup.existingSecret $v.migrations.existingSecret $v.postgres.existingSecret)) -}}
  {{- fail "backup.enabled, but neither backup.existingSecret nor migrations.existingSecret nor postgres.existingSecret names a Secret with database URLs. Name one." -}}
{{- end -}}
{{- if and $v.nats.tls.clientCertificate (not $v.nats.tls.existingSecret) -}}
  {{- fail "nats.tls.clientCertificate needs nats.tls.existingSecret: a Secret with the authority, the certificate and its key." -}}
{{- end -}}
{{- if and $v.platform.apply (not $v.platform.document.tenants) -}}
  {{- fail "platform.apply would write a platform document without tenants, and lock everybody out. Put platform.document.tenants into your values, or set platform.apply=false." -}}
{{- end -}}
{{- if or $v.ingress.enabled $v.gatewayApi.enabled -}}
  {{- if not (hasKey $enabled "gateway") -}}
    {{- fail "ingress.enabled or gatewayApi.enabled, but services.gateway is disabled: there is nothing to lead to. Enable the gateway, or turn both off." -}}
  {{- end -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
  {{- fail "ingress.enabled without ingress.hosts: the whole address of the cluster would be taken. Name the hosts." -}}
{{- end -}}
{{- if and $v.gatewayApi.enabled (not $v.gatewayApi.parentRefs) -}}
  {{- fail "gatewayApi.enabled without gatewayApi.parentRefs: name the Gateway, for example [{name: public, namespace: gateways}]." -}}
{{- end -}}
{{- range $key := list "enabled" "replicas" "resources" "autoscaling" "podDisruptionBudget" "topologySpread" "service" "serviceAccount" "database" "minReadySeconds" "maxSurge" "revisionHistoryLimit" "tmpSize" "nativeSleepSeconds" "merge" -}}
  {{- if not (hasKey $v.defaults $key) -}}
    {{- fail (printf "defaults.%s is null, and there is nothing else to take. Leave it out of your values, or give it a value." $key) -}}
  {{- end -}}
{{- end -}}
{{- if and $v.defaults.serviceAccount.create $v.defaults.serviceAccount.name -}}
  {{- fail "defaults.serviceAccount.name would be made once for every service. Name it at services.<name>.serviceAccount, or set defaults.serviceAccount.create=false and name one that exists." -}}
{{- end -}}
{{- if and $v.tests.token.existingSecret (not (hasKey $enabled "gateway")) -}}
  {{- fail "tests.token.existingSecret, but services.gateway is disabled: the test would have nobody to talk to. Enable the gateway, or leave the token out." -}}
{{- end -}}
{{- range $url := splitList "," $v.nats.url -}}
  {{- include "plexus.validateOpening" (dict "root" $ "name" "nats" "value" "nats.url" "url" $url) -}}
{{- end -}}
{{- with $v.telemetry.otlpEndpoint -}}
  {{- include "plexus.validateOpening" (dict "root" $ "name" "otlp" "value" "telemetry.otlpEndpoint" "url" . "extra" $v.defaults.extraEgress) -}}
{{- end -}}
{{- if and $v.monitoring.podMonitor.enabled $v.monitoring.serviceMonitor.enabled -}}
  {{- fail "monitoring.podMonitor and monitoring.serviceMonitor are both enabled: every replica would be scraped twice. Turn one off." -}}
{{- end -}}
{{- if and $enabled (eq $v.nodeEnv "production") (not $v.nats.credentials.existingSecret) (not $v.nats.credentials.allowNone) -}}
  {{- fail "nats.credentials.existingSecret is empty: services would connect to NATS without credentials, and whoever reaches port 4222 could do anything. Write them with `plexus nats accounts <folder>`, make a Secret of the seeds and name it there; or set nats.credentials.allowNone=true to try it out." -}}
{{- end -}}
{{- end -}}

{{- define "plexus.validateService" -}}
{{- $at := printf "services.%s" .name -}}
{{- $s := .service -}}
{{- $scaling := $s.autoscaling -}}
{{- with .facts.port -}}
  {{- if eq (int .number) (int $.root.Values.internal.port) -}}
    {{- fail (printf "internal.port is %d, on which %s listens for its clients. Take another one." (int .number) $.name) -}}
  {{- end -}}
{{- end -}}
{{- if and (eq .name "scheduler") (has "kubernetes" .root.Values.vms.provider) (not $s.serviceAccount.create) (not $s.serviceAccount.name) -}}
  {{- fail "services.scheduler.serviceAccount.create is false without a name: every Pod of the namespace would have the scheduler's rights in that of the VMs. Name an account of its own." -}}
{{- end -}}
{{- if and (eq $scaling.mode "hpa") $scaling.cpuPercent (not ($s.resources.requests | default dict).cpu) -}}
  {{- fail (printf "%s.autoscaling.cpuPercent is a share of the requested CPU, and %s.resources.requests.cpu is not set. Set it, or cpuPercent=0." $at $at) -}}
{{- end -}}
{{- if and (eq $scaling.mode "keda") (not .root.Values.nats.monitoring.endpoint) .consumers -}}
  {{- fail (printf "%s.autoscaling.mode is keda, which reads lags from nats.monitoring.endpoint, and that is empty. Name it, host:port." $at) -}}
{{- end -}}
{{- if and .facts.database (not $s.database.existingSecret) (not .root.Values.postgres.existingSecret) -}}
  {{- fail (printf "%s needs a database, and neither %s.database.existingSecret nor postgres.existingSecret names the Secret with its URL. Create one (kubectl create secret generic plexus-postgres --from-literal=url=postgresql://…) and name it." .name $at) -}}
{{- end -}}
{{- if and .facts.singleton (or (ne $scaling.mode "none") (gt (int $s.replicas) 1)) -}}
  {{- fail (printf "%s runs as one replica: two would both connect every account. Set %s.replicas=1 and %s.autoscaling.mode=none." .name $at $at) -}}
{{- end -}}
{{- if ne $scaling.mode "none" -}}
  {{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
    {{- fail (printf "%s.autoscaling: minReplicas %d is more than maxReplicas %d. Swap or raise one." $at (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
  {{- end -}}
{{- end -}}
{{- if and (eq $scaling.mode "hpa") $scaling.triggers -}}
  {{- fail (printf "%s.autoscaling.mode is hpa, but triggers are KEDA's: the two would fight over the replicas. Set mode=keda, or use metrics instead of triggers." $at) -}}
{{- end -}}
{{- if and (eq $scaling.mode "keda") $scaling.metrics -}}
  {{- fail (printf "%s.autoscaling.mode is keda, but metrics are of a HorizontalPodAutoscaler, which KEDA makes itself. Set mode=hpa, or use triggers instead of metrics." $at) -}}
{{- end -}}
{{- if and (eq $scaling.mode "hpa") (lt (int $scaling.minReplicas) 1) -}}
  {{- fail (printf "%s.autoscaling.minReplicas is 0, which a HorizontalPodAutoscaler cannot do. Set it to 1 or more, or mode=keda." $at) -}}
{{- end -}}
{{- if and (eq $scaling.mode "hpa") (not (or $scaling.cpuPercent $scaling.connections $scaling.metrics)) -}}
  {{- fail (printf "%s.autoscaling.mode is hpa without anything to scale by. Set cpuPercent, connections or metrics." $at) -}}
{{- end -}}
{{- if and (eq $scaling.mode "keda") (not .consumers) (not $scaling.triggers) -}}
  {{- fail (printf "%s.autoscaling.mode is keda, but %s consumes nothing whose lag could be read. Set mode=hpa, or give triggers of your own." $at .name) -}}
{{- end -}}
{{- if and (eq .name "memory") (eq (toString $s.settings.MEMORY_EMBEDDER) "openai") -}}
  {{- if not (and $s.settings.MEMORY_EMBEDDING_BASE_URL $s.settings.MEMORY_EMBEDDING_MODEL $s.settings.MEMORY_EMBEDDING_DIMENSIONS) -}}
    {{- fail "services.memory.settings.MEMORY_EMBEDDER is openai: set MEMORY_EMBEDDING_BASE_URL, MEMORY_EMBEDDING_MODEL and MEMORY_EMBEDDING_DIMENSIONS too." -}}
  {{- end -}}
  {{- include "plexus.validateOpening" (dict "root" .root "name" "embedder" "value" (printf "%s.settings.MEMORY_EMBEDDING_BASE_URL" $at) "url" $s.settings.MEMORY_EMBEDDING_BASE_URL "extra" $s.extraEgress) -}}
{{- end -}}
{{- $seen := dict -}}
{{- range include "plexus.env" (dict "root" .root "name" .name "service" $s "facts" .facts "role" .facts.role) | fromYamlArray -}}
  {{- if hasKey $seen .name -}}
    {{- fail (printf "%s: the variable %s is set twice. Use %s.settings for settings of the service, and extraEnv only for what the chart does not set." $at .name $at) -}}
  {{- end -}}
  {{- $_ := set $seen .name true -}}
{{- end -}}
{{- end -}}
