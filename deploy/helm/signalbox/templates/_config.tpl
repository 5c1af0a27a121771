{{/* signalbox.yaml: what the chart knows, and the user's `config` over it. */}}

{{/* TLS of a connection to Redis. {tls, folder} */}}
{{- define "signalbox.config.redisTls" -}}
{{- $out := dict -}}
{{- if .tls.existingSecret -}}
{{- if .tls.caKey }}{{ $_ := set $out "ca_file" (printf "%s/ca.crt" .folder) }}{{ end -}}
{{- if .tls.certKey }}{{ $_ := set $out "cert_file" (printf "%s/tls.crt" .folder) }}{{ end -}}
{{- if .tls.keyKey }}{{ $_ := set $out "key_file" (printf "%s/tls.key" .folder) }}{{ end -}}
{{- end -}}
{{- with .tls.serverName }}{{ $_ := set $out "server_name" . }}{{ end -}}
{{- toYaml $out -}}
{{- end -}}

{{/* One external instance. {root, role} */}}
{{- define "signalbox.config.redisInstance" -}}
{{- $instance := include "signalbox.redisValues" . | fromYaml -}}
{{- $folder := printf "/run/secrets/redis-%s" .role -}}
{{- $out := dict -}}
{{- with $instance.address }}{{ $_ := set $out "address" . }}{{ end -}}
{{- with $instance.username }}{{ $_ := set $out "username" . }}{{ end -}}
{{- with $instance.existingSecret }}{{ $_ := set $out "password" (dict "file" (printf "%s/password" $folder)) }}{{ end -}}
{{- with $instance.database }}{{ $_ := set $out "database" (int .) }}{{ end -}}
{{- with $instance.replicas }}{{ $_ := set $out "replicas" (int .) }}{{ end -}}
{{- if $instance.tls.enabled }}{{ $_ := set $out "tls" (include "signalbox.config.redisTls" (dict "tls" $instance.tls "folder" (printf "%s-tls" $folder)) | fromYaml) }}{{ end -}}
{{- $sentinel := $instance.sentinel -}}
{{- if $sentinel.addresses -}}
{{- $s := dict "master_name" $sentinel.masterName "addresses" $sentinel.addresses -}}
{{- with $sentinel.username }}{{ $_ := set $s "username" . }}{{ end -}}
{{- with $sentinel.existingSecret }}{{ $_ := set $s "password" (dict "file" (printf "%s-sentinel/password" $folder)) }}{{ end -}}
{{- if $sentinel.tls.enabled }}{{ $_ := set $s "tls" (include "signalbox.config.redisTls" (dict "tls" $sentinel.tls "folder" (printf "%s-sentinel-tls" $folder)) | fromYaml) }}{{ end -}}
{{- $_ := set $out "sentinel" $s -}}
{{- end -}}
{{- toYaml $out -}}
{{- end -}}

{{- define "signalbox.config.redis" -}}
{{- $out := dict -}}
{{- if include "signalbox.bundledRedis" . -}}
{{- $host := include "signalbox.host" (dict "root" . "name" (printf "%s-redis" (include "signalbox.fullname" .))) -}}
{{- $_ := set $out "scores" (dict "address" (printf "%s:6379" $host) "password" (dict "file" "/run/secrets/redis-scores/password")) -}}
{{- else -}}
{{- $root := . -}}
{{- range $role := list "scores" "money" -}}
{{- $context := dict "root" $root "role" $role -}}
{{- if include "signalbox.externalRedis" $context -}}
{{- $_ := set $out $role (include "signalbox.config.redisInstance" $context | fromYaml) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $out -}}
{{- end -}}

{{/* Address of an inner service, all replicas behind one name. {root, component} */}}
{{- define "signalbox.config.address" -}}
{{- printf "dns:///%s:9090" (include "signalbox.host" (dict "root" .root "name" (printf "%s-%s" (include "signalbox.fullname" .root) .component))) -}}
{{- end -}}

{{- define "signalbox.config" -}}
{{- $host := dict
  "listen" (printf "%s:9090" .Values.listenHost)
  "admin" (printf "%s:9091" .Values.listenHost)
  "log_level" "info"
  "drain_notice" .Values.drain.notice
  "drain_timeout" .Values.drain.timeout -}}
{{- if .Values.providers.existingSecret }}{{ $_ := set $host "secrets_dir" "/run/secrets/providers" }}{{ end -}}
{{- if .Values.tls.enabled -}}
{{- $_ := set $host "tls" (dict "ca_file" "/run/secrets/tls/ca.crt" "cert_file" "/run/secrets/tls/tls.crt" "key_file" "/run/secrets/tls/tls.key") -}}
{{- end -}}
{{- $catalogue := list -}}
{{- if .Values.catalogue.shipped }}{{ $catalogue = append $catalogue "/usr/share/signalbox/catalogue" }}{{ end -}}
{{- if include "signalbox.extraCatalogue" . }}{{ $catalogue = append $catalogue "/etc/signalbox/catalogue" }}{{ end -}}
{{- $config := dict "host" $host "catalogue" $catalogue "ingress" (dict "http_listen" (printf "%s:8080" .Values.listenHost)) -}}
{{- with include "signalbox.config.redis" . | fromYaml }}{{ $_ := set $config "redis" . }}{{ end -}}
{{- if eq .Values.mode "all-in-one" -}}
{{- $_ := set $config "serve" (dict "data_dir" "/var/lib/signalbox" "grpc" true) -}}
{{- else -}}
{{- $adapter := include "signalbox.config.address" (dict "root" . "component" "provider-adapter") -}}
{{- $_ := set $config.ingress "router_address" (include "signalbox.config.address" (dict "root" . "component" "router-decision")) -}}
{{- $_ := set $config.ingress "adapter_address" $adapter -}}
{{- $_ := set $config "router" (dict "adapter_address" $adapter) -}}
{{- $_ := set $config "adapter" (dict "aggregator_address" (include "signalbox.config.address" (dict "root" . "component" "metrics-aggregator"))) -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config (deepCopy .Values.config)) -}}
{{- end -}}

{{/* Checksum over what only a restart takes in. Policy, estimator, log level and catalogue files are loaded while running. */}}
{{- define "signalbox.configChecksum" -}}
{{- $config := include "signalbox.config" . | fromYaml -}}
{{- range $path := list "router.policy" "aggregator.estimator" "aggregator.exacto" "host.log_level" -}}
{{- $section := index (splitList "." $path) 0 -}}
{{- with index $config $section -}}
{{- $_ := unset . (index (splitList "." $path) 1) -}}
{{- if not . }}{{ $_ := unset $config $section }}{{ end -}}
{{- end -}}
{{- end -}}
{{- toYaml $config | sha256sum -}}
{{- end -}}
