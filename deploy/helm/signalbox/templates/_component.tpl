{{/* The one template of all components: pod, and the Deployment around it. */}}

{{/* Mounts of the configuration, for every pod that reads it. */}}
{{- define "signalbox.configMounts" -}}
- name: config
  mountPath: /etc/signalbox
  readOnly: true
{{- if include "signalbox.extraCatalogue" . }}
- name: catalogue
  mountPath: /etc/signalbox/catalogue
  readOnly: true
{{- end }}
{{- end -}}

{{- define "signalbox.configVolumes" -}}
- name: config
  configMap:
    name: {{ include "signalbox.fullname" . }}
{{- if include "signalbox.extraCatalogue" . }}
- name: catalogue
  projected:
    sources:
      {{- if or .Values.catalogue.files .Values.demo.enabled }}
      - configMap:
          name: {{ include "signalbox.fullname" . }}-catalogue
      {{- end }}
      {{- with .Values.catalogue.existingConfigMap }}
      - configMap:
          name: {{ . }}
      {{- end }}
{{- end }}
{{- end -}}

{{/* Secrets of the Redis instance that serves a role, as a YAML map of volume name → {secret, items}. {root, role} */}}
{{- define "signalbox.redisSecrets" -}}
{{- $role := include "signalbox.redisInstance" . -}}
{{- $out := dict -}}
{{- if include "signalbox.bundledRedis" .root -}}
{{- $_ := set $out "redis-scores" (dict "secret" (include "signalbox.redisSecret" .root) "items" (dict "password" .root.Values.redis.bundled.passwordKey)) -}}
{{- else if include "signalbox.externalRedis" (dict "root" .root "role" $role) -}}
{{- $instance := include "signalbox.redisValues" (dict "root" .root "role" $role) | fromYaml -}}
{{- $sentinel := $instance.sentinel -}}
{{- with $instance.existingSecret -}}
{{- $_ := set $out (printf "redis-%s" $role) (dict "secret" . "items" (dict "password" $instance.passwordKey)) -}}
{{- end -}}
{{- with $sentinel.existingSecret -}}
{{- $_ := set $out (printf "redis-%s-sentinel" $role) (dict "secret" . "items" (dict "password" $sentinel.passwordKey)) -}}
{{- end -}}
{{- range $suffix, $tls := dict "tls" $instance.tls "sentinel-tls" $sentinel.tls -}}
{{- if and $tls.enabled $tls.existingSecret -}}
{{- $items := dict -}}
{{- with $tls.caKey }}{{ $_ := set $items "ca.crt" . }}{{ end -}}
{{- with $tls.certKey }}{{ $_ := set $items "tls.crt" . }}{{ end -}}
{{- with $tls.keyKey }}{{ $_ := set $items "tls.key" . }}{{ end -}}
{{- $_ := set $out (printf "redis-%s-%s" $role $suffix) (dict "secret" $tls.existingSecret "items" $items) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $out -}}
{{- end -}}

{{/* Every Secret of a component: volume name → {secret, items, optional}. All are mounted at /run/secrets/<volume name>. {root, component} */}}
{{- define "signalbox.secrets" -}}
{{- $out := dict -}}
{{- $roles := index (dict
  "ingress" (list "money")
  "router-decision" (list "scores")
  "provider-adapter" (list)
  "metrics-aggregator" (list "scores")
  "all-in-one" (list "scores" "money")
  "smoke-test" (list "money")
  "benchmark" (list "scores")) .component -}}
{{- $root := .root -}}
{{- range $roles -}}
{{- $out = merge $out (include "signalbox.redisSecrets" (dict "root" $root "role" .) | fromYaml) -}}
{{- end -}}
{{- if has .component (list "provider-adapter" "all-in-one") -}}
{{- with .root.Values.providers.existingSecret -}}
{{- $_ := set $out "providers" (dict "secret" . "optional" $root.Values.providers.optional) -}}
{{- end -}}
{{- end -}}
{{- if and .root.Values.tls.enabled (not (has .component (list "smoke-test" "benchmark"))) -}}
{{- $_ := set $out "tls" (dict "secret" (include "signalbox.tlsSecret" .root) "items" (dict "ca.crt" "ca.crt" "tls.crt" "tls.crt" "tls.key" "tls.key")) -}}
{{- end -}}
{{- if eq .component "benchmark" -}}
{{- $_ := set $out "client-key" (dict "secret" .root.Values.benchmark.existingSecret "items" (dict "key" .root.Values.benchmark.keyName)) -}}
{{- end -}}
{{- toYaml $out -}}
{{- end -}}

{{/* {root, component} */}}
{{- define "signalbox.secretMounts" -}}
{{- range $name, $_ := include "signalbox.secrets" . | fromYaml }}
- name: {{ $name }}
  mountPath: /run/secrets/{{ $name }}
  readOnly: true
{{- end }}
{{- end -}}

{{/* {root, component} */}}
{{- define "signalbox.secretVolumes" -}}
{{- range $name, $secret := include "signalbox.secrets" . | fromYaml }}
- name: {{ $name }}
  secret:
    secretName: {{ $secret.secret }}
    # Readable by the pod's group (fsGroup), nobody else.
    defaultMode: 0440
    {{- if $secret.optional }}
    optional: true
    {{- end }}
    {{- with $secret.items }}
    items:
      {{- range $path, $key := . }}
      - key: {{ $key | quote }}
        path: {{ $path }}
      {{- end }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* What every pod of the release has, jobs too. {root, values (of defaults or a component)} */}}
{{- define "signalbox.podBasics" -}}
serviceAccountName: {{ include "signalbox.serviceAccountName" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- toYaml .values.podSecurityContext | nindent 2 }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A probe of the admin port. {path, timing} */}}
{{- define "signalbox.probe" -}}
httpGet:
  path: {{ .path }}
  port: admin
{{ toYaml .timing }}
{{- end -}}

{{/* {root, component, values, persistence (optional: mounts the volume `data`)} */}}
{{- define "signalbox.podTemplate" -}}
{{- $context := dict "root" .root "component" .component -}}
metadata:
  labels:
    {{- $labels := include "signalbox.podLabels" $context | fromYaml }}
    {{- toYaml (merge $labels (deepCopy .values.podLabels)) | nindent 4 }}
  annotations:
    # Without what is loaded while running: see README.md.
    checksum/config: {{ include "signalbox.configChecksum" .root }}
    {{- with .values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "signalbox.podBasics" (dict "root" .root "values" .values) | nindent 2 }}
  {{- with .values.topologySpread }}
  {{- if .keys }}
  topologySpreadConstraints:
    {{- $spread := . }}
    {{- range .keys }}
    - topologyKey: {{ . }}
      maxSkew: {{ $spread.maxSkew }}
      whenUnsatisfiable: {{ $spread.whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- include "signalbox.selectorLabels" $context | nindent 10 }}
      {{- if ne $context.component "all-in-one" }}
      # The pods of one rollout are spread among themselves.
      matchLabelKeys:
        - pod-template-hash
      {{- end }}
    {{- end }}
  {{- end }}
  {{- end }}
  terminationGracePeriodSeconds: {{ default (include "signalbox.drainSeconds" .root | atoi) (int .values.terminationGracePeriodSeconds) }}
  containers:
    - name: {{ .component }}
      image: {{ include "signalbox.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      {{- if eq .component "all-in-one" }}
      command: ["/usr/local/bin/signalbox", "serve"]
      {{- else }}
      command: ["/usr/local/bin/{{ .component }}"]
      {{- end }}
      args:
        - --config
        - /etc/signalbox/signalbox.yaml
        {{- range .values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      {{- with .values.extraEnv }}
      env:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        {{- if eq .component (include "signalbox.edge" .root) }}
        - name: http
          containerPort: 8080
        {{- end }}
        - name: grpc
          containerPort: 9090
        - name: admin
          containerPort: 9091
      startupProbe:
        {{- include "signalbox.probe" (dict "path" "/livez" "timing" .values.startupProbe) | nindent 8 }}
      readinessProbe:
        {{- include "signalbox.probe" (dict "path" "/readyz" "timing" .values.readinessProbe) | nindent 8 }}
      livenessProbe:
        {{- include "signalbox.probe" (dict "path" "/livez" "timing" .values.livenessProbe) | nindent 8 }}
      resources:
        {{- toYaml .values.resources | nindent 8 }}
      securityContext:
        {{- toYaml .values.securityContext | nindent 8 }}
      volumeMounts:
        {{- include "signalbox.configMounts" .root | nindent 8 }}
        {{- with include "signalbox.secretMounts" $context | trim }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- if eq .component "all-in-one" }}
        - name: data
          mountPath: /var/lib/signalbox
        {{- end }}
        {{- with .values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "signalbox.configVolumes" .root | nindent 4 }}
    {{- with include "signalbox.secretVolumes" $context | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- if and (eq .component "all-in-one") (not .persistence) }}
    - name: data
      emptyDir: {}
    {{- end }}
    {{- with .values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* {root, key, component} */}}
{{- define "signalbox.deployment" -}}
{{- $values := include "signalbox.componentValues" . | fromYaml -}}
{{- $name := printf "%s-%s" (include "signalbox.fullname" .root) .component -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "signalbox.metadata" (dict "root" .root "name" $name "component" .component "annotations" $values.annotations) | nindent 2 }}
spec:
  {{- if not $values.autoscaling.enabled }}
  replicas: {{ $values.replicas }}
  {{- end }}
  minReadySeconds: {{ $values.rollout.minReadySeconds }}
  revisionHistoryLimit: {{ $values.rollout.revisionHistoryLimit }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: {{ $values.rollout.maxSurge }}
      maxUnavailable: {{ $values.rollout.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "signalbox.selectorLabels" . | nindent 6 }}
  template:
    {{- include "signalbox.podTemplate" (dict "root" .root "component" .component "values" $values) | nindent 4 }}
{{- end -}}
