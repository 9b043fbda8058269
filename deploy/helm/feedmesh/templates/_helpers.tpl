{{- define "feedmesh.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- /* Labels of everything; call with (dict "root" $ "component" "aggregator"). */ -}}
{{- define "feedmesh.labels" -}}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{ include "feedmesh.selector" . }}
{{- end }}

{{- define "feedmesh.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- with .node }}
feedmesh/node: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* The verdict is the probe: is it well, and if not for ten minutes, a restart is tried. */ -}}
{{- define "feedmesh.probes" -}}
startupProbe:
  exec: {command: [feedmesh-health]}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 60
readinessProbe:
  exec: {command: [feedmesh-health]}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
livenessProbe:
  exec: {command: [feedmesh-health]}
  periodSeconds: 30
  timeoutSeconds: 5
  failureThreshold: 20
{{- end }}

{{- define "feedmesh.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "feedmesh.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .storageClassName }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .size }}
{{- end }}

{{- /* Of a pod of the spread-out layout. */ -}}
{{- define "feedmesh.spreadSecurity" -}}
runAsUser: {{ .Values.spread.runAsUser }}
runAsGroup: {{ .Values.spread.runAsUser }}
fsGroup: {{ .Values.spread.runAsUser }}
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "feedmesh.bareContainer" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "feedmesh.authoritySecret" -}}
{{- if not (or .Values.spread.postgres.enabled .Values.spread.postgres.authoritySecret) }}{{ fail "spread.postgres.authoritySecret: found none, needed without spread.postgres.enabled" }}{{ end -}}
{{ .Values.spread.postgres.authoritySecret | default (printf "%s-postgres-ca" .Values.spread.prefix) }}
{{- end }}

{{- define "feedmesh.oracles" -}}
{{- $oracles := sub (int .Values.spread.totalNodes) (int .Values.spread.bootstrapNodes) -}}
{{- if lt (int $oracles) 4 }}{{ fail (printf "spread.totalNodes - spread.bootstrapNodes: found %d, allowed: at least 4 oracles" (int $oracles)) }}{{ end -}}
{{ $oracles }}
{{- end }}

{{- /* Egress rules that several have alike. */ -}}
{{- define "feedmesh.toNames" -}}
- to:
    - namespaceSelector: {}
      podSelector:
        matchLabels: {k8s-app: kube-dns}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}

{{- define "feedmesh.toOutside" -}}
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
    {{- range .Values.egress.additionalCidrs }}
    - ipBlock:
        cidr: {{ . }}
    {{- end }}
  ports:
    {{- range .Values.egress.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}

{{- define "feedmesh.toPostgres" -}}
- to:
    {{- if .Values.spread.postgres.enabled }}
    - podSelector:
        matchLabels: {cnpg.io/cluster: {{ .Values.spread.prefix }}-postgres}
    {{- else }}
    {{- if not .Values.spread.postgres.cidrs }}{{ fail "spread.postgres.cidrs: found none, needed without spread.postgres.enabled" }}{{ end }}
    {{- range .Values.spread.postgres.cidrs }}
    - ipBlock:
        cidr: {{ . }}
    {{- end }}
    {{- end }}
  ports:
    - {protocol: TCP, port: 5432}
{{- end }}
