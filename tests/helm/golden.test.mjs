// Every case as a file: a change of the chart shows what it does to the cluster. Both versions of helm must agree.
import test from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { CHART, HELMS, HERE, cases, documents, golden, helm, render } from './chart.mjs';

// What is made by chance or belongs to other files is not compared here.
export function normalised(text) {
  return text.split(/^---\n/m).filter((part) => !/^kind: ConfigMap$/m.test(part) || !/-dashboard-/.test(part)).map((part) => {
    if (/^kind: PrometheusRule$/m.test(part)) return part.replace(/^ {2}groups:\n[^]*$/m, '  groups: [] # of files/alerts.yaml and files/recording-rules.yaml\n');
    if (/^kind: Secret$/m.test(part)) return part.replace(/^( {2}[-a-z]+): [A-Za-z0-9+/=]{40,}$/m, '$1: BY-CHANCE');
    return part;
  }).join('---\n');
}

const sorted = (text) => documents(text).map((o) => JSON.stringify(o)).sort();

for (const [name, options] of cases()) {
  test(`rendering of ${name}`, async () => {
    const [four, three] = await Promise.all(Object.keys(HELMS).map(async (version) => normalised(await render({ ...options, version }))));
    assert.deepEqual(sorted(three), sorted(four), 'helm 3 renders something else than helm 4');
    golden(join(HERE, 'golden', `${name}.yaml`), four);
  });
}

for (const version of Object.keys(HELMS)) {
  test(`lint of the chart's own values files, ${version}`, async () => {
    for (const [name, { values }] of [...cases()].filter(([n]) => n.startsWith('values'))) {
      const result = await helm(['lint', '--strict', CHART, ...values.flatMap((f) => ['--values', f])], version);
      assert.equal(result.code, 0, `${name}: ${result.stdout}${result.stderr}`);
    }
  });
}
