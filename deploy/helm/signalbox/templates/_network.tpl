{{/* The edges between pods. One table: who is called, at which port, by whom. */}}

{{/* {root} → YAML map: component → list of {port, from (components)} */}}
{{- define "signalbox.edges" -}}
{{- if eq .Values.mode "all-in-one" -}}
all-in-one:
  - {port: 8080, from: [smoke-test, benchmark]}
fleet:
  - {port: 8080, from: [all-in-one]}
  - {port: 8081, from: [all-in-one]}
{{- else -}}
ingress:
  - {port: 8080, from: [smoke-test, benchmark]}
router-decision:
  - {port: 9090, from: [ingress]}
provider-adapter:
  - {port: 9090, from: [ingress, router-decision]}
metrics-aggregator:
  - {port: 9090, from: [provider-adapter]}
redis:
  - {port: 6379, from: [ingress, router-decision, metrics-aggregator, smoke-test, benchmark]}
fleet:
  - {port: 8080, from: [provider-adapter]}
  # Nobody listens there: one of the simulated providers is a closed port.
  - {port: 8081, from: [provider-adapter]}
{{- end -}}
{{- end -}}

{{/* Which of the components exist in this release. YAML list under `names`. */}}
{{- define "signalbox.present" -}}
{{- $names := include "signalbox.components" . | fromYaml | values -}}
{{- if include "signalbox.bundledRedis" . }}{{ $names = append $names "redis" }}{{ end -}}
{{- if .Values.demo.enabled }}{{ $names = append $names "fleet" }}{{ end -}}
{{- if include "signalbox.smokeTest" . }}{{ $names = append $names "smoke-test" }}{{ end -}}
{{- if .Values.benchmark.enabled }}{{ $names = append $names "benchmark" }}{{ end -}}
{{- dict "names" $names | toYaml -}}
{{- end -}}

{{/* Ports of the external Redis: those of the addresses, and the configured ones where sentinels name the servers. YAML list under `ports`. */}}
{{- define "signalbox.redisPorts" -}}
{{- $ports := list -}}
{{- range $role := list "scores" "money" -}}
{{- $instance := include "signalbox.redisValues" (dict "root" $ "role" $role) | fromYaml -}}
{{- $sentinel := $instance.sentinel -}}
{{- range compact (concat (list (default "" $instance.address)) (default list $sentinel.addresses)) -}}
{{- $ports = append $ports (splitList ":" . | last | int) -}}
{{- end -}}
{{- if $sentinel.addresses }}{{ $ports = concat $ports $.Values.networkPolicy.redis.ports }}{{ end -}}
{{- end -}}
{{- $unique := list -}}
{{- range $ports }}{{ if not (has (int .) $unique) }}{{ $unique = append $unique (int .) }}{{ end }}{{ end -}}
{{- dict "ports" $unique | toYaml -}}
{{- end -}}

{{/* The policy of one component. {root, component, values} */}}
{{- define "signalbox.networkPolicy" -}}
{{- $root := .root -}}
{{- $component := .component -}}
{{- $policy := $root.Values.networkPolicy -}}
{{- $edges := include "signalbox.edges" $root | fromYaml -}}
{{- $present := (include "signalbox.present" $root | fromYaml).names -}}
{{- $serves := has $component (include "signalbox.components" $root | fromYaml | values) -}}
{{- $isEdge := eq $component (include "signalbox.edge" $root) -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "signalbox.metadata" (dict "root" $root "name" (printf "%s-%s" (include "signalbox.fullname" $root) $component) "component" $component) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "signalbox.selectorLabels" (dict "root" $root "component" $component) | nindent 6 }}
  policyTypes:
    - Ingress
    - Egress
  {{- /* Who may call it. */}}
  {{- $ingress := list }}
  {{- range $edge := index $edges $component }}
  {{- $from := list }}
  {{- range $edge.from }}
  {{- if has . $present }}
  {{- $from = append $from (dict "podSelector" (dict "matchLabels" (include "signalbox.selectorLabels" (dict "root" $root "component" .) | fromYaml))) }}
  {{- end }}
  {{- end }}
  {{- if $from }}
  {{- $ingress = append $ingress (dict "from" $from "ports" (list (dict "protocol" "TCP" "port" (int $edge.port)))) }}
  {{- end }}
  {{- end }}
  {{- if $isEdge }}
  {{- $http := dict "ports" (list (dict "protocol" "TCP" "port" 8080)) }}
  {{- with $policy.http.from }}{{ $_ := set $http "from" . }}{{ end }}
  {{- $ingress = append $ingress $http }}
  {{- with $policy.grpc.from }}
  {{- $ingress = append $ingress (dict "from" . "ports" (list (dict "protocol" "TCP" "port" 9090))) }}
  {{- end }}
  {{- end }}
  {{- if $serves }}
  {{- with $policy.prometheus.from }}
  {{- $ingress = append $ingress (dict "from" . "ports" (list (dict "protocol" "TCP" "port" 9091))) }}
  {{- end }}
  {{- $ingress = concat $ingress .values.extraIngressRules }}
  {{- end }}
  {{- with $ingress }}
  ingress:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- /* Whom it may call. */}}
  {{- $egress := list }}
  {{- range $target, $list := $edges }}
  {{- if has $target $present }}
  {{- $ports := list }}
  {{- range $list }}
  {{- if has $component .from }}{{ $ports = append $ports (dict "protocol" "TCP" "port" (int .port)) }}{{ end }}
  {{- end }}
  {{- if $ports }}
  {{- $to := list (dict "podSelector" (dict "matchLabels" (include "signalbox.selectorLabels" (dict "root" $root "component" $target) | fromYaml))) }}
  {{- $egress = append $egress (dict "to" $to "ports" $ports) }}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- $callsRedis := has $component (list "ingress" "router-decision" "metrics-aggregator" "all-in-one" "smoke-test" "benchmark") }}
  {{- $redisPorts := (include "signalbox.redisPorts" $root | fromYaml).ports }}
  {{- if and $callsRedis $redisPorts (not (include "signalbox.bundledRedis" $root)) }}
  {{- $ports := list }}
  {{- range $redisPorts }}{{ $ports = append $ports (dict "protocol" "TCP" "port" (int .)) }}{{ end }}
  {{- $egress = append $egress (dict "to" $policy.redis.to "ports" $ports) }}
  {{- end }}
  {{- if has $component (list "provider-adapter" "all-in-one") }}
  {{- $ports := list }}
  {{- range $policy.providers.ports }}{{ $ports = append $ports (dict "protocol" "TCP" "port" (int .)) }}{{ end }}
  {{- $to := list }}
  {{- range $policy.providers.cidrs }}{{ $to = append $to (dict "ipBlock" .) }}{{ end }}
  {{- if and $to $ports }}{{ $egress = append $egress (dict "to" $to "ports" $ports) }}{{ end }}
  {{- $egress = concat $egress $policy.providers.extraRules }}
  {{- end }}
  {{- if $serves }}
  {{- $egress = concat $egress .values.extraEgressRules }}
  {{- end }}
  {{- with $egress }}
  egress:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
