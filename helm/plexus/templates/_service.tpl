{{/* Everything that one Plexus service needs: root, name. */}}
{{- define "plexus.service" -}}
{{- $root := .root -}}
{{- $name := .name -}}
{{- $facts := index (include "plexus.facts" $root | fromYaml) $name -}}
{{- $service := include "plexus.settings" . | fromYaml -}}
{{- $full := printf "%s-%s" (include "plexus.fullname" $root) $name -}}
{{- $c := dict "root" $root "name" $name "component" $name "full" $full "facts" $facts "service" $service "role" $facts.role -}}
{{- $merge := $service.merge -}}
{{- if $service.serviceAccount.create }}
{{ include "plexus.emit" (dict "object" (include "plexus.object.serviceAccount" $c) "merge" $merge.serviceAccount) }}
{{- end }}
{{ include "plexus.emit" (dict "object" (include "plexus.object.deployment" $c) "merge" $merge.deployment) }}
{{- if $facts.port }}
{{ include "plexus.emit" (dict "object" (include "plexus.object.service" $c) "merge" $merge.service) }}
{{- end }}
{{- if and $service.podDisruptionBudget.enabled (ne (include "plexus.isSingle" $c) "true") }}
{{ include "plexus.emit" (dict "object" (include "plexus.object.disruptionBudget" $c) "merge" $merge.podDisruptionBudget) }}
{{- end }}
{{- if eq $service.autoscaling.mode "hpa" }}
{{ include "plexus.emit" (dict "object" (include "plexus.object.hpa" $c) "merge" $merge.autoscaler) }}
{{- else if eq $service.autoscaling.mode "keda" }}
{{ include "plexus.emit" (dict "object" (include "plexus.object.scaledObject" $c) "merge" $merge.autoscaler) }}
{{- end }}
{{- if $root.Values.networkPolicy.enabled }}
{{ include "plexus.emit" (dict "object" (include "plexus.object.networkPolicy" $c) "merge" $merge.networkPolicy) }}
{{- end }}
{{- end -}}

{{/* Never more than one Pod at a time. */}}
{{- define "plexus.isSingle" -}}
{{- if eq .service.autoscaling.mode "none" -}}
{{- le (int .service.replicas) 1 -}}
{{- else -}}
{{- le (int .service.autoscaling.maxReplicas) 1 -}}
{{- end -}}
{{- end -}}

{{- define "plexus.object.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "plexus.metadata" (dict "root" .root "component" .component "name" (include "plexus.serviceAccount" .) "annotations" .service.serviceAccount.annotations) | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}

{{- define "plexus.object.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "plexus.metadata" (dict "root" .root "component" .component "name" .full) | nindent 2 }}
spec:
  {{- if eq .service.autoscaling.mode "none" }}
  replicas: {{ int .service.replicas }}
  {{- end }}
  revisionHistoryLimit: {{ int .service.revisionHistoryLimit }}
  minReadySeconds: {{ int .service.minReadySeconds }}
  strategy:
    {{- if .facts.singleton }}
    type: Recreate
    {{- else }}
    type: RollingUpdate
    rollingUpdate: { maxUnavailable: 0, maxSurge: {{ .service.maxSurge }} }
    {{- end }}
  selector:
    matchLabels:
      {{- include "plexus.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "plexus.labels" . | nindent 8 }}
        {{- with .service.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        kubectl.kubernetes.io/default-container: {{ .name }}
        {{- if eq .name "scheduler" }}
        checksum/vm-templates: {{ toJson .root.Values.vms.templates | sha256sum }}
        {{- end }}
        {{- with .service.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "plexus.podSpec" . | nindent 6 }}
{{- end -}}

{{- define "plexus.podSpec" -}}
{{- $stops := .facts.stops -}}
{{- $sleep := int .service.nativeSleepSeconds -}}
serviceAccountName: {{ include "plexus.serviceAccount" . }}
automountServiceAccountToken: {{ and (eq .name "scheduler") (has "kubernetes" .root.Values.vms.provider) }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ add $stops.delay $stops.drain $stops.flush $stops.margin $sleep }}
{{- include "plexus.pullSecrets" .root }}
{{- with .service.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- include "plexus.podSecurity" (dict "user" .service.runAsUser) | nindent 2 }}
{{- if .service.topologySpread.enabled }}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $.service.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "plexus.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" "initContainers" }}
{{- with index $.service $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
containers:
  - name: {{ .name }}
    image: {{ include "plexus.image" (dict "root" .root "target" .facts.image "image" .service.image) }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    {{- with .facts.command }}
    args: [{{ . }}]
    {{- end }}
    securityContext:
      {{- include "plexus.containerSecurity" . | nindent 6 }}
    env:
      {{- include "plexus.env" . | nindent 6 }}
    ports:
      - { name: internal, containerPort: {{ .root.Values.internal.port }}, protocol: TCP }
      {{- with .facts.port }}
      - { name: {{ .name }}, containerPort: {{ .number }}, protocol: TCP }
      {{- end }}
    # The first start of a replica reads configuration and keys from NATS. Only the event loop is asked: an outage must not restart the fleet.
    startupProbe:
      httpGet: { path: /livez, port: internal }
      periodSeconds: 2
      failureThreshold: 60
    livenessProbe:
      httpGet: { path: /livez, port: internal }
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    readinessProbe:
      httpGet: { path: /readyz, port: internal }
      periodSeconds: 5
      timeoutSeconds: 5
      failureThreshold: 2
    {{- if $sleep }}
    lifecycle:
      preStop: { sleep: { seconds: {{ $sleep }} } }
    {{- end }}
    resources:
      {{- toYaml .service.resources | nindent 6 }}
    terminationMessagePolicy: FallbackToLogsOnError
    volumeMounts:
      - { name: tmp, mountPath: /tmp }
      {{- include "plexus.natsMounts" . | nindent 6 }}
      {{- include "plexus.fileMounts" . | nindent 6 }}
      {{- with .service.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
  {{- with .service.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumes:
  - name: tmp
    emptyDir: { sizeLimit: {{ .service.tmpSize }} }
  {{- include "plexus.natsVolumes" . | nindent 2 }}
  {{- include "plexus.fileVolumes" . | nindent 2 }}
  {{- with .service.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "plexus.fileVolumes" -}}
{{- range .facts.files }}
{{- $secret := index $.root.Values.secrets .secret }}
{{- if $secret.existingSecret }}
{{- $items := dict "current" $secret.key }}
{{- if and .previous $secret.previousKey }}{{ $items = dict "current" $secret.key "previous" $secret.previousKey }}{{ end }}
{{ include "plexus.secretVolume" (dict "name" .name "secret" $secret.existingSecret "items" $items) }}
{{- end }}
{{- end }}
{{- if .facts.database }}
{{- include "plexus.postgresCa" (dict "root" .root "part" "volume") }}
{{- end }}
{{- if and (eq .name "scheduler") .root.Values.vms.templates }}
- name: vm-templates
  configMap: { name: {{ .full }}-templates }
{{- end }}
{{- end -}}

{{- define "plexus.fileMounts" -}}
{{- range .facts.files }}
{{- if (index $.root.Values.secrets .secret).existingSecret }}
{{ include "plexus.secretMount" (dict "name" .name) }}
{{- end }}
{{- end }}
{{- if .facts.database }}
{{- include "plexus.postgresCa" (dict "root" .root "part" "mount") }}
{{- end }}
{{- if and (eq .name "scheduler") .root.Values.vms.templates }}
- { name: vm-templates, mountPath: /etc/plexus, readOnly: true }
{{- end }}
{{- end -}}

{{- define "plexus.object.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "plexus.metadata" (dict "root" .root "component" .component "name" .full "annotations" .service.service.annotations) | nindent 2 }}
spec:
  type: {{ .service.service.type }}
  ports:
    - { name: {{ .facts.port.name }}, port: {{ int .service.service.port }}, targetPort: {{ .facts.port.name }}, protocol: TCP }
  selector:
    {{- include "plexus.selector" . | nindent 4 }}
{{- end -}}

{{- define "plexus.object.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "plexus.metadata" (dict "root" .root "component" .component "name" .full) | nindent 2 }}
spec:
  maxUnavailable: {{ .service.podDisruptionBudget.maxUnavailable }}
  # A Pod that never becomes ready must not keep its node from being drained.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "plexus.selector" . | nindent 6 }}
{{- end -}}
