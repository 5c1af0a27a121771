// Every object of every case and of k8s/ against the schemas of the Kubernetes API, at the oldest version that the chart supports and at a current one: values by
// the packages' validators, unknown fields by the type checker, which refuses what a type does not name.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { HERE, ROOT, cases, documents, objects, run } from './chart.mjs';

const require = createRequire(import.meta.url);
const CUSTOM = { 'monitoring.coreos.com': '@kubernetes-models/prometheus-operator', 'cert-manager.io': '@kubernetes-models/cert-manager', 'gateway.networking.k8s.io': '@kubernetes-models/gateway-api' };
const CORE = { 'Kubernetes 1.27': 'kubernetes-models-1.27', 'current Kubernetes': 'kubernetes-models' };

const moduleOf = (apiVersion, core) => {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  return [CUSTOM[group] ?? core, ...(group ? [group] : []), version].join('/');
};

// Text → where it was found: the same object in several cases is judged once.
async function everything() {
  const found = new Map();
  const add = (where, list) => list.forEach((o) => found.set(JSON.stringify(o), `${where}: ${o.kind} ${o.metadata.name}`));
  for (const [name, options] of cases()) add(name, await objects(options));
  for (const file of readdirSync(join(ROOT, 'k8s')).filter((f) => f.endsWith('.yaml'))) add(file, documents(readFileSync(join(ROOT, 'k8s', file), 'utf8')));
  return [...found].map(([text, where]) => ({ where, object: JSON.parse(text) }));
}

async function faultsOfValues(list, core) {
  const faults = [];
  for (const { where, object } of list) {
    const { [object.kind]: Model } = await import(`${moduleOf(object.apiVersion, core)}/${object.kind}`);
    assert.ok(Model, `${where}: ${object.apiVersion} ${object.kind} is unknown`);
    try {
      new Model(object).validate();
    } catch (error) {
      faults.push(`${where}: ${error.message}`);
    }
  }
  return faults;
}

// A TypeScript file beside the packages, compiled without output.
async function faultsOfFields(list, core) {
  const imports = new Map();
  const lines = [];
  const wheres = [];
  for (const { where, object } of list) {
    const path = moduleOf(object.apiVersion, core);
    const type = `${object.kind}_${path.replace(/\W/g, '_')}`;
    imports.set(type, `import type { I${object.kind} as ${type} } from '${path}/${object.kind}';`);
    lines.push(`export const o${lines.length}: ${type} = ${JSON.stringify(object)};`);
    wheres.push(where);
  }
  const folder = join(HERE, 'node_modules/.cache');
  const file = join(folder, `objects-${core.replace(/\W/g, '_')}.ts`);
  writeFileSync(file, [...imports.values(), ...lines].join('\n') + '\n');
  const { stdout } = await run(process.execPath, [require.resolve('typescript/lib/tsc.js'), '--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--module', 'esnext',
    '--moduleResolution', 'bundler', file]);
  return stdout.split('\n').filter(Boolean).map((line) => {
    const number = Number(/\((\d+),/.exec(line)?.[1]) - 1 - imports.size;
    return wheres[number] ? `${wheres[number]}: ${line.replace(/^[^:]*: /, '').slice(0, 400)}` : line;
  });
}

const list = await everything();
for (const [version, core] of Object.entries(CORE)) {
  test(`${list.length} objects hold values that ${version} takes`, async () => assert.deepEqual(await faultsOfValues(list, core), []));
  test(`… and no field that it does not know (${version})`, async () => assert.deepEqual(await faultsOfFields(list, core), []));
}

test('the checks bite', async () => {
  const one = (kind) => structuredClone(list.find(({ object }) => object.kind === kind));
  const deployment = one('Deployment');
  deployment.object.spec.template.spec.containers[0].imagePullPolice = 'Always';
  const monitor = one('ServiceMonitor');
  monitor.object.spec.endpoints[0].intervall = '15s';
  const policy = one('NetworkPolicy');
  policy.object.spec.policyTypes = ['Egres'];
  const faults = await faultsOfFields([deployment, monitor, policy], CORE['current Kubernetes']);
  assert.equal(faults.length, 3, faults.join('\n'));
  assert.match(faults[0], /imagePullPolice/);
  assert.match(faults[1], /intervall/);
  const budget = one('PodDisruptionBudget');
  budget.object.spec.unhealthyPodEvictionPolicy = 7;
  delete deployment.object.spec.selector;
  assert.equal((await faultsOfValues([deployment], CORE['current Kubernetes'])).length, 1);
  assert.equal((await faultsOfValues([budget], CORE['Kubernetes 1.27'])).length, 1);
});
