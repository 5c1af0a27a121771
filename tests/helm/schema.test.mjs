// Bad shapes of values are refused by values.schema.json, naming the key.
import test from 'node:test';
import assert from 'node:assert/strict';
import { forAll, template, HELMS } from './chart.mjs';

const BAD = [
  ['a key at the top', { replicaCount: 3 }, /replicaCount/],
  ['a key of a component', { ingress: { replica: 3 } }, /replica/],
  ['a key of the defaults', { defaults: { podLables: {} } }, /podLables/],
  ['a key far down', { redis: { external: { scores: { sentinel: { tls: { caFile: 'x' } } } } } }, /caFile/],
  ['a key of the instance whose default is empty', { redis: { external: { money: { adress: 'x:1' } } } }, /adress/],
  ['an autoscaler for one pod', { allInOne: { autoscaling: { enabled: true } } }, /autoscaling/],
  ['a disruption budget for one pod', { allInOne: { podDisruptionBudget: { enabled: true } } }, /podDisruptionBudget/],
  ['persistence of a stateless component', { ingress: { persistence: { enabled: true } } }, /persistence/],
  ['an unknown mode', { mode: 'monolith' }, /mode/],
  ['a duration without a unit', { drain: { timeout: '600' } }, /timeout/],
  ['a duration as a number', { drain: { timeout: 600 } }, /timeout/],
  ['a duration of words', { drain: { notice: 'ten seconds' } }, /notice/],
  ['a compound duration', { drain: { notice: '1m30s' } }, /notice/],
  ['an interval', { monitoring: { serviceMonitor: { interval: '15' } } }, /interval/],
  ['a size of no unit that exists', { redis: { bundled: { persistence: { size: '8GB' } } } }, /size/],
  ['a number as a text', { ingress: { replicas: '3' } }, /replicas/],
  ['a negative number', { ingress: { replicas: -1 } }, /replicas/],
  ['a text as a switch', { demo: { enabled: 'yes' } }, /enabled/],
  ['a text as a list', { image: { pullSecrets: 'registry' } }, /pullSecrets/],
  ['a list of objects as pull secrets', { image: { pullSecrets: [{ name: 'registry' }] } }, /pullSecrets/],
  ['a port that is none', { service: { port: 70000 } }, /port/],
  ['a port by name', { networkPolicy: { providers: { ports: ['https'] } } }, /ports/],
  ['a digest that is none', { image: { digest: 'sha256:abc' } }, /digest/],
  ['a registry with its scheme', { image: { registry: 'https://registry.example.com' } }, /registry/],
  ['an unknown type of Service', { service: { type: 'ExternalName' } }, /type/],
  ['an unknown traffic policy', { service: { externalTrafficPolicy: 'local' } }, /externalTrafficPolicy/],
  ['an unknown metric', { ingress: { autoscaling: { metric: 'rps' } } }, /metric/],
  ['an unknown eviction policy', { defaults: { podDisruptionBudget: { unhealthyPodEvictionPolicy: 'Never' } } }, /unhealthyPodEvictionPolicy/],
  ['a spread that is no word of Kubernetes', { defaults: { topologySpread: { whenUnsatisfiable: 'Sometimes' } } }, /whenUnsatisfiable/],
  ['a pull policy', { image: { pullPolicy: 'Sometimes' } }, /pullPolicy/],
  ['a password in the values', { redis: { external: { scores: { address: 'r:6379', password: 'secret' } } } }, /password/],
  ['a provider key in the values', { providers: { keys: { OPENAI_API_KEY: 'sk' } } }, /keys/],
  ['a client key in the values', { benchmark: { key: 'sk' } }, /key/],
  ['labels that are no text', { commonLabels: { version: 2 } }, /commonLabels/],
  ['a configuration that is a text', { config: 'host: {}' }, /config/],
  ['a catalogue file that is no text', { catalogue: { files: { 'a.yaml': { providers: [] } } } }, /files/],
];

for (const version of Object.keys(HELMS)) {
  test(`${BAD.length} bad shapes are refused, ${version}`, () => forAll(BAD, async ([what, values, message]) => {
    const { code, stderr } = await template({ values: [values], version });
    assert.notEqual(code, 0, `${what}: was taken`);
    assert.match(stderr, /values don't meet the specifications of the schema/, what);
    assert.match(stderr, message, what);
  }));
}

test('null takes a default away, and a parent chart may have globals', async () => {
  const { code, stderr } = await template({ values: [{ defaults: { dnsConfig: null, resources: { limits: null } }, global: { imageRegistry: 'x' } }] });
  assert.equal(code, 0, stderr);
});
