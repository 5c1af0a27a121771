// Routing as clients see it: price first, shortcuts, the provider object, tools by quality, live scores out of Redis.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TOPOLOGIES, World, until } from './harness.mjs';

const FLEET = `
seed: 21
defaults: { tokens: 8 }
providers:
  cheap: { endpoints: { test/chat: { facts: { price_prompt_per_m: 1, price_completion_per_m: 1, quantization: fp4 } } } }
  mid: { endpoints: { test/chat: { facts: { price_prompt_per_m: 3, price_completion_per_m: 3, quantization: fp8 } } } }
  swift: { endpoints: { test/chat: { facts: { price_prompt_per_m: 9, price_completion_per_m: 9, quantization: bf16 } } } }
  sloppy: { endpoints: { test/tools: { tool_error_rate: 0.5, facts: { price_prompt_per_m: 1, price_completion_per_m: 1 } } } }
  good-a: { endpoints: { test/tools: { facts: { price_prompt_per_m: 2, price_completion_per_m: 2 } } } }
  good-b: { endpoints: { test/tools: { facts: { price_prompt_per_m: 2, price_completion_per_m: 2 } } } }
  good-c: { endpoints: { test/tools: { facts: { price_prompt_per_m: 2, price_completion_per_m: 2 } } } }
  good-d: { endpoints: { test/tools: { facts: { price_prompt_per_m: 2, price_completion_per_m: 2 } } } }
`;
// Beside the fleet's own catalogue: two service tiers of test/chat, and a model whose licence allows distillation.
const TIERS = `
models:
- id: test/chat
  endpoints:
  - { tag: swift/flex, service_tier: flex, price: { prompt: "0.000004", completion: "0.000004" } }
  - { tag: mid/priority, service_tier: priority, price: { prompt: "0.00002", completion: "0.00002" } }
- { id: test/open, distillable: true, endpoints: [{ tag: cheap, upstream_model: test/chat, price: { prompt: "0.000001", completion: "0.000001" } }] }
`;
const HELLO = [{ role: 'user', content: 'Say hello.' }];
const TOOLS = [{ type: 'function', function: { name: 'f', parameters: { type: 'object', required: ['a'], properties: { a: { type: 'integer' } } } } }];

for (const topology of TOPOLOGIES) {
  describe(`routing on ${topology}`, { concurrency: false }, () => {
    const world = new World();
    before(async () => {
      await world.startFleet(FLEET);
      const tiers = join(world.dir, 'tiers.yaml');
      writeFileSync(tiers, TIERS);
      // Decisions of the published rule need hundreds of calls; the thresholds are lowered so that the test is short.
      await world.startSignalbox(topology, { catalogue: [tiers], sections: {
        aggregator: ['exacto: { min_requests_30m: 20, min_tool_requests_2h: 20 }'],
        ingress: ['attempts: { retry_invalid_tool_calls: false }'] } });
    });
    after(() => world.stop());

    const served = async (body) => {
      const response = await world.post({ messages: HELLO, ...body });
      const answer = await response.json();
      assert.equal(response.status, 200, JSON.stringify(answer));
      return answer.provider.toLowerCase();
    };
    const shares = async (n, body) => {
      const counts = {};
      const all = await Promise.all(Array.from({ length: n }, () => served(body)));
      for (const provider of all) counts[provider] = (counts[provider] ?? 0) + 1 / n;
      return counts;
    };

    it('price first: providers are drawn with weight 1/price²', async () => {
      const s = await shares(400, { model: 'test/chat' });
      // 1 : 1/9 : 1/81 -> 0.89, 0.10, 0.01
      assert.ok(s.cheap > 0.82 && s.cheap < 0.95, JSON.stringify(s));
      assert.ok(s.mid > 0.04 && s.mid < 0.17, JSON.stringify(s));
    });
    it(':floor takes the cheapest, sort price too', async () => {
      assert.deepEqual(await shares(20, { model: 'test/chat:floor' }), { cheap: shareOf(20) });
      assert.deepEqual(await shares(20, { model: 'test/chat', provider: { sort: 'price' } }), { cheap: shareOf(20) });
    });
    it('order, only, ignore, quantizations, max_price', async () => {
      assert.equal(await served({ model: 'test/chat', provider: { order: ['swift', 'mid'] } }), 'swift');
      assert.equal(await served({ model: 'test/chat', provider: { only: ['mid'] } }), 'mid');
      assert.equal(await served({ model: 'test/chat', provider: { ignore: ['cheap', 'swift'] } }), 'mid');
      assert.equal(await served({ model: 'test/chat', provider: { quantizations: ['bf16'] } }), 'swift');
      assert.equal(await served({ model: 'test/chat', provider: { ignore: ['cheap'], max_price: { completion: 5 } } }), 'mid');
    });
    it('no endpoint: 404 says which filter excluded what, with threshold and value', async () => {
      const response = await world.post({ model: 'test/chat', messages: HELLO, provider: { max_price: { completion: 0.5 }, quantizations: ['fp8'] } });
      assert.equal(response.status, 404);
      const text = await response.text();
      for (const word of ['cheap', 'mid', 'swift', 'max_price', 'quantizations']) assert.ok(text.includes(word), `${word} missing in ${text}`);
    });
    it('service tiers: standard unless asked for; flex alone; priority first; :floor admits flex; a tag pins', async () => {
      const endpoint = async (body) => {
        const response = await world.post({ model: 'test/chat', messages: HELLO, ...body }, { headers: { 'x-openrouter-metadata': 'enabled' } });
        const answer = await response.json();
        assert.equal(response.status, 200, JSON.stringify(answer));
        return answer.openrouter_metadata.attempts.at(-1).endpoint;
      };
      for (let i = 0; i < 10; ++i) {
        assert.equal(await endpoint({ service_tier: 'flex' }), 'test/chat@swift/flex');
        assert.equal(await endpoint({ provider: { only: ['mid'] } }), 'test/chat@mid');
      }
      for (const tier of ['priority', 'fast']) assert.equal(await endpoint({ service_tier: tier, provider: { only: ['mid'] } }), 'test/chat@mid/priority');
      assert.equal(await endpoint({ model: 'test/chat:floor', provider: { only: ['swift'] } }), 'test/chat@swift/flex');
      assert.equal(await endpoint({ provider: { only: ['swift/flex'] } }), 'test/chat@swift/flex');
    });
    it('enforce_distillable_text goes on to a model that allows it', async () => {
      const response = await world.post({ models: ['test/chat', 'test/open'], messages: HELLO, provider: { enforce_distillable_text: true } });
      assert.equal((await response.json()).model, 'test/open');
    });

    // What each filter says of the endpoint `of`: with something left to serve (metadata of the answer, `signalbox explain`) and
    // with nothing (the body of the 404).
    const FILTERS = [
      { filter: 'max_price', of: 'test/chat@mid', says: /completion price 0\.000003 > 0\.000002/, left: { provider: { max_price: { completion: 2 } } },
        none: { provider: { max_price: { completion: 2 }, ignore: ['cheap'] } } },
      { filter: 'quantizations', of: 'test/chat@mid', says: /quantization fp8 is not in \[fp4\]/, left: { provider: { quantizations: ['fp4'] } },
        none: { provider: { quantizations: ['fp4'], ignore: ['cheap'] } } },
      { filter: 'only', of: 'test/chat@mid', says: /mid is not in provider\.only/, left: { provider: { only: ['cheap'] } }, none: { provider: { only: ['nobody'] } } },
      { filter: 'ignore', of: 'test/chat@mid', says: /mid is in provider\.ignore/, left: { provider: { ignore: ['mid'] } },
        none: { provider: { ignore: ['cheap', 'mid', 'swift'] } } },
      { filter: 'order', of: 'test/chat@mid', says: /mid is not in provider\.order \[.*\]; allow_fallbacks is false/,
        left: { provider: { order: ['cheap'], allow_fallbacks: false } }, none: { provider: { order: ['nobody'], allow_fallbacks: false } } },
      { filter: 'service_tier', of: 'test/chat@mid/priority', says: /service tier priority is not in \[(default|flex)\]/, left: {},
        none: { service_tier: 'flex', provider: { ignore: ['swift'] } } },
      { filter: 'distillable', of: 'test/chat@mid', says: /test\/chat is not known to allow distillation/, models: ['test/chat', 'test/open'],
        left: { provider: { enforce_distillable_text: true } }, none: { models: ['test/chat'], provider: { enforce_distillable_text: true } } },
      { filter: 'zdr', of: 'test/chat@mid', says: /zdr is true/, none: { provider: { zdr: true } } },
    ];
    for (const { filter, of, says, left, none, models = ['test/chat'] } of FILTERS) {
      it(`${filter} is named with threshold and value wherever it excludes`, async () => {
        const refused = await world.post({ models, messages: HELLO, ...none });
        const { error } = await refused.json();
        assert.equal(refused.status, 404, JSON.stringify(error));
        const inError = error.metadata.excluded.find((e) => e.endpoint === of);
        assert.equal(inError.filter, filter);
        assert.match(inError.detail, says);
        if (!left) return;
        const served = await (await world.post({ models, messages: HELLO, ...left }, { headers: { 'x-openrouter-metadata': 'enabled' } })).json();
        const inMetadata = served.openrouter_metadata.endpoints.excluded.find((e) => e.endpoint === of);
        assert.equal(inMetadata.filter, filter);
        assert.match(inMetadata.detail, says);
        const { code, out, err } = await world.cli('explain', ...models, '--config', world.config, '--provider', JSON.stringify(left.provider ?? {}));
        assert.equal(code, 0, err);
        const line = out.split('\n').find((l) => l.includes(`${of}  ${filter}: `));
        assert.match(line ?? out, says);
      });
    }

    it(':auto is not available yet and says so', async () => {
      const response = await world.post({ model: 'test/chat:auto', messages: HELLO });
      assert.ok(response.status >= 400 && response.status < 600);
      assert.match((await response.json()).error.message, /not available/i);
    });
    it('requests with tools leave the provider whose calls break, by scores that went through Redis', async () => {
      // Measured first at pinned providers, as traffic would do over time.
      const call = (provider) => world.post({ model: 'test/tools', messages: HELLO, tools: TOOLS, tool_choice: 'required', provider: { only: [provider] } }).then((r) => r.text());
      for (const provider of ['sloppy', 'good-a', 'good-b', 'good-c', 'good-d']) await Promise.all(Array.from({ length: 40 }, () => call(provider)));
      // The good ones are found one after the other; who is known first may have all of the traffic for a second.
      await until('the tool calls to leave sloppy and to spread over good ones', async () => {
        const drawn = await shares(40, { model: 'test/tools', tools: TOOLS, tool_choice: 'required' });
        return !drawn.sloppy && Object.keys(drawn).length >= 2;
      }, 30_000);
      const plain = await shares(60, { model: 'test/tools' });
      assert.ok(plain.sloppy > 0.2, `price first without tools: ${JSON.stringify(plain)}`);
      const floor = await shares(10, { model: 'test/tools:floor', tools: TOOLS });
      assert.ok(floor.sloppy > 0.99, ':floor opts out');
    });
    it('an endpoint with an outage goes last', async () => {
      await world.setEndpoint('cheap', { faults: [{ kind: 'status', status: 500 }] });
      for (let i = 0; i < 30; ++i) await served({ model: 'test/chat' });
      await world.fleet('reset', {});
      await until('cheap to be left alone', async () => {
        await world.fleet('reset', {});
        await shares(40, { model: 'test/chat' });
        const stats = JSON.stringify(await world.fleet('stats'));
        const match = stats.match(/"name":"cheap".*?"requests":(\d+)/) ?? stats.match(/"cheap".*?"requests":(\d+)/);
        return match && Number(match[1]) <= 2;
      }, 20_000);
      await world.setEndpoint('cheap', { faults: [] });
    });
  });
}

function shareOf(n) {
  let sum = 0;
  for (let i = 0; i < n; ++i) sum += 1 / n;
  return sum;
}
