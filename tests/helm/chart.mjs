// The chart, rendered by the real helm.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import assert from 'node:assert/strict';

export const HERE = dirname(fileURLToPath(import.meta.url));
export const ROOT = resolve(HERE, '../..');
export const CHART = join(ROOT, 'deploy/helm/signalbox');
export const HELMS = { 'helm 4': join(HERE, 'node_modules/.cache/helm-4/helm/helm'), 'helm 3': join(HERE, 'node_modules/.cache/helm-3/helm/helm') };
export const KUBECTL = join(HERE, 'node_modules/.cache/helm-4/kubectl/kubectl');
export const UPDATE = process.env.SIGNALBOX_UPDATE === '1';
const BIN = process.env.SIGNALBOX_BIN ?? join(ROOT, 'build/dev/bin');

// Path of a built program, or undefined.
export function program(name) {
  const path = join(BIN, name);
  return existsSync(path) ? path : undefined;
}

export const scratch = mkdtempSync(join(tmpdir(), 'signalbox-helm-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

// Helm keeps nothing of ours in the user's folders and sees none of the user's.
const ENV = { PATH: process.env.PATH, HOME: scratch, HELM_CACHE_HOME: join(scratch, 'cache'), HELM_CONFIG_HOME: join(scratch, 'config'), HELM_DATA_HOME: join(scratch, 'data') };

// {code, stdout, stderr}
export function run(command, args, options = {}) {
  return new Promise((done) => {
    execFile(command, args, { env: ENV, maxBuffer: 64 << 20, ...options }, (error, stdout, stderr) => done({ code: error ? (error.code ?? 1) : 0, stdout, stderr }));
  });
}

export function helm(args, version = 'helm 4') {
  return run(HELMS[version], args);
}

let files = 0;
function valuesFile(values) {
  const path = join(scratch, `values-${process.pid}-${++files}.yaml`);
  writeFileSync(path, JSON.stringify(values)); // JSON is YAML, and "yes" stays a text
  return path;
}

// {code, stdout, stderr} of `helm template`. `values`: files (paths) and objects, later ones win.
export function template({ values = [], name = 'signalbox', namespace = 'signalbox', chart = CHART, version = 'helm 4', args = [] } = {}) {
  const list = values.flatMap((v) => ['--values', typeof v === 'string' ? v : valuesFile(v)]);
  return helm(['template', name, chart, '--namespace', namespace, ...list, ...args], version);
}

export async function render(options) {
  const { code, stdout, stderr } = await template(options);
  assert.equal(code, 0, stderr);
  return stdout;
}

// Every document parsed, strictly: a duplicate key is an error.
export function documents(text) {
  return parseAllDocuments(text, { version: '1.1', merge: false }).map((document) => {
    assert.deepEqual(document.errors.map(String), []);
    return document.toJS();
  }).filter((object) => object !== null);
}

export async function objects(options) {
  return documents(await render(options));
}

export const of = (list, kind, name) => {
  const found = list.filter((o) => o.kind === kind && (name === undefined || o.metadata.name === name));
  if (name === undefined) return found;
  assert.equal(found.length, 1, `${kind} ${name}: ${found.length} of them`);
  return found[0];
};

// The pod template of anything that has one.
export const podOf = (object) => object.spec?.jobTemplate?.spec.template ?? object.spec?.template;
export const withPods = (list) => list.filter((o) => podOf(o));

// signalbox.yaml as text.
export const configOf = (list) => list.find((o) => o.kind === 'ConfigMap' && o.data['signalbox.yaml']).data['signalbox.yaml'];

// name → {values, name, namespace, args}: the values files of the chart, and every file of cases/ (over those that its first line names: "# over: a.yaml").
export function cases() {
  const out = new Map();
  for (const file of ['values.yaml', 'values-all-in-one.yaml', 'values-ha.yaml']) {
    out.set(file.replace('.yaml', ''), { values: file === 'values.yaml' ? [] : [join(CHART, file)] });
  }
  for (const file of readdirSync(join(HERE, 'cases')).filter((f) => f.endsWith('.yaml')).sort()) {
    const path = join(HERE, 'cases', file);
    const head = readFileSync(path, 'utf8').split('\n');
    const option = (name) => head.map((l) => new RegExp(`^# ${name}: (.*)$`).exec(l)?.[1]).find(Boolean);
    const over = (option('over') ?? '').split(' ').filter(Boolean).map((f) => join(CHART, f));
    out.set(file.replace('.yaml', ''), { values: [...over, path], name: option('release') ?? 'signalbox', namespace: option('namespace') ?? 'signalbox' });
  }
  return out;
}

// Compares text with a file, or writes it.
export function golden(path, text) {
  if (UPDATE) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return;
  }
  assert.ok(existsSync(path), `${path} is missing; tests/helm/run.sh --update writes it`);
  assert.equal(text, readFileSync(path, 'utf8'), `${path} differs; look at the difference, then tests/helm/run.sh --update`);
}

// Runs `work` over all items, two at a time.
export async function forAll(items, work) {
  const queue = [...items];
  await Promise.all([0, 1].map(async () => {
    while (queue.length) await work(queue.shift());
  }));
}
