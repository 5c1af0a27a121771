// What has the right shape and cannot work is refused with a sentence that says what to change; what looks alike and can, is not.
import test from 'node:test';
import assert from 'node:assert/strict';
import { forAll, template } from './chart.mjs';

const external = (scores, more = {}) => ({ bundled: { enabled: false }, external: { scores: { existingSecret: 'p', ...scores }, ...more } });
const REFUSED = [
  [{ ingress: { autoscaling: { enabled: true, minReplicas: 5, maxReplicas: 3 } } }, 'ingress.autoscaling: minReplicas (5) is more than maxReplicas (3)'],
  [{ routerDecision: { autoscaling: { enabled: true, metric: 'inFlight' } } }, 'routerDecision.autoscaling.metric: only ingress and providerAdapter'],
  [{ defaults: { autoscaling: { enabled: true, metric: 'inFlight' } } }, 'metricsAggregator.autoscaling.metric: only ingress'],
  [{ routerDecision: { autoscaling: { enabled: true }, resources: { requests: { cpu: null } } } }, 'routerDecision.autoscaling: a share of the requested CPU needs'],
  [{ ingress: { podDisruptionBudget: { minAvailable: 1, maxUnavailable: 1 } } }, 'ingress.podDisruptionBudget: minAvailable and maxUnavailable exclude each other'],
  [{ ingress: { podDisruptionBudget: { minAvailable: 0, maxUnavailable: 0 } } }, 'ingress.podDisruptionBudget: minAvailable and maxUnavailable exclude each other'],
  [{ ingress: { rollout: { maxSurge: 0 } } }, 'ingress.rollout: maxSurge and maxUnavailable are both 0'],
  [{ ingress: { rollout: { maxSurge: '0%' } } }, 'ingress.rollout: maxSurge and maxUnavailable are both 0'],
  [{ providerAdapter: { terminationGracePeriodSeconds: 639 } }, 'providerAdapter.terminationGracePeriodSeconds: 639 s is less than drain.notice + drain.timeout + 30 s = 640 s'],
  [{ drain: { timeout: '1h' }, defaults: { terminationGracePeriodSeconds: 640 } }, '640 s is less than drain.notice + drain.timeout + 30 s = 3640 s'],
  [{ mode: 'all-in-one', allInOne: { replicas: 2 } }, 'allInOne.replicas: one at most'],
  [{ mode: 'all-in-one', defaults: { replicas: 3 } }, 'allInOne.replicas: one at most'],
  [{ mode: 'all-in-one', defaults: { autoscaling: { enabled: true } } }, 'allInOne.autoscaling: mode all-in-one has one pod'],
  [{ redis: { external: { scores: { address: 'r:6379', existingSecret: 'p' } } } }, 'redis: redis.external is set and redis.bundled.enabled is true'],
  [{ redis: { bundled: { enabled: false } } }, 'redis: no Redis'],
  [{ redis: external({}, { money: { address: 'r:6379', existingSecret: 'p' } }) }, 'redis.external.money is set without redis.external.scores'],
  [{ redis: external({ address: 'r:6379', sentinel: { masterName: 'm', addresses: ['s:26379'] } }) }, 'redis.external.scores: address and sentinel exclude each other'],
  [{ redis: external({ sentinel: { masterName: 'm' } }) }, 'redis.external.scores.sentinel: masterName and addresses belong together'],
  [{ redis: external({ sentinel: { addresses: ['s:26379'] } }) }, 'redis.external.scores.sentinel: masterName and addresses belong together'],
  [{ redis: external({ address: 'r:6379', existingSecret: '' }) }, 'redis.external.scores.existingSecret: name a Secret with the password'],
  [{ redis: external({ address: 'r:6379' }, { money: { address: 'm:6379' } }) }, 'redis.external.money.existingSecret: name a Secret with the password'],
  [{ redis: external({ address: 'r:6379', tls: { enabled: true, existingSecret: 't', certKey: 'a' } }) }, 'redis.external.scores.tls: a client certificate needs'],
  [{ redis: external({ address: 'r:6379', tls: { enabled: true, certKey: 'a', keyKey: 'b' } }) }, 'redis.external.scores.tls: a client certificate needs'],
  [{ redis: external({ address: 'r:6379', tls: { existingSecret: 't' } }) }, 'redis.external.scores.tls: existingSecret is set and enabled is false'],
  [{ redis: external({ address: 'r:6379' }), networkPolicy: { redis: { to: [] } } }, 'networkPolicy.redis.to: say where the external Redis is'],
  [{ tls: { enabled: true } }, 'tls: enabled without a certificate'],
  [{ tls: { enabled: true, existingSecret: 't', certManager: { enabled: true, issuerRef: { name: 'i' } } } }, 'tls: existingSecret and certManager.enabled exclude each other'],
  [{ tls: { certManager: { enabled: true, issuerRef: { name: 'i' } } } }, 'tls.certManager.enabled is true and tls.enabled false'],
  [{ tls: { enabled: true, certManager: { enabled: true } } }, 'tls.certManager.issuerRef.name: which issuer?'],
  [{ demo: { enabled: true }, catalogue: { files: { 'demo-fleet.yaml': 'providers: []' } } }, 'catalogue.files: demo-fleet.yaml is the name of the simulated providers'],
  [{ catalogue: { files: { 'mine.yml': 'providers: []' } } }, 'catalogue.files: "mine.yml" is no file name ending in .yaml'],
  [{ catalogue: { shipped: false } }, 'catalogue: no catalogue at all'],
  [{ expose: { httpRoute: { enabled: true } } }, 'expose.httpRoute.parentRefs: which Gateway?'],
  [{ service: { loadBalancerSourceRanges: ['10.0.0.0/8'] } }, 'service: loadBalancerClass and loadBalancerSourceRanges are for type LoadBalancer'],
  [{ service: { nodePort: 30080 } }, 'service: nodePort and externalTrafficPolicy are for types'],
  [{ benchmark: { enabled: true, models: ['all'] } }, 'benchmark.existingSecret: name a Secret'],
  [{ benchmark: { enabled: true, existingSecret: 'k' } }, 'benchmark.models: which?'],
  [{ mode: 'all-in-one', benchmark: { enabled: true, existingSecret: 'k', models: ['all'] } }, 'benchmark: in mode all-in-one its results have nowhere to go'],
  ...['host.listen', 'host.admin', 'host.addresses_file', 'host.drain_notice', 'host.drain_timeout', 'host.secrets_dir', 'host.tls', 'catalogue', 'ingress.http_listen',
    'ingress.router_address', 'ingress.adapter_address', 'router.adapter_address', 'adapter.aggregator_address', 'serve', 'serve.data_dir', 'redis.scores.address',
    'redis.scores.password', 'redis.scores.sentinel', 'redis.money.tls', 'redis.scores.replicas'].map((path) => {
    const config = {};
    const parts = path.split('.');
    parts.reduce((node, part, i) => (node[part] = i === parts.length - 1 ? 'x' : {}), config);
    return [{ config }, `config.${path.startsWith('serve') ? 'serve' : path} belongs to `];
  }),
  [{ config: { redis: { money: { command_timeout: '1s' } } } }, 'config.redis.money: there is no such instance of its own'],
  [{ config: { ingress: { attempts: { total_timeout: '20m' } } } }, 'config.ingress.attempts.total_timeout: a request may take 20m and a pod drains for 600s only'],
  [{ config: { adapter: { total_timeout: '601s' } } }, 'config.adapter.total_timeout: a request may take 601s'],
];

test(`${REFUSED.length} impossible combinations are refused`, () => forAll(REFUSED, async ([values, message]) => {
  const { code, stderr } = await template({ values: [values] });
  assert.notEqual(code, 0, `was taken: ${JSON.stringify(values)}`);
  assert.match(stderr, /these values cannot work/);
  assert.ok(stderr.includes(message), `${JSON.stringify(values)}: expected "${message}" in\n${stderr}`);
}));

const TAKEN = [
  { ingress: { autoscaling: { enabled: true, minReplicas: 3, maxReplicas: 3 } } },
  { ingress: { autoscaling: { minReplicas: 5, maxReplicas: 3 } } }, // off
  { ingress: { podDisruptionBudget: { minAvailable: 1 } } },
  { providerAdapter: { terminationGracePeriodSeconds: 640 } },
  { mode: 'all-in-one' },
  { mode: 'all-in-one', redis: external({ address: 'r:6379' }) },
  { mode: 'all-in-one', redis: { external: { scores: { address: 'r:6379', existingSecret: 'p' } } } },
  { mode: 'all-in-one', ingress: { autoscaling: { enabled: true, minReplicas: 9, maxReplicas: 1 } } }, // not of this mode
  { redis: { allowInsecure: true, bundled: { enabled: false }, external: { scores: { address: 'r:6379' } } } },
  { redis: external({ sentinel: { masterName: 'm', addresses: ['s:26379'] } }) },
  { config: { redis: { scores: { command_timeout: '1s' }, prefix: 'x:' } } },
  { config: { ingress: { attempts: { total_timeout: '10m' } }, adapter: { total_timeout: '600s' } } },
  { config: { ingress: { attempts: { total_timeout: '20m' } } }, drain: { timeout: '20m' } },
];
test('… and what can work is taken', () => forAll(TAKEN, async (values) => {
  const { code, stderr } = await template({ values: [values] });
  assert.equal(code, 0, `${JSON.stringify(values)}: ${stderr}`);
}));

test('all errors are told at once', async () => {
  const { stderr } = await template({ values: [{ tls: { enabled: true }, redis: { bundled: { enabled: false } }, catalogue: { shipped: false } }] });
  assert.equal(stderr.match(/^- /gm)?.length, 3, stderr);
});
