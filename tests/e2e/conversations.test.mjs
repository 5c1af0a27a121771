// A conversation stays at the provider that serves it, whose prompt cache knows it: with a session id, with a long opening, and
// without either from its second turn on. It leaves a provider that fails and comes to rest where it was served. What is no
// conversation is spread by price.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { TOPOLOGIES, World, sleep } from './harness.mjs';

// Equal prices: unless something keeps them together, turns are spread evenly.
const PROVIDERS = ['a', 'b', 'c', 'd'];
const FLEET = `
seed: 17
defaults: { tokens: 6 }
providers:
${PROVIDERS.map((p) => `  ${p}: { endpoints: { test/chat: { facts: { price_prompt_per_m: 1, price_completion_per_m: 1 } } } }\n`).join('')}`;

for (const topology of TOPOLOGIES) {
  describe(`conversations on ${topology}`, { concurrency: false }, () => {
    const world = new World();
    let died;
    before(async () => {
      await world.startFleet(FLEET);
      await world.startSignalbox(topology);
    });
    after(() => world.stop());

    // One turn: the provider that served it and its text.
    const turn = async (messages, members = {}, headers = {}) => {
      const response = await world.post({ model: 'test/chat', messages, ...members }, { headers });
      const answer = await response.json();
      assert.equal(response.status, 200, JSON.stringify(answer));
      return { provider: answer.provider, text: answer.choices[0].message.content };
    };
    // A conversation of n turns as a client leads it; the providers that served it.
    const converse = async (n, opening, members, headers, pauseMs = 0) => {
      const messages = [{ role: 'user', content: opening }];
      const providers = [];
      for (let i = 0; i < n; ++i) {
        const { provider, text } = await turn(messages, members, headers);
        providers.push(provider);
        messages.push({ role: 'assistant', content: text }, { role: 'user', content: `And then, ${i}?` });
        if (pauseMs) await sleep(pauseMs);
      }
      return providers;
    };
    const counter = async (name) => {
      const line = (await world.metrics()).split('\n').find((l) => l.startsWith(name));
      return line ? Number(line.split(' ').at(-1)) : 0;
    };
    const distinct = (providers) => [...new Set(providers)];

    it('identical one-turn prompts are spread', async () => {
      const providers = await Promise.all(Array.from({ length: 80 }, () => turn([{ role: 'user', content: 'Say hello.' }])));
      assert.equal(distinct(providers.map((t) => t.provider)).length, 4);
    });

    it('a session stays over many turns, with decisions reused and fresh ones', async () => {
      const fresh = await counter('signalbox_ingress_decisions_total{kind="router"}');
      const reused = await counter('signalbox_ingress_decisions_total{kind="reused"}');
      const sessions = await Promise.all(Array.from({ length: 12 }, (_, i) => converse(30, 'Say hello.', { session_id: `session ${i}` }, {}, 80)));
      for (const [i, providers] of sessions.entries()) assert.equal(distinct(providers).length, 1, `session ${i}: ${providers}`);
      assert.ok(distinct(sessions.map((p) => p[0])).length >= 2, 'sessions are spread');
      assert.ok(await counter('signalbox_ingress_decisions_total{kind="router"}') >= fresh + 2);
      assert.ok(await counter('signalbox_ingress_decisions_total{kind="reused"}') >= reused + 50);
    });

    it('x-session-id and prompt_cache_key name a conversation too; session_id wins', async () => {
      const same = { session_id: 'the same' };
      const [{ provider }] = [await turn([{ role: 'user', content: 'x' }], same)];
      for (let i = 0; i < 8; ++i) {
        assert.equal((await turn([{ role: 'user', content: `x${i}` }], same, { 'x-session-id': `other ${i}` })).provider, provider);
        assert.equal((await turn([{ role: 'user', content: `y${i}` }], {}, { 'x-session-id': 'the same' })).provider, provider);
      }
      const byKey = await Promise.all(Array.from({ length: 8 }, (_, i) => turn([{ role: 'user', content: `z${i}` }], { prompt_cache_key: 'p' })));
      assert.equal(distinct(byKey.map((t) => t.provider)).length, 1);
    });

    it('without session_id a conversation stays from its second turn on', async () => {
      for (let i = 0; i < 8; ++i) {
        const providers = await converse(8, `Opening ${i}`);
        assert.equal(distinct(providers.slice(1)).length, 1, `${i}: ${providers}`);
        assert.equal(providers[1], providers[0], 'the second turn finds the first');
      }
    });

    it('conversations that open alike do not take each other along', async () => {
      const conversations = await Promise.all(Array.from({ length: 10 }, () => converse(8, 'Hi.', {}, {}, 5)));
      for (const providers of conversations) assert.equal(distinct(providers.slice(1)).length, 1, `${providers}`);
    });

    it('a long opening has its place from the first turn', async () => {
      const places = [];
      for (let i = 0; i < 8; ++i) {
        const messages = [{ role: 'system', content: `Handbook ${i}. ${'All work and no play. '.repeat(300)}` }, { role: 'user', content: 'Begin.' }];
        const turns = await Promise.all(Array.from({ length: 6 }, () => turn(messages)));
        assert.equal(distinct(turns.map((t) => t.provider)).length, 1);
        places.push(turns[0].provider);
      }
      assert.ok(distinct(places).length >= 2, `${places}`);
    });

    it('it leaves a provider that dies, and comes to rest on the one that served', async () => {
      const session = { session_id: 'survivor' };
      const [before] = distinct(await converse(4, 'Say hello.', session));
      died = before;
      const moved = await counter('signalbox_ingress_conversations_moved_total{reason="failed"}');
      await world.setEndpoint(before, { faults: [{ kind: 'status', status: 500 }] });
      const during = await converse(8, 'Go on.', session);
      await world.setEndpoint(before, { faults: [] });
      assert.equal(distinct(during).length, 1, `${during}`);
      assert.notEqual(during[0], before);
      assert.deepEqual(distinct(await converse(6, 'Go on.', session)), [during[0]], 'it does not go back');
      assert.equal(await counter('signalbox_ingress_conversations_moved_total{reason="failed"}'), moved + 1);
    });

    it('a provider that fails hard is left after three failed attempts, and no client notices', async () => {
      const victim = PROVIDERS.find((p) => p !== died);
      await world.setEndpoint(victim, { faults: [{ kind: 'status', status: 500 }] });
      await world.fleet('reset', {});
      for (let i = 0; i < 80; ++i) await turn([{ role: 'user', content: `Question ${i}` }]);
      const stats = await world.fleet('stats');
      const find = (list, key, name) => (Array.isArray(list) ? list.find((x) => x[key] === name) : list[name]);
      const { requests } = find(find(stats.providers, 'name', victim).models, 'model', 'test/chat');
      await world.setEndpoint(victim, { faults: [] });
      assert.ok(requests >= 1 && requests <= 3, `${requests} attempts`);
    });
  });
}
