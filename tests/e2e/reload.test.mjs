// What changes while the processes run: policy, catalogue and provider keys need no restart; what does says so.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TOPOLOGIES, World, until } from './harness.mjs';

const FLEET = `
seed: 33
defaults: { tokens: 4 }
providers:
  cheap: { endpoints: { test/chat: { facts: { price_prompt_per_m: 1, price_completion_per_m: 1 } } } }
  dear: { endpoints: { test/chat: { facts: { price_prompt_per_m: 9, price_completion_per_m: 9 } } } }
  locked: { require_key: sk-two, endpoints: { test/locked: { facts: { price_prompt_per_m: 1, price_completion_per_m: 1 } } } }
`;
const HELLO = [{ role: 'user', content: 'Say hello.' }];

for (const topology of TOPOLOGIES) {
  describe(`reload on ${topology}`, { concurrency: false }, () => {
    const world = new World();
    let secrets;
    // As kubelet does it: moved into place.
    const write = (path, text) => {
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    };
    const rewrite = (from, to) => {
      const before = readFileSync(world.config, 'utf8');
      assert.ok(before.includes(from), `${from} in the configuration`);
      write(world.config, before.replace(from, to));
      for (const name of world.services) world.processes[name].signal('SIGHUP');
    };
    const router = () => (topology === 'serve' ? 'signalbox' : 'router-decision');
    const adapter = () => (topology === 'serve' ? 'signalbox' : 'provider-adapter');
    const value = async (name, series) => Number((await world.metrics(name)).split('\n').find((line) => line.startsWith(`${series} `))?.split(' ')[1]);
    const configz = async (name) => (await fetch(`http://${world.addresses(name).admin}/configz`)).text();
    const shareOfDear = async () => {
      const answers = await Promise.all(Array.from({ length: 60 }, async () => (await (await world.post({ model: 'test/chat', messages: HELLO })).json()).provider));
      return answers.filter((provider) => /dear/i.test(provider)).length / 60;
    };

    before(async () => {
      await world.startFleet(FLEET);
      secrets = join(world.dir, 'secrets');
      mkdirSync(secrets);
      writeFileSync(join(secrets, 'FLEET_KEY'), 'sk-one\n');
      await world.startSignalbox(topology, { sections: { host: [`secrets_dir: ${secrets}`], router: ['policy: { price_exponent: 4 }'] } });
    });
    after(() => world.stop());

    it('policy: from the next decision on, without a failed request', async () => {
      assert.ok(await shareOfDear() < 0.1);
      rewrite('price_exponent: 4', 'price_exponent: 0');
      await until('the new policy to draw evenly', async () => await shareOfDear() > 0.3);
      assert.match(await configz(router()), /price_exponent: 0/);
      assert.equal(await value(router(), 'signalbox_config_restart_needed'), 0);
    });

    it('a file with an error changes nothing, and says so', async () => {
      rewrite('price_exponent: 0', 'price_exponent: -7');
      await until('the error to show', async () => await value(router(), 'signalbox_config_stale{kind="config"}') === 1);
      assert.match(await configz(router()), /price_exponent: 0/);
      assert.ok(await shareOfDear() > 0.2);
      rewrite('price_exponent: -7', 'price_exponent: 0');
      await until('the error to be gone', async () => await value(router(), 'signalbox_config_stale{kind="config"}') === 0);
    });

    it('what is read at the start only is told of, and waits', async () => {
      rewrite(`http_listen: 127.0.0.1:${world.port}`, `http_listen: 127.0.0.1:${world.port}\n  markup_basis_points: 900`);
      for (const name of world.services) await until(`${name} to say it`, async () => await value(name, 'signalbox_config_restart_needed') === 1);
      assert.equal((await world.post({ model: 'test/chat', messages: HELLO })).status, 200);
    });

    it("a provider's key is a file that may be replaced", async () => {
      const ask = async () => (await world.post({ model: 'test/locked', messages: HELLO })).status;
      assert.notEqual(await ask(), 200);  // sk-one is refused, and the provider left alone
      write(join(secrets, 'FLEET_KEY'), 'sk-two\n');
      await until('the new key to be used', async () => await ask() === 200);
      assert.equal(await value(adapter(), 'signalbox_adapter_key_quarantined{provider="locked"}'), 0);
      for (const name of world.services) assert.ok(!(await configz(name)).includes('sk-two'));
    });

    it('explain sees the providers as the running service does', async () => {
      const { code, out, err } = await world.cli('explain', 'test/locked', '--config', world.config);
      assert.equal(code, 0, err);
      assert.match(out, /^test\/locked@locked +100/m);
    });

    it('catalogue: a new price is charged, a model that is gone is unknown', async () => {
      const catalogue = join(world.dir, 'fleet-catalogue.yaml');
      const cost = async () => (await (await world.post({ model: 'test/chat', messages: HELLO, provider: { only: ['cheap'] } })).json()).usage.cost;
      const before = await cost();
      const text = readFileSync(catalogue, 'utf8').replaceAll('"0.000001"', '"0.000003"');
      write(catalogue, text.replace('id: "test/locked"', 'id: "test/renamed"'));
      for (const name of world.services) world.processes[name].signal('SIGHUP');
      await until('the old name to be gone', async () => (await world.post({ model: 'test/locked', messages: HELLO })).status === 400);
      await until('the new price', async () => Math.abs(await cost() / before - 3) < 1e-6);
    });

    it('smoke: one request through all of it, and its key is gone after', async () => {
      const good = await world.cli('smoke', '--config', world.config, '--url', world.url, '--model', 'test/chat');
      assert.equal(good.code, 0, good.err);
      assert.match(good.out, /cost {6}[\d.e-]+ USD/);
      const bad = await world.cli('smoke', '--config', world.config, '--url', world.url, '--model', 'test/none');
      assert.equal(bad.code, 1);
      assert.match(bad.err, /HTTP 400.*no model/);
      assert.ok(!(await world.cli('keys', 'list', '--config', world.config)).out.includes('smoke'));
    });
  });
}
