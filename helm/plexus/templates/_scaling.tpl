{{- define "plexus.object.hpa" -}}
{{- $scaling := .service.autoscaling -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "plexus.metadata" (dict "root" .root "component" .component "name" .full) | nindent 2 }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: {{ .full }} }
  minReplicas: {{ int $scaling.minReplicas }}
  maxReplicas: {{ int $scaling.maxReplicas }}
  metrics:
    {{- with $scaling.cpuPercent }}
    - type: Resource
      resource: { name: cpu, target: { type: Utilization, averageUtilization: {{ int . }} } }
    {{- end }}
    {{- with $scaling.connections }}
    - type: Pods
      pods: { metric: { name: plexus_connections }, target: { type: AverageValue, averageValue: {{ int64 . | quote }} } }
    {{- end }}
    {{- with $scaling.metrics }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $scaling.behavior }}
  behavior:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* One trigger for each consumer that the contracts declare for this service: KEDA reads its lag from the monitoring port of NATS. */}}
{{- define "plexus.object.scaledObject" -}}
{{- $scaling := .service.autoscaling -}}
{{- $monitoring := .root.Values.nats.monitoring -}}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  {{- include "plexus.metadata" (dict "root" .root "component" .component "name" .full) | nindent 2 }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: {{ .full }} }
  minReplicaCount: {{ int $scaling.minReplicas }}
  maxReplicaCount: {{ int $scaling.maxReplicas }}
  pollingInterval: {{ int $scaling.pollingInterval }}
  cooldownPeriod: {{ int $scaling.cooldownPeriod }}
  {{- with $scaling.behavior }}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        {{- toYaml . | nindent 8 }}
  {{- end }}
  triggers:
    {{- range (index (.root.Files.Get "files/consumers.yaml" | fromYaml) .name) }}
    - type: nats-jetstream
      metadata:
        natsServerMonitoringEndpoint: {{ $monitoring.endpoint | quote }}
        account: {{ $monitoring.account | default (ternary "PLEXUS" "$G" (ne $.root.Values.nats.credentials.existingSecret "")) | quote }}
        stream: {{ .stream }}
        consumer: {{ .consumer }}
        lagThreshold: {{ int64 $scaling.lag | quote }}
        activationLagThreshold: "0"
        useHttps: {{ $monitoring.https | quote }}
    {{- end }}
    {{- with $scaling.triggers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
