// What must hold of the objects of every case, whatever the values.
import test from 'node:test';
import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { cases, configOf, objects, of, podOf, withPods } from './chart.mjs';
import { matches } from './network.mjs';

const SERVING = ['ingress', 'router-decision', 'provider-adapter', 'metrics-aggregator', 'all-in-one'];
const componentOf = (o) => o.metadata.labels?.['app.kubernetes.io/component'];
const seconds = (text) => { const [, n, unit] = /^(\d+)(ms|s|m|h)$/.exec(text); return n * { ms: 0.001, s: 1, m: 60, h: 3600 }[unit]; };
const own = (list) => list.filter((o) => o.metadata.labels?.['app.kubernetes.io/part-of'] === 'signalbox');

function eachContainer(list, check) {
  for (const o of withPods(list)) {
    const { spec } = podOf(o);
    for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) check(container, spec, `${o.kind} ${o.metadata.name}/${container.name}`);
  }
}

const INVARIANTS = {
  'no two objects of one name, all in the release’s namespace, all labelled'(list, { namespace }) {
    const names = list.map((o) => `${o.kind}/${o.metadata.name}`);
    assert.equal(new Set(names).size, names.length);
    for (const o of own(list)) {
      assert.equal(o.metadata.namespace, namespace);
      for (const label of ['name', 'instance', 'version', 'managed-by']) assert.ok(o.metadata.labels[`app.kubernetes.io/${label}`], `${o.kind} ${o.metadata.name}: ${label}`);
      assert.ok(o.metadata.labels['helm.sh/chart']);
    }
  },
  'names and labels are short enough'(list) {
    for (const o of list) {
      assert.ok(o.metadata.name.length <= (o.kind === 'CronJob' ? 52 : 63), o.metadata.name);
      if (o.kind === 'StatefulSet') assert.ok(o.metadata.name.length <= 52, o.metadata.name); // the label with its revision
      for (const value of Object.values(o.metadata.labels ?? {})) assert.ok(value.length <= 63, value);
      for (const value of Object.values(podOf(o)?.metadata.labels ?? {})) assert.ok(value.length <= 63, value);
    }
  },
  'selectors are minimal and match their pods'(list) {
    for (const o of withPods(list)) {
      const labels = podOf(o).metadata.labels;
      if (o.kind === 'Job' || o.kind === 'CronJob') continue;
      assert.deepEqual(Object.keys(o.spec.selector.matchLabels).sort(), ['app.kubernetes.io/component', 'app.kubernetes.io/instance', 'app.kubernetes.io/name']);
      assert.ok(matches(o.spec.selector, labels), o.metadata.name);
      assert.ok(!('helm.sh/chart' in labels) && !('app.kubernetes.io/version' in labels), 'a label of pods that changes with every release of the chart');
    }
  },
  'every Service, budget, policy, spread selects pods of exactly the component it is named after'(list) {
    const pods = withPods(list).map((o) => ({ component: podOf(o).metadata.labels['app.kubernetes.io/component'], labels: podOf(o).metadata.labels }));
    const selected = (selector) => [...new Set(pods.filter((p) => matches(selector, p.labels)).map((p) => p.component))];
    for (const o of own(list)) {
      const selector = { Service: { matchLabels: o.spec?.selector }, PodDisruptionBudget: o.spec?.selector, NetworkPolicy: o.spec?.podSelector }[o.kind];
      if (selector && componentOf(o)) assert.deepEqual(selected(selector), [componentOf(o)], `${o.kind} ${o.metadata.name}`);
    }
    for (const o of withPods(list)) {
      for (const spread of podOf(o).spec.topologySpreadConstraints ?? []) assert.deepEqual(selected(spread.labelSelector), [componentOf(o)]);
    }
  },
  'ports of Services and probes exist in the pods'(list) {
    for (const service of of(list, 'Service')) {
      const target = withPods(list).find((o) => matches({ matchLabels: service.spec.selector }, podOf(o).metadata.labels));
      const ports = podOf(target).spec.containers.flatMap((c) => c.ports ?? []);
      for (const port of service.spec.ports) {
        const found = ports.find((p) => p.name === port.targetPort);
        assert.ok(found, `${service.metadata.name}: ${port.targetPort}`);
        if (service.spec.clusterIP === 'None') assert.equal(port.port, found.containerPort, 'a headless Service does not translate ports');
      }
    }
    eachContainer(list, (container, _, where) => {
      for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
        const port = container[probe]?.httpGet?.port ?? container[probe]?.tcpSocket?.port;
        if (port) assert.ok(container.ports.some((p) => p.name === port), `${where}: ${probe}`);
      }
    });
  },
  'the public Service has the HTTP port only, the inner ones are headless and show ready pods only'(list) {
    for (const service of of(list, 'Service')) {
      if (!SERVING.includes(componentOf(service))) continue;
      if (service.spec.clusterIP === 'None') {
        assert.deepEqual(service.spec.ports.map((p) => [p.name, p.port]), [['grpc', 9090], ['admin', 9091]]);
        assert.equal(service.spec.publishNotReadyAddresses, false);
        assert.ok(service.spec.ports.every((p) => p.appProtocol));
      } else {
        assert.deepEqual(service.spec.ports.map((p) => p.name), ['http']);
      }
    }
  },
  'volumes and mounts belong together, and what is mounted exists'(list) {
    for (const o of withPods(list)) {
      const { spec } = podOf(o);
      const volumes = new Set([...(spec.volumes ?? []).map((v) => v.name), ...(o.spec.volumeClaimTemplates ?? []).map((v) => v.metadata.name)]);
      const mounted = new Set(spec.containers.flatMap((c) => (c.volumeMounts ?? []).map((m) => m.name)));
      assert.deepEqual([...mounted].sort(), [...volumes].sort(), `${o.kind} ${o.metadata.name}`);
      for (const container of spec.containers) {
        const paths = (container.volumeMounts ?? []).map((m) => m.mountPath);
        assert.equal(new Set(paths).size, paths.length, `${o.metadata.name}: two mounts at one path`);
        assert.ok(!(container.volumeMounts ?? []).some((m) => m.subPath), 'a subPath never sees a change');
      }
      for (const volume of spec.volumes ?? []) {
        const maps = [volume.configMap?.name, ...(volume.projected?.sources ?? []).map((s) => s.configMap?.name)].filter(Boolean);
        for (const name of maps) if (name.startsWith(`${o.metadata.labels['app.kubernetes.io/instance']}-`)) of(list, 'ConfigMap', name);
      }
    }
  },
  'pods run without rights'(list) {
    for (const o of withPods(list)) {
      const { spec } = podOf(o);
      assert.equal(spec.automountServiceAccountToken, false);
      assert.equal(spec.enableServiceLinks, false);
      assert.equal(spec.securityContext.runAsNonRoot, true);
      assert.equal(spec.securityContext.runAsUser, 65532);
      assert.equal(spec.securityContext.seccompProfile.type, 'RuntimeDefault');
      for (const key of ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace']) assert.ok(!spec[key]);
    }
    eachContainer(list, ({ securityContext }, _, where) => {
      assert.equal(securityContext.allowPrivilegeEscalation, false, where);
      assert.equal(securityContext.readOnlyRootFilesystem, true, where);
      assert.deepEqual(securityContext.capabilities, { drop: ['ALL'] }, where);
    });
    for (const account of of(list, 'ServiceAccount')) assert.equal(account.automountServiceAccountToken, false);
    assert.deepEqual(list.filter((o) => /^(Cluster)?Role(Binding)?$/.test(o.kind)), []);
  },
  'resources: requests for both, memory limit = request, no CPU limit'(list) {
    eachContainer(list, ({ resources }, _, where) => {
      assert.ok(resources.requests.cpu && resources.requests.memory, where);
      assert.equal(resources.limits.memory, resources.requests.memory, where);
      assert.ok(!('cpu' in resources.limits), where);
    });
  },
  'images have a tag or a digest, and not latest'(list) {
    eachContainer(list, ({ image }, _, where) => assert.match(image, /(:(?!latest$)[\w][\w.-]*|@sha256:[0-9a-f]{64})$/, where));
  },
  'credentials are files: none in arguments, variables or ConfigMaps'(list) {
    eachContainer(list, (container, _, where) => {
      assert.ok(!container.envFrom, where);
      for (const variable of container.env ?? []) assert.ok(!variable.valueFrom?.secretKeyRef && !/KEY|PASSWORD|SECRET|TOKEN/i.test(variable.name), where);
      assert.ok(![...(container.command ?? []), ...(container.args ?? [])].some((a) => /^--?(key|password|requirepass|token)\b(?!-file)/.test(a) || /\$\(/.test(a)), where);
    });
    for (const o of withPods(list)) {
      for (const volume of podOf(o).spec.volumes ?? []) if (volume.secret) assert.equal(volume.secret.defaultMode, 0o440, `${o.metadata.name} ${volume.name}`);
    }
    const seek = (node, path) => {
      if (node === null || typeof node !== 'object') return;
      for (const [key, value] of Object.entries(node)) {
        if (key === 'password' || key === 'key') assert.deepEqual(Object.keys(value), ['file'], `${path}.${key}`);
        else seek(value, `${path}.${key}`);
      }
    };
    seek(parse(configOf(list)), 'signalbox.yaml');
    for (const secret of of(list, 'Secret')) assert.equal(componentOf(secret), 'redis', 'the only Secret that the chart makes');
  },
  'every file named in the configuration is mounted where it is needed, and no Secret where it is not'(list) {
    const config = parse(configOf(list));
    const needs = {
      ingress: [config.redis?.money ?? config.redis?.scores], 'router-decision': [config.redis?.scores], 'metrics-aggregator': [config.redis?.scores],
      'all-in-one': [config.redis?.scores, config.redis?.money], 'provider-adapter': [], 'smoke-test': [config.redis?.money ?? config.redis?.scores], benchmark: [config.redis?.scores],
    };
    const filesIn = (node) => (node && typeof node === 'object' ? Object.entries(node).flatMap(([k, v]) => (/(^|_)file$/.test(k) ? [v] : filesIn(v))) : []);
    for (const o of withPods(list)) {
      const component = podOf(o).metadata.labels['app.kubernetes.io/component'];
      if (!needs[component]) continue;
      const serving = SERVING.includes(component);
      const wanted = needs[component].flatMap(filesIn);
      if (serving) wanted.push(...filesIn(config.host.tls));
      if (['provider-adapter', 'all-in-one'].includes(component) && config.host.secrets_dir) wanted.push(`${config.host.secrets_dir}/*`);
      if (component === 'benchmark') wanted.push('/run/secrets/client-key/key');
      const { spec } = podOf(o);
      const there = spec.containers[0].volumeMounts.flatMap((mount) => {
        const volume = (spec.volumes ?? []).find((v) => v.name === mount.name);
        return volume?.secret ? (volume.secret.items ?? [{ path: '*' }]).map((item) => `${mount.mountPath}/${item.path}`) : [];
      });
      assert.deepEqual([...new Set(there)].sort(), [...new Set(wanted)].sort(), component);
    }
  },
  'the grace period covers the drain'(list) {
    const { host } = parse(configOf(list));
    const drain = seconds(host.drain_notice) + seconds(host.drain_timeout);
    for (const o of withPods(list)) {
      if (SERVING.includes(componentOf(o))) assert.ok(podOf(o).spec.terminationGracePeriodSeconds >= drain + 30, o.metadata.name);
    }
  },
  'probes: startup and liveness look at the process, readiness at readiness, all on the admin port'(list) {
    for (const o of withPods(list).filter((x) => SERVING.includes(componentOf(x)))) {
      const [container] = podOf(o).spec.containers;
      for (const [probe, path] of [['startupProbe', '/livez'], ['readinessProbe', '/readyz'], ['livenessProbe', '/livez']]) {
        assert.deepEqual(container[probe].httpGet, { path, port: 'admin' });
      }
      assert.ok(!container.lifecycle);
    }
  },
  'an autoscaler and `replicas` exclude each other; budgets only where there is more than one'(list) {
    const scalers = new Map(of(list, 'HorizontalPodAutoscaler').map((h) => [h.spec.scaleTargetRef.name, h]));
    const budgets = new Map(of(list, 'PodDisruptionBudget').map((b) => [b.metadata.name, b]));
    for (const deployment of of(list, 'Deployment').filter((d) => SERVING.includes(componentOf(d)))) {
      const scaler = scalers.get(deployment.metadata.name);
      assert.equal('replicas' in deployment.spec, !scaler, deployment.metadata.name);
      const least = scaler ? scaler.spec.minReplicas : deployment.spec.replicas;
      if (budgets.has(deployment.metadata.name)) assert.ok(least > 1, `${deployment.metadata.name}: a budget for ${least}`);
      scalers.delete(deployment.metadata.name);
      budgets.delete(deployment.metadata.name);
    }
    assert.deepEqual([...scalers.keys(), ...budgets.keys()], []);
    for (const { spec } of of(list, 'HorizontalPodAutoscaler')) {
      assert.ok(spec.minReplicas <= spec.maxReplicas);
      assert.ok(spec.behavior.scaleDown.stabilizationWindowSeconds >= 300);
    }
    for (const { spec } of of(list, 'PodDisruptionBudget')) {
      assert.equal('minAvailable' in spec, !('maxUnavailable' in spec));
      assert.equal(spec.unhealthyPodEvictionPolicy, 'AlwaysAllow');
    }
  },
  'addresses in the configuration are Services of the release, ready for every replica'(list, { namespace }) {
    const hosts = JSON.stringify(parse(configOf(list))).match(/dns:\/\/\/[^"]+/g) ?? [];
    for (const address of hosts) {
      const [, host, port] = /^dns:\/\/\/([^:]+):(\d+)$/.exec(address);
      const [name, ns, svc] = host.split('.');
      assert.deepEqual([ns, svc], [namespace, 'svc']);
      const service = of(list, 'Service', name);
      assert.equal(service.spec.clusterIP, 'None');
      assert.ok(service.spec.ports.some((p) => p.port === Number(port)));
    }
    for (const certificate of of(list, 'Certificate')) {
      for (const address of hosts) assert.ok(certificate.spec.dnsNames.includes(address.slice(7).split(':')[0]), address);
    }
  },
  'a ServiceMonitor sees every serving pod once'(list) {
    for (const monitor of of(list, 'ServiceMonitor')) {
      const { port } = monitor.spec.endpoints[0];
      const services = of(list, 'Service').filter((s) => matches(monitor.spec.selector, s.metadata.labels) && s.spec.ports.some((p) => p.name === port));
      for (const o of withPods(list).filter((x) => SERVING.includes(componentOf(x)))) {
        assert.equal(services.filter((s) => matches({ matchLabels: s.spec.selector }, podOf(o).metadata.labels)).length, 1, o.metadata.name);
      }
    }
  },
  'autoscalers, routes and hooks name what exists'(list) {
    for (const { spec } of of(list, 'HorizontalPodAutoscaler')) of(list, spec.scaleTargetRef.kind, spec.scaleTargetRef.name);
    for (const { spec } of of(list, 'HTTPRoute')) {
      for (const { name, port } of spec.rules.flatMap((r) => r.backendRefs)) assert.ok(of(list, 'Service', name).spec.ports.some((p) => p.port === port));
    }
    for (const { spec } of of(list, 'Ingress')) {
      for (const { backend } of spec.rules.flatMap((r) => r.http.paths)) assert.ok(of(list, 'Service', backend.service.name).spec.ports.some((p) => p.name === backend.service.port.name));
    }
    eachContainer(list, ({ args }) => {
      const url = (args ?? []).find((a) => /^http:/.test(a));
      if (!url) return;
      const { hostname, port } = new URL(url);
      assert.ok(of(list, 'Service', hostname.split('.')[0]).spec.ports.some((p) => p.port === Number(port || 80)));
    });
  },
};

for (const [name, options] of cases()) {
  const release = { name: 'signalbox', namespace: 'signalbox', ...options };
  const list = await objects(release);
  test(`objects of ${name}`, async (t) => {
    for (const [what, check] of Object.entries(INVARIANTS)) await t.test(what, () => check(list, release));
  });
}
