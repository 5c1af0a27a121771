// k8s/ is what the chart renders for people without Helm.
import test from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HERE, KUBECTL, ROOT, documents, golden, of, podOf, render, run, scratch, withPods } from './chart.mjs';

const FILES = readdirSync(join(HERE, 'plain')).filter((f) => f.endsWith('.yaml')).sort();
const HEAD = (file) => `# Written by tests/helm/run.sh --update from the Helm chart and tests/helm/plain/${file}: change those. README.md says how to use it.
apiVersion: v1
kind: Namespace
metadata:
  name: signalbox
  labels:
    app.kubernetes.io/part-of: signalbox
    # The pods keep to the strictest standard.
    pod-security.kubernetes.io/enforce: restricted
`;

// Without what only Helm reads.
const plain = (text) => text.replace(/^# Source: .*\n/gm, '').replace(/^ *helm\.sh\/chart: .*\n/gm, '').replace(/^( *app\.kubernetes\.io\/managed-by): Helm$/gm, '$1: manifest');
const rendered = new Map();
for (const file of FILES) rendered.set(file, HEAD(file) + plain(await render({ values: [join(HERE, 'plain', file)], args: ['--no-hooks'] })));

for (const [file, text] of rendered) {
  test(`k8s/${file} is in step with the chart`, () => golden(join(ROOT, 'k8s', file), text));
  test(`k8s/${file} holds no Secret and nothing of Helm`, () => {
    const list = documents(text);
    assert.deepEqual(of(list, 'Secret'), []);
    assert.doesNotMatch(text.replace(/^#.*\n/, ''), /helm/i);
    for (const o of list) assert.equal(o.kind === 'Namespace' ? o.metadata.name : o.metadata.namespace, 'signalbox');
  });
  test(`k8s/${file} takes an image of one's own by kubectl kustomize, as k8s/README.md shows`, async () => {
    const folder = join(scratch, `kustomize-${file}`);
    mkdirSync(folder);
    writeFileSync(join(folder, file), text);
    const name = file === 'all-in-one.yaml' ? 'signalbox/signalbox-all-in-one' : 'signalbox/signalbox';
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify({ resources: [file], images: [{ name, newName: 'registry.example.com/signalbox', newTag: '9' }] }));
    const { code, stdout, stderr } = await run(KUBECTL, ['kustomize', folder]);
    assert.equal(code, 0, stderr);
    const list = documents(stdout);
    assert.equal(list.length, documents(text).length);
    const images = withPods(list).flatMap((o) => podOf(o).spec.containers.map((c) => c.image)).filter((i) => !i.includes('redis:'));
    assert.deepEqual([...new Set(images)], ['registry.example.com/signalbox:9']);
  });
}

test('k8s/ holds nothing else', () => assert.deepEqual(readdirSync(join(ROOT, 'k8s')).sort(), ['README.md', ...FILES].sort()));
