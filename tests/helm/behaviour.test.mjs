// What a value does, and what it must not do.
import test from 'node:test';
import assert from 'node:assert/strict';
import { cpSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CHART, HELMS, configOf, helm, objects, of, podOf, scratch, template, withPods } from './chart.mjs';
import { reaches } from './network.mjs';

const HA = join(CHART, 'values-ha.yaml');
const podTemplates = (list) => Object.fromEntries(withPods(list).map((o) => [`${o.kind}/${o.metadata.name}`, JSON.stringify(podOf(o))]));

test('what is loaded while running rolls no pod; everything else rolls them', async () => {
  const base = { catalogue: { files: { 'a.yaml': 'providers: []' } }, config: { host: { log_level: 'info' } } };
  const before = podTemplates(await objects({ values: [base] }));
  const live = [
    { config: { router: { policy: { price_exponent: 3 } } } },
    { config: { aggregator: { estimator: { fast_half_life: '4m' }, exacto: { min_providers: 5 } } } },
    { config: { host: { log_level: 'debug' } } },
    { catalogue: { files: { 'a.yaml': 'models: []' } } },
    { catalogue: { files: { 'b.yaml': 'models: []' } } },
    { commonAnnotations: { a: 'b' } },
  ];
  for (const change of live) assert.deepEqual(podTemplates(await objects({ values: [base, change] })), before, JSON.stringify(change));
  const restart = [
    { config: { router: { snapshot_interval: '2s' } } },
    { config: { aggregator: { flush_interval: '1s' } } },
    { config: { ingress: { markup_basis_points: 1 } } },
    { config: { host: { max_connection_age: '30s' } } },
    { drain: { notice: '11s' } },
    { providers: { existingSecret: 'x' } },
    { catalogue: { shipped: false } },
  ];
  for (const change of restart) {
    const after = podTemplates(await objects({ values: [base, change] }));
    for (const component of ['ingress', 'router-decision', 'provider-adapter', 'metrics-aggregator']) {
      assert.notEqual(after[`Deployment/signalbox-${component}`], before[`Deployment/signalbox-${component}`], `${component}: ${JSON.stringify(change)}`);
    }
    assert.equal(after['StatefulSet/signalbox-redis'], before['StatefulSet/signalbox-redis']);
  }
});

test('a new version of the chart alone rolls no pod', async () => {
  const copy = join(scratch, 'newer');
  cpSync(CHART, copy, { recursive: true });
  const file = join(copy, 'Chart.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^version: .*$/m, 'version: 9.9.9'));
  assert.deepEqual(podTemplates(await objects({ chart: copy, values: [HA] })), podTemplates(await objects({ values: [HA] })));
});

// Who may call whom, as in the facts of the architecture; everything not listed is denied.
const OUTSIDE = { ip: '203.0.113.7' };
const METADATA = { ip: '169.254.169.254' };
const PRIVATE = { ip: '10.1.2.3' };
function ends(list) {
  const out = {
    'an application': { namespace: 'apps', labels: { app: 'web' } },
    'an internal caller': { namespace: 'signalbox', labels: { app: 'caller' } },
    Prometheus: { namespace: 'monitoring', labels: { 'app.kubernetes.io/name': 'prometheus' } },
    DNS: { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } },
    outside: OUTSIDE, 'the metadata address': METADATA, 'a private network': PRIVATE,
  };
  for (const o of withPods(list)) out[podOf(o).metadata.labels['app.kubernetes.io/component']] = { namespace: o.metadata.namespace, labels: podOf(o).metadata.labels };
  return out;
}
function edgesOf(list) {
  const all = ends(list);
  const policies = of(list, 'NetworkPolicy');
  const edges = [];
  const ours = new Set(withPods(list).map((o) => podOf(o).metadata.labels['app.kubernetes.io/component']));
  for (const [from, a] of Object.entries(all)) {
    for (const [to, b] of Object.entries(all)) {
      if (from === to || !(ours.has(from) || ours.has(to))) continue;
      for (const port of [53, 443, 80, 6379, 8080, 8081, 9090, 9091, 26379]) if (reaches(policies, a, b, port)) edges.push(`${from} > ${to}:${port}`);
    }
  }
  return edges.sort();
}

test('the edges of a cluster are these and no others', async () => {
  const list = await objects({ values: [{ demo: { enabled: true }, benchmark: { enabled: true, existingSecret: 'k', models: ['all'] } }] });
  const serving = ['ingress', 'router-decision', 'provider-adapter', 'metrics-aggregator'];
  const expected = [
    ...['an application', 'an internal caller', 'Prometheus', 'DNS', 'outside', 'the metadata address', 'a private network', 'smoke-test', 'benchmark'].map((c) => `${c} > ingress:8080`),
    'an internal caller > ingress:9090',
    'ingress > router-decision:9090', 'ingress > provider-adapter:9090', 'router-decision > provider-adapter:9090', 'provider-adapter > metrics-aggregator:9090',
    ...['ingress', 'router-decision', 'metrics-aggregator', 'smoke-test', 'benchmark'].map((c) => `${c} > redis:6379`),
    'provider-adapter > outside:443', 'provider-adapter > fleet:8080', 'provider-adapter > fleet:8081',
    ...serving.map((c) => `Prometheus > ${c}:9091`),
    ...[...serving, 'redis', 'fleet', 'smoke-test', 'benchmark'].map((c) => `${c} > DNS:53`),
  ];
  assert.deepEqual(edgesOf(list), expected.sort());
});

test('the edges of one pod are these and no others', async () => {
  const list = await objects({ values: [{ mode: 'all-in-one', demo: { enabled: true } }] });
  const expected = [
    ...['an application', 'an internal caller', 'Prometheus', 'DNS', 'outside', 'the metadata address', 'a private network'].map((c) => `${c} > all-in-one:8080`),
    'an internal caller > all-in-one:9090', 'Prometheus > all-in-one:9091', 'all-in-one > outside:443', 'all-in-one > fleet:8080', 'all-in-one > fleet:8081',
    'all-in-one > DNS:53', 'fleet > DNS:53',
  ];
  assert.deepEqual(edgesOf(list), expected.sort());
});

test('an external Redis is reached at its own ports, by those that need it', async () => {
  const list = await objects({ values: [HA] });
  const edges = edgesOf(list);
  const redis = edges.filter((e) => e.includes('> a private network'));
  const ports = [6379, 26379];
  assert.deepEqual(redis, ['ingress', 'metrics-aggregator', 'router-decision'].flatMap((c) => ports.map((p) => `${c} > a private network:${p}`)).sort());
  assert.deepEqual(edges.filter((e) => e.includes('> outside:')), ['provider-adapter > outside:443']);
  assert.deepEqual(edges.filter((e) => e.includes('> the metadata address')), []);
});

test('who may call is narrowed by values', async () => {
  const values = { networkPolicy: { http: { from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'apps' } } }] }, grpc: { from: [] }, prometheus: { from: [] } } };
  const edges = edgesOf(await objects({ values: [values] }));
  assert.deepEqual(edges.filter((e) => /> ingress:/.test(e)), ['an application > ingress:8080']);
  assert.deepEqual(edges.filter((e) => /:9091$/.test(e)), []);
});

test('no policies where they are switched off', async () => assert.deepEqual(of(await objects({ values: [{ networkPolicy: { enabled: false } }] }), 'NetworkPolicy'), []));

test('budgets follow replicas and autoscalers', async () => {
  const budgets = async (values) => of(await objects({ values: [values] }), 'PodDisruptionBudget').map((b) => b.metadata.name);
  assert.deepEqual(await budgets({}), []);
  assert.deepEqual(await budgets({ ingress: { replicas: 2 } }), ['signalbox-ingress']);
  assert.deepEqual(await budgets({ ingress: { replicas: 1, autoscaling: { enabled: true, minReplicas: 2 } } }), ['signalbox-ingress']);
  assert.deepEqual(await budgets({ ingress: { replicas: 3, autoscaling: { enabled: true, minReplicas: 1 } } }), []);
  assert.deepEqual(await budgets({ defaults: { replicas: 2 }, ingress: { podDisruptionBudget: { enabled: false } } }),
    ['signalbox-metrics-aggregator', 'signalbox-provider-adapter', 'signalbox-router-decision']);
  const [budget] = of(await objects({ values: [{ ingress: { replicas: 3, podDisruptionBudget: { minAvailable: '60%' } } }] }), 'PodDisruptionBudget');
  assert.equal(budget.spec.minAvailable, '60%');
});

test('autoscalers: requests in flight by the gauges of the services, CPU otherwise', async () => {
  const list = await objects({ values: [HA] });
  const metric = (component) => of(list, 'HorizontalPodAutoscaler', `signalbox-${component}`).spec.metrics[0];
  assert.equal(metric('ingress').pods.metric.name, 'signalbox_ingress_in_flight');
  assert.equal(metric('provider-adapter').pods.metric.name, 'signalbox_adapter_in_flight');
  assert.equal(metric('router-decision').resource.name, 'cpu');
  assert.equal(metric('metrics-aggregator').resource.name, 'cpu');
  const sources = { signalbox_ingress_in_flight: 'ingress', signalbox_adapter_in_flight: 'provider-adapter' };
  for (const [name, folder] of Object.entries(sources)) {
    assert.ok(readFileSync(join(CHART, '../../../services', folder, 'metrics.cc'), 'utf8').includes(`"${name}"`), `${name} is no metric of ${folder}`);
  }
  const fallback = await objects({ values: [HA, { ingress: { autoscaling: { metric: 'cpu' } } }] });
  assert.equal(of(fallback, 'HorizontalPodAutoscaler', 'signalbox-ingress').spec.metrics[0].resource.name, 'cpu');
});

test('components inherit the defaults, and what they set wins', async () => {
  const list = await objects({ values: [{ defaults: { nodeSelector: { a: '1', b: '1' }, priorityClassName: 'low' }, ingress: { nodeSelector: { b: '2' }, priorityClassName: 'high' } }] });
  const spec = (component) => podOf(of(list, 'Deployment', `signalbox-${component}`)).spec;
  assert.deepEqual([spec('ingress').nodeSelector, spec('ingress').priorityClassName], [{ a: '1', b: '2' }, 'high']);
  assert.deepEqual([spec('router-decision').nodeSelector, spec('router-decision').priorityClassName], [{ a: '1', b: '1' }, 'low']);
});

test('the user’s configuration wins over the chart’s', async () => {
  const config = parse(configOf(await objects({ values: [{ config: { host: { log_level: 'warning' }, router: { providers_interval: '5s' }, redis: { scores: { max_pending: 5 } } } }] })));
  assert.equal(config.host.log_level, 'warning');
  assert.equal(config.host.listen, '0.0.0.0:9090');
  assert.equal(config.router.providers_interval, '5s');
  assert.match(config.router.adapter_address, /^dns:\/\/\/signalbox-provider-adapter\.signalbox\.svc\.cluster\.local:9090$/);
  assert.equal(config.redis.scores.max_pending, 5);
  assert.match(config.redis.scores.address, /^signalbox-redis\./);
});

test('the password of the bundled Redis is made by chance', async () => {
  const password = async () => of(await objects(), 'Secret', 'signalbox-redis').data.password;
  const [a, b] = [await password(), await password()];
  assert.notEqual(a, b);
  assert.match(Buffer.from(a, 'base64').toString(), /^[A-Za-z0-9]{32}$/);
});

test('the bundled Redis keeps what it acknowledged', async () => {
  const { data } = of(await objects(), 'ConfigMap', 'signalbox-redis');
  for (const line of ['appendonly yes', 'appendfsync always', 'maxmemory-policy noeviction', 'include /run/redis/access.conf']) assert.ok(data['redis.conf'].split('\n').includes(line), line);
});

test('one template makes the four Deployments', async () => {
  const shape = (value) => (Array.isArray(value) ? value.map(shape) : value && typeof value === 'object' ? Object.fromEntries(Object.keys(value).sort().map((k) => [k, shape(value[k])])) : typeof value);
  const list = await objects({ values: [{ defaults: { resources: { limits: { memory: '1Gi' } } } }] });
  const inner = ['router-decision', 'metrics-aggregator'].map((c) => shape(of(list, 'Deployment', `signalbox-${c}`)));
  assert.deepEqual(inner[0], inner[1]);
  for (const component of ['ingress', 'router-decision', 'provider-adapter', 'metrics-aggregator']) {
    const [container] = podOf(of(list, 'Deployment', `signalbox-${component}`)).spec.containers;
    assert.deepEqual([container.name, container.command, container.args], [component, [`/usr/local/bin/${component}`], ['--config', '/etc/signalbox/signalbox.yaml']]);
  }
});

test('alerts, recording rules and dashboards are those of files/, whole', async () => {
  const files = join(CHART, 'files');
  const list = await objects({ values: [HA] });
  const groups = ['alerts.yaml', 'recording-rules.yaml'].flatMap((f) => parse(readFileSync(join(files, f), 'utf8')).groups);
  assert.deepEqual(of(list, 'PrometheusRule', 'signalbox').spec.groups, groups);
  const boards = readdirSync(join(files, 'dashboards')).filter((f) => f.endsWith('.json')).sort();
  assert.ok(boards.length > 0);
  const maps = of(list, 'ConfigMap').filter((m) => m.metadata.labels.grafana_dashboard === '1');
  assert.deepEqual(maps.map((m) => Object.keys(m.data)[0]).sort(), boards);
  for (const map of maps) {
    const [[file, text]] = Object.entries(map.data);
    assert.deepEqual(JSON.parse(text), JSON.parse(readFileSync(join(files, 'dashboards', file), 'utf8')));
    assert.ok(text.length < 900_000, `${file} is too large for a ConfigMap`);
  }
});

test('alerts can be left out and labelled', async () => {
  const alerts = (list) => of(list, 'PrometheusRule', 'signalbox').spec.groups.flatMap((g) => g.rules).filter((r) => r.alert);
  const all = alerts(await objects({ values: [HA] }));
  const first = all[0].alert;
  const some = alerts(await objects({ values: [HA, { monitoring: { prometheusRule: { disabledAlerts: [first], alertLabels: { team: 'llm' } } } }] }));
  assert.deepEqual(some.map((r) => r.alert), all.map((r) => r.alert).filter((name) => name !== first));
  assert.ok(some.every((r) => r.labels.team === 'llm' && Object.keys(r.labels).length > 1));
});

test('alerts point at the runbook where it can be read', async () => {
  const list = await objects({ values: [HA, { monitoring: { prometheusRule: { runbookBaseUrl: 'https://git.example.com/signalbox/blob/main/' } } }] });
  const alerts = of(list, 'PrometheusRule', 'signalbox').spec.groups.flatMap((g) => g.rules).filter((r) => r.alert);
  assert.ok(alerts.every((r) => r.annotations.runbook_url.startsWith('https://git.example.com/signalbox/blob/main/docs/runbook.md#')));
});

test('labels of our series win over those of the target', async () => {
  assert.ok(of(await objects({ values: [HA] }), 'ServiceMonitor', 'signalbox').spec.endpoints.every((e) => e.honorLabels === true));
});

test('monitoring is off by default', async () => {
  const list = await objects();
  assert.deepEqual(list.filter((o) => ['ServiceMonitor', 'PrometheusRule'].includes(o.kind)), []);
  assert.ok(!of(list, 'ConfigMap').some((m) => m.metadata.labels.grafana_dashboard));
});

test('the test hook is there where it can work, with the simulated providers', async () => {
  const job = async (values) => of(await objects({ values: [values] }), 'Job').map((j) => j.metadata.annotations['helm.sh/hook']);
  assert.deepEqual(await job({}), []);
  assert.deepEqual(await job({ demo: { enabled: true } }), ['test']);
  assert.deepEqual(await job({ mode: 'all-in-one', demo: { enabled: true } }), []);
  assert.deepEqual(await job({ mode: 'all-in-one', demo: { enabled: true }, redis: { external: { scores: { address: 'r:1', existingSecret: 's' } } } }), ['test']);
});

// Helm 4 only: helm 3 does not install, not even for show, without a cluster.
async function notes(values) {
  const file = join(scratch, `notes-${Math.random()}.yaml`);
  writeFileSync(file, JSON.stringify(values));
  const { code, stdout, stderr } = await helm(['install', 'signalbox', CHART, '--namespace', 'signalbox', '--dry-run=client', '--values', file]);
  assert.equal(code, 0, stderr);
  return stdout.slice(stdout.indexOf('NOTES:'));
}

test('the notes give the first request and name what is insecure', async () => {
  const plain = await notes({});
  for (const word of ['exec deploy/signalbox-ingress -- /usr/local/bin/signalbox keys create', 'port-forward svc/signalbox 8080:8080', 'curl http://127.0.0.1:8080/api/v1/chat/completions',
    '!! The bundled Redis is for trying out', '!! tls is off', '!! ingress has one replica', '--set demo.enabled=true']) assert.ok(plain.includes(word), word);
  assert.ok((await notes({ mode: 'all-in-one' })).includes('exec statefulset/signalbox-all-in-one'));
  const insecure = await notes(parse(readFileSync(new URL('cases/insecure.yaml', import.meta.url), 'utf8')));
  for (const word of ['networkPolicy is off', 'scores has no password', 'money has no password', 'scores is spoken to without TLS', 'plain HTTP on a load balancer', 'expose.ingress has no tls',
    'reflection is on']) assert.ok(insecure.includes(word), word);
  const good = await notes(parse(readFileSync(HA, 'utf8')));
  assert.ok(!good.includes('!!') && !good.includes('WARNING'), good);
});

test('the oldest Kubernetes is 1.27, whatever a vendor appends to the number', async () => {
  const at = async (version) => (await template({ args: ['--kube-version', version] })).code;
  assert.notEqual(await at('1.26.15'), 0);
  for (const version of ['1.27.0', 'v1.27.3-gke.100', 'v1.34.1-eks-3025e55']) assert.equal(await at(version), 0, version);
});

test('what is packaged renders the same, and holds what a chart holds', async () => {
  const target = join(scratch, 'package');
  for (const version of Object.keys(HELMS)) {
    const packed = await helm(['package', CHART, '--destination', target], version);
    assert.equal(packed.code, 0, packed.stderr);
    const chart = join(target, readdirSync(target)[0]);
    const values = [HA, { demo: { enabled: true } }];
    assert.deepEqual(await objects({ chart, values, version }), await objects({ values, version }));
    const shown = await helm(['show', 'readme', chart], version);
    assert.match(shown.stdout, /# Chart signalbox/);
  }
});
