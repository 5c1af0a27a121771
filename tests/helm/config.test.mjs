// The rendered signalbox.yaml of every case, with its catalogue, is taken by the program itself.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHART, ROOT, cases, configOf, golden, objects, of, program, run, scratch } from './chart.mjs';

const signalbox = program('signalbox');
const fleet = program('provider-fleet');

// The files of the release as pods see them, at paths of this machine.
function lay(name, list) {
  const folder = join(scratch, `config-${name}`);
  mkdirSync(join(folder, 'catalogue'), { recursive: true });
  for (const map of of(list, 'ConfigMap').filter((m) => /-catalogue$/.test(m.metadata.name))) {
    for (const [file, text] of Object.entries(map.data)) writeFileSync(join(folder, 'catalogue', file), text);
  }
  const config = join(folder, 'signalbox.yaml');
  writeFileSync(config, configOf(list).replaceAll('/usr/share/signalbox/catalogue', join(ROOT, 'deploy/catalogue')).replaceAll('/etc/signalbox/catalogue', join(folder, 'catalogue')));
  return config;
}

for (const [name, options] of cases()) {
  test(`signalbox validate: ${name}`, { skip: signalbox ? false : 'build/dev/bin/signalbox is not built' }, async () => {
    const { code, stdout, stderr } = await run(signalbox, ['validate', lay(name, await objects(options))]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /the configuration is good/);
    assert.match(stdout, /catalogue: [1-9]\d* providers/);
  });
}

test('the catalogue of the simulated providers is what they say of themselves', { skip: fleet ? false : 'build/dev/bin/provider-fleet is not built' }, async () => {
  const out = join(scratch, 'fleet.yaml');
  const config = join(CHART, 'files/demo/fleet.yaml');
  const child = spawn(fleet, ['--config', config, '--listen', '127.0.0.1:0', '--emit-catalogue', out], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  child.kill('SIGTERM');
  await once(child, 'exit');
  const { port } = JSON.parse(line);
  const text = readFileSync(out, 'utf8').replace(/^#.*\n/, '').replaceAll(`http://127.0.0.1:${port}/`, 'http://fleet.invalid:8080/').replaceAll(/http:\/\/127\.0\.0\.1:\d+\//g, 'http://fleet.invalid:8081/');
  golden(join(CHART, 'files/demo/catalogue.yaml'),
    `# Written by provider-fleet --emit-catalogue from fleet.yaml; the chart puts its Service in the place of fleet.invalid, and nobody listens on port 8081.\n${text}`);
});

test('the simulated providers are those of ./dev up', () => golden(join(CHART, 'files/demo/fleet.yaml'), readFileSync(join(ROOT, 'tests/provider-fleet/demo.yaml'), 'utf8')));

// --- the scripts of the bundled Redis, run by a real one -----------------------------------------------------------------
const hasRedis = await new Promise((done) => execFile('redis-server', ['--version'], (error) => done(!error)));

test('the bundled Redis starts, wants the password, whatever is in it, and keeps its data', { skip: hasRedis ? false : 'redis-server is not installed' }, async () => {
  const folder = join(scratch, 'redis');
  for (const sub of ['data', 'run', 'secret', 'etc']) mkdirSync(join(folder, sub), { recursive: true });
  const password = 'a "quoted" \\ $(word) #1';
  writeFileSync(join(folder, 'secret/password'), password);
  const { data } = of(await objects(), 'ConfigMap', 'signalbox-redis');
  const port = 20000 + Math.floor(Math.random() * 20000);
  for (const [file, text] of Object.entries(data)) {
    writeFileSync(join(folder, 'etc', file), text.replaceAll('/run/secrets/redis', join(folder, 'secret')).replaceAll('/run/redis', join(folder, 'run')).replaceAll('/etc/redis', join(folder, 'etc'))
      .replaceAll('dir /data', `dir ${join(folder, 'data')}`).replaceAll('port 6379', `port ${port}`).replaceAll('redis-cli', `redis-cli -p ${port}`).replaceAll('bind * -::*', 'bind 127.0.0.1'));
  }
  const start = async () => {
    const child = spawn('sh', [join(folder, 'etc/start.sh')], { stdio: 'ignore' });
    for (let i = 0; i < 100; ++i) {
      if ((await run('sh', [join(folder, 'etc/ready.sh')])).code === 0) return child;
      await new Promise((go) => setTimeout(go, 50));
    }
    child.kill('SIGKILL');
    throw new Error('the bundled Redis did not become ready');
  };
  const stop = async (child) => {
    child.kill('SIGTERM');
    await once(child, 'exit');
  };
  const cli = (args, env = {}) => run('redis-cli', ['-p', String(port), ...args], { env: { PATH: process.env.PATH, ...env } });
  let child = await start();
  assert.match((await cli(['get', 'x'])).stdout, /NOAUTH/);
  assert.match((await cli(['get', 'x'], { REDISCLI_AUTH: 'wrong' })).stdout + (await cli(['get', 'x'], { REDISCLI_AUTH: 'wrong' })).stderr, /WRONGPASS|NOAUTH/);
  assert.match((await cli(['set', 'x', '1'], { REDISCLI_AUTH: password })).stdout, /OK/);
  assert.doesNotMatch(readFileSync(`/proc/${child.pid}/cmdline`, 'utf8') + readFileSync(join(folder, 'run/access.conf'), 'utf8'), /quoted/);
  await stop(child);
  child = await start();
  assert.match((await cli(['get', 'x'], { REDISCLI_AUTH: password })).stdout, /1/);
  await stop(child);
});
