// Routing as clients see it: price first, shortcuts, the provider object, tools by quality, live scores out of Redis.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
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
const HELLO = [{ role: 'user', content: 'Say hello.' }];
const TOOLS = [{ type: 'function', function: { name: 'f', parameters: { type: 'object', required: ['a'], properties: { a: { type: 'integer' } } } } }];

for (const topology of TOPOLOGIES) {
  describe(`routing on ${topology}`, { concurrency: false }, () => {
    const world = new World();
    before(async () => {
      await world.startFleet(FLEET);
      // Decisions of the published rule need hundreds of calls; the thresholds are lowered so that the test is short.
      await world.startSignalbox(topology, { sections: {
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
    it(':auto is not available yet and says so', async () => {
      const response = await world.post({ model: 'test/chat:auto', messages: HELLO });
      assert.ok(response.status >= 400 && response.status < 600);
      assert.match((await response.json()).error.message, /not available/i);
    });
    it('requests with tools leave the provider whose calls break, by scores that went through Redis', async () => {
      // Measured first at pinned providers, as traffic would do over time.
      const call = (provider) => world.post({ model: 'test/tools', messages: HELLO, tools: TOOLS, tool_choice: 'required', provider: { only: [provider] } }).then((r) => r.text());
      for (const provider of ['sloppy', 'good-a', 'good-b', 'good-c', 'good-d']) await Promise.all(Array.from({ length: 40 }, () => call(provider)));
      const first = await until('sloppy to be deprioritised', async () => {
        const s = await shares(40, { model: 'test/tools', tools: TOOLS, tool_choice: 'required' });
        return !s.sloppy && s;
      }, 30_000);
      assert.ok(Object.keys(first).length >= 2, JSON.stringify(first));
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
