// Starting, draining, metrics, the command line.
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, TOPOLOGIES, World, parseEvents, sleep, until } from './harness.mjs';

const FLEET = `
seed: 9
defaults: { tokens: 10 }
providers:
  one: { endpoints: { test/chat: { facts: { price_prompt_per_m: 1, price_completion_per_m: 1 } } } }
  slow: { endpoints: { test/slow: { tokens: 40, tokens_per_second: 20, facts: { price_prompt_per_m: 1, price_completion_per_m: 1 } } } }
`;
const HELLO = [{ role: 'user', content: 'The canary prompt 8f3c1e must appear nowhere.' }];

for (const topology of TOPOLOGIES) {
  describe(`life cycle on ${topology}`, { concurrency: false }, () => {
    it('draining loses no request: open streams end properly, then the process exits 0', async () => {
      const world = new World();
      await world.startFleet(FLEET);
      await world.startSignalbox(topology);
      const streams = Array.from({ length: 20 }, () => world.post({ model: 'test/slow', messages: HELLO, stream: true }).then((r) => r.text()));
      await until('the streams to run', async () => JSON.stringify(await world.fleet('stats')).match(/"open": ?20/));
      world.processes[world.edge].signal('SIGTERM');
      await sleep(200);
      assert.notEqual((await fetch(`http://${world.addresses(world.edge).admin}/readyz`).catch(() => ({ status: 0 }))).status, 200);
      for (const text of await Promise.all(streams)) {
        const events = parseEvents(text);
        assert.ok(events.at(-1).done, text.slice(-300));
        assert.equal(events.filter((e) => e.json?.error).length, 0);
      }
      assert.equal((await world.processes[world.edge].exited).code, 0);
      await world.stop();
    });

    it('metrics count what happened, and no prompt or key is in any log, metric or store', async () => {
      const world = new World();
      await world.startFleet(FLEET);
      await world.startSignalbox(topology);
      for (let i = 0; i < 5; ++i) assert.equal((await world.post({ model: 'test/chat', messages: HELLO, stream: i % 2 === 0 })).status, 200);
      await world.post({ model: 'test/none', messages: HELLO });
      const everything = [];
      for (const name of world.services) everything.push(await world.metrics(name));
      const edge = await world.metrics();
      assert.match(edge, /^signalbox_ingress_requests_total\{[^}]*\} [1-9]/m);
      const adapter = topology === 'serve' ? edge : await world.metrics('provider-adapter');
      assert.match(adapter, /^signalbox_adapter_attempts_total\{[^}]*\} [1-9]/m);
      const aggregator = topology === 'serve' ? 'signalbox' : 'metrics-aggregator';
      await until('scores as gauges', async () => /test\/chat@one/.test(await world.metrics(aggregator)));
      await world.stop();
      for (const text of everything) {
        assert.ok(!text.includes('8f3c1e'), 'prompt in metrics');
        assert.ok(!text.includes(world.key.slice(9)), 'key in metrics');
      }
    });

    it('logs and store hold neither prompts nor keys', async () => {
      const world = new World();
      await world.startFleet(FLEET);
      await world.startSignalbox(topology);
      for (let i = 0; i < 3; ++i) await world.post({ model: 'test/chat', messages: HELLO });
      await world.post({ model: 'test/chat', messages: HELLO, tools: 5 });
      await sleep(1000);
      for (const name of [...world.services, 'redis']) world.processes[name].signal('SIGTERM');
      for (const name of [...world.services, 'redis']) await world.processes[name].exited;
      const files = readdirSync(world.dir, { recursive: true }).filter((f) => /\.log$|appendonly|\.aof|\.rdb/.test(f)).map((f) => join(world.dir, f));
      assert.ok(files.length > 2);
      for (const file of files) {
        if (file.includes('fleet') || !existsSync(file)) continue;
        let text;
        try { text = readFileSync(file, 'latin1'); } catch { continue; }
        assert.ok(!text.includes('8f3c1e'), `prompt in ${file}`);
        assert.ok(!text.includes(world.key), `key in ${file}`);
      }
      await world.stop();
    });
  });
}

describe('signalbox command line', () => {
  it('validates the shipped catalogue and reports bad files with path and line', async () => {
    const world = new World();
    const good = await world.cli('validate', join(ROOT, 'deploy', 'catalogue'));
    assert.equal(good.code, 0, good.err);
    assert.match(good.out, /models/);
    const compose = join(ROOT, 'deploy', 'compose');
    assert.equal((await world.cli('serve', '--check_config', '--config', join(compose, 'config', 'signalbox.yaml'))).code, 0);
    assert.equal((await world.cli('validate', join(compose, 'demo', 'catalogue.yaml'))).code, 0);
    const { writeFileSync } = await import('node:fs');
    const file = join(world.dir, 'bad.yaml');
    writeFileSync(file, 'ingress:\n  http_listen: 127.0.0.1:80\n  no_such_option: 1\n  threads: many\n');
    const bad = await world.cli('validate', file);
    assert.equal(bad.code, 64);
    assert.match(bad.err + bad.out, /bad\.yaml:3.*no_such_option/);
    assert.match(bad.err + bad.out, /bad\.yaml:4.*threads/);
    await world.stop();
  });

  it('keys: created once, listed by label, disabled', async () => {
    const world = new World();
    await world.startFleet(FLEET);
    await world.startSignalbox('serve');
    const list = await world.cli('keys', 'list', '--config', world.config);
    assert.equal(list.code, 0, list.err);
    assert.match(list.out, /e2e/);
    assert.ok(!list.out.includes(world.key));
    const hash = list.out.match(/[0-9a-f]{64}/)[0];
    const off = await world.cli('keys', 'disable', '--config', world.config, hash);
    assert.equal(off.code, 0, off.err);
    await until('the key to be refused', async () => (await world.post({ model: 'test/chat', messages: HELLO })).status === 401, 15_000);
    await world.stop();
  });

  it('explain: names every candidate and every excluded endpoint', async () => {
    const world = new World();
    await world.startFleet(FLEET);
    await world.startSignalbox('serve');
    const { code, out, err } = await world.cli('explain', '--config', world.config, 'test/chat', '--provider', '{"ignore":["slow"]}');
    assert.equal(code, 0, err);
    assert.match(out, /test\/chat@one/);
    await world.stop();
  });
});
