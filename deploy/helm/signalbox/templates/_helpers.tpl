{{/* Names and labels. Every named template takes the root context, or a dict with "root" and what it names. */}}

{{- define "signalbox.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Prefix of all names. 40 characters leave room for the longest suffix within the 63 of a DNS label (52 of a CronJob). */}}
{{- define "signalbox.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "signalbox.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The selector of one component: minimal, never changes. {root, component} */}}
{{- define "signalbox.selectorLabels" -}}
app.kubernetes.io/name: {{ include "signalbox.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of pods: nothing that changes with the chart's version alone, so that an upgrade of the chart alone rolls no pod. {root, component} */}}
{{- define "signalbox.podLabels" -}}
{{- $own := include "signalbox.selectorLabels" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "signalbox" -}}
{{- toYaml (merge $own (deepCopy .root.Values.commonLabels)) -}}
{{- end -}}

{{/* Labels of every object. {root, component (optional)} */}}
{{- define "signalbox.labels" -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/name" (include "signalbox.name" .root)
  "app.kubernetes.io/instance" .root.Release.Name
  "app.kubernetes.io/version" (.root.Chart.AppVersion | replace "+" "_")
  "app.kubernetes.io/part-of" "signalbox"
  "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- with .component }}{{ $_ := set $own "app.kubernetes.io/component" . }}{{ end -}}
{{- toYaml (merge $own (deepCopy .root.Values.commonLabels)) -}}
{{- end -}}

{{/* metadata of an object. {root, name, component, labels, annotations (the last three optional)} */}}
{{- define "signalbox.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- $labels := include "signalbox.labels" . | fromYaml }}
  {{- toYaml (merge $labels (deepCopy (default dict .labels))) | nindent 2 }}
{{- with merge (deepCopy (default dict .annotations)) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "signalbox.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "signalbox.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "signalbox.image" -}}
{{- $repository := ternary .Values.image.allInOneRepository .Values.image.repository (eq .Values.mode "all-in-one") -}}
{{- with .Values.image.registry }}{{ $repository = printf "%s/%s" (trimSuffix "/" .) $repository }}{{ end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The components of the mode: key in the values → name of component, executable and Service. YAML map. */}}
{{- define "signalbox.components" -}}
{{- if eq .Values.mode "all-in-one" -}}
allInOne: all-in-one
{{- else -}}
ingress: ingress
routerDecision: router-decision
providerAdapter: provider-adapter
metricsAggregator: metrics-aggregator
{{- end -}}
{{- end -}}

{{/* The values of a component over the defaults. {root, key} */}}
{{- define "signalbox.componentValues" -}}
{{- toYaml (mergeOverwrite (deepCopy .root.Values.defaults) (deepCopy (index .root.Values .key))) -}}
{{- end -}}

{{/* Which component faces the public. */}}
{{- define "signalbox.edge" -}}
{{- ternary "all-in-one" "ingress" (eq .Values.mode "all-in-one") -}}
{{- end -}}

{{/* Full DNS name of a Service of the release. {root, name} */}}
{{- define "signalbox.host" -}}
{{- printf "%s.%s.svc.%s" .name .root.Release.Namespace .root.Values.clusterDomain -}}
{{- end -}}

{{- define "signalbox.publicUrl" -}}
{{- printf "http://%s:%v" (include "signalbox.host" (dict "root" . "name" (include "signalbox.fullname" .))) .Values.service.port -}}
{{- end -}}

{{/* "10m" → 600, rounded up; empty for what is not <integer><unit>. */}}
{{- define "signalbox.seconds" -}}
{{- $text := toString . -}}
{{- if regexMatch "^[0-9]+(ms|s|m|h)$" $text -}}
{{- $number := regexFind "^[0-9]+" $text | atoi -}}
{{- $unit := regexFind "[a-z]+$" $text -}}
{{- if eq $unit "ms" }}{{ div (add $number 999) 1000 }}{{ else }}{{ mul $number (index (dict "s" 1 "m" 60 "h" 3600) $unit) }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* What a pod needs to drain, in seconds. */}}
{{- define "signalbox.drainSeconds" -}}
{{- add (include "signalbox.seconds" .Values.drain.notice | atoi) (include "signalbox.seconds" .Values.drain.timeout | atoi) 30 -}}
{{- end -}}

{{/* Ports of an appProtocol that meshes and gateways understand. */}}
{{- define "signalbox.grpcAppProtocol" -}}
{{- ternary "tls" "grpc" .Values.tls.enabled -}}
{{- end -}}

{{- define "signalbox.tlsSecret" -}}
{{- default (printf "%s-tls" (include "signalbox.fullname" .)) .Values.tls.existingSecret -}}
{{- end -}}

{{/* Names that the certificate between the services must bear. YAML list. */}}
{{- define "signalbox.tlsNames" -}}
{{- $root := . -}}
{{- range $name := include "signalbox.components" . | fromYaml | values | sortAlpha }}
- {{ include "signalbox.host" (dict "root" $root "name" (printf "%s-%s" (include "signalbox.fullname" $root) $name)) }}
- {{ printf "%s-%s.%s.svc" (include "signalbox.fullname" $root) $name $root.Release.Namespace }}
- {{ printf "%s-%s.%s" (include "signalbox.fullname" $root) $name $root.Release.Namespace }}
- {{ printf "%s-%s" (include "signalbox.fullname" $root) $name }}
{{- end }}
{{- end -}}

{{/* True where the bundled Redis runs. */}}
{{- define "signalbox.bundledRedis" -}}
{{- if and (eq .Values.mode "cluster") .Values.redis.bundled.enabled }}true{{ end -}}
{{- end -}}

{{/* The values of an external instance. `money` is empty by default, so its defaults are here. {root, role} */}}
{{- define "signalbox.redisValues" -}}
{{- $tls := dict "enabled" false "caKey" "ca.crt" -}}
{{- $defaults := dict "passwordKey" "password" "tls" $tls "sentinel" (dict "passwordKey" "password" "tls" (deepCopy $tls)) -}}
{{- toYaml (mergeOverwrite $defaults (deepCopy (index .root.Values.redis.external .role))) -}}
{{- end -}}

{{/* True where `role` has an instance of its own outside. {root, role} */}}
{{- define "signalbox.externalRedis" -}}
{{- $instance := include "signalbox.redisValues" . | fromYaml -}}
{{- if or $instance.address $instance.sentinel.masterName $instance.sentinel.addresses }}true{{ end -}}
{{- end -}}

{{/* The instance that serves a role: money falls back to scores. {root, role} */}}
{{- define "signalbox.redisInstance" -}}
{{- if and (eq .role "money") (include "signalbox.externalRedis" .) }}money{{ else }}scores{{ end -}}
{{- end -}}

{{- define "signalbox.redisSecret" -}}
{{- default (printf "%s-redis" (include "signalbox.fullname" .)) .Values.redis.bundled.existingSecret -}}
{{- end -}}

{{/* True where pods mount catalogue files beside the image's. */}}
{{- define "signalbox.extraCatalogue" -}}
{{- if or .Values.catalogue.files .Values.catalogue.existingConfigMap .Values.demo.enabled }}true{{ end -}}
{{- end -}}

{{- define "signalbox.fleetName" -}}
{{- printf "%s-fleet" (include "signalbox.fullname" .) -}}
{{- end -}}

{{/* True where a pod outside the serving ones can reach the money instance: then `helm test` has something to test. */}}
{{- define "signalbox.smokeTest" -}}
{{- if and .Values.demo.enabled (or (eq .Values.mode "cluster") (include "signalbox.externalRedis" (dict "root" . "role" "scores"))) }}true{{ end -}}
{{- end -}}
