{{/* Names, labels and images. */}}

{{- define "plexus.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "plexus.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "plexus.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "plexus.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Marks this mesh among others of the cluster: the same on every replica. */}}
{{- define "plexus.cluster" -}}
{{- default (printf "%s.%s" .Release.Namespace (include "plexus.fullname" .)) .Values.cluster -}}
{{- end -}}

{{/* What finds the Pods of a release; with a component, those of one program. Never changes over upgrades. */}}
{{- define "plexus.selector" -}}
app.kubernetes.io/name: {{ include "plexus.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "plexus.labels" -}}
{{ include "plexus.selector" . }}
app.kubernetes.io/part-of: plexus
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* metadata of an object: root, name, component?, namespace?, labels?, annotations? */}}
{{- define "plexus.metadata" -}}
name: {{ .name }}
namespace: {{ .namespace | default .root.Release.Namespace }}
labels:
  {{- include "plexus.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Image of a target: root, target, image (override of registry, repository, tag, digest). A digest wins over a tag. */}}
{{- define "plexus.image" -}}
{{- $own := .image | default dict -}}
{{- $shared := .root.Values.image -}}
{{- $registry := .root.Values.global.imageRegistry | default $own.registry | default $shared.registry -}}
{{- $repository := $own.repository | default (printf "%s/%s" $shared.repository .target) -}}
{{- $tag := $own.tag | default $shared.tag | default .root.Chart.AppVersion -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- $repository -}}
{{- if $own.digest }}@{{ $own.digest }}{{ else }}:{{ $tag }}{{ end -}}
{{- end -}}

{{/* A value as the text of a variable. Numbers of values files are floats, and large ones would be written 2.62144e+07. */}}
{{- define "plexus.text" -}}
{{- if kindIs "float64" . -}}
{{- if eq (float64 (int64 .)) . }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- else if kindIs "bool" . -}}
{{- ternary "1" "0" . -}}
{{- else if or (kindIs "map" .) (kindIs "slice" .) -}}
{{- toJson . -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* Facts of all programs, by name. */}}
{{- define "plexus.facts" -}}
{{- .Files.Get "files/services.yaml" -}}
{{- end -}}

{{/* Values of one service over those of all. */}}
{{- define "plexus.settings" -}}
{{- $own := index .root.Values.services .name | default dict -}}
{{- $settings := mergeOverwrite (deepCopy .root.Values.defaults) (deepCopy $own) -}}
{{- if and (hasKey $own "runAsUser") (kindIs "invalid" $own.runAsUser) }}{{ $_ := unset $settings "runAsUser" }}{{ end -}}
{{- $settings | toYaml -}}
{{- end -}}

{{- define "plexus.serviceAccount" -}}
{{- if .service.serviceAccount.create -}}
{{- .service.serviceAccount.name | default (printf "%s-%s" (include "plexus.fullname" .root) .name) -}}
{{- else -}}
{{- .service.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* Writes an object with what `merge` says about it: maps are merged, lists and values replaced. */}}
{{- define "plexus.emit" -}}
{{- $object := fromYaml .object -}}
{{- if hasKey $object "Error" }}{{ fail (printf "an object of this chart is no YAML (%s). This is a fault of the chart: please report it with your values." $object.Error) }}{{ end -}}
---
{{ mergeOverwrite $object (.merge | default dict) | toYaml }}
{{ end -}}
