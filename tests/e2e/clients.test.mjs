// The official clients, unmodified, against both topologies: what an application that changes only its base URL relies on.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import OpenAI6 from 'openai-6';
import { OpenRouter } from '@openrouter/sdk';
import { TOPOLOGIES, World, parseEvents, until } from './harness.mjs';

const FLEET = `
seed: 7
defaults: { tokens: 30 }
providers:
  alpha:
    endpoints:
      test/chat: { facts: { price_prompt_per_m: 1, price_completion_per_m: 2, quantization: bf16 } }
  beta:
    endpoints:
      test/chat: { facts: { price_prompt_per_m: 2, price_completion_per_m: 4, quantization: fp8 } }
  claude-house:
    dialect: anthropic
    endpoints:
      test/claude: { reasoning_tokens: 5, facts: { price_prompt_per_m: 3, price_completion_per_m: 15 } }
`;

const WEATHER = {
  type: 'function',
  function: {
    name: 'get_weather', description: 'Weather of a city.',
    parameters: { type: 'object', additionalProperties: false, required: ['city', 'unit'],
      properties: { city: { type: 'string' }, unit: { enum: ['celsius', 'fahrenheit'] }, days: { type: 'integer', minimum: 1, maximum: 7 } } },
  },
};
const HELLO = [{ role: 'user', content: 'Say hello.' }];

for (const topology of TOPOLOGIES) {
  describe(`official clients on ${topology}`, { concurrency: false }, () => {
    const world = new World();
    let openai, openai6, openrouter;
    before(async () => {
      await world.startFleet(FLEET);
      await world.startSignalbox(topology);
      openai = new OpenAI({ baseURL: `${world.url}/api/v1`, apiKey: world.key, maxRetries: 0 });
      openai6 = new OpenAI6({ baseURL: `${world.url}/v1`, apiKey: world.key, maxRetries: 0 });
      openrouter = new OpenRouter({ serverURL: `${world.url}/api/v1`, apiKey: world.key, retryConfig: { strategy: 'none' } });
    });
    after(() => world.stop());

    for (const model of ['test/chat', 'test/claude']) {
      it(`openai: completes ${model} without a stream`, async () => {
        for (const client of [openai, openai6]) {
          const answer = await client.chat.completions.create({ model, messages: HELLO });
          assert.match(answer.id, /^gen-/);
          assert.equal(answer.object, 'chat.completion');
          assert.equal(answer.model, model);
          assert.ok(answer.choices[0].message.content.length > 0);
          assert.equal(answer.choices[0].message.role, 'assistant');
          assert.equal(answer.choices[0].finish_reason, 'stop');
          assert.ok(answer.usage.prompt_tokens > 0 && answer.usage.completion_tokens > 0);
          assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
          assert.ok(answer.usage.cost > 0, 'cost is charged');
          assert.ok('system_fingerprint' in answer);
        }
      });

      it(`openai: streams ${model}, usage and cost on the last chunk`, async () => {
        const stream = await openai.chat.completions.create({ model, messages: HELLO, stream: true });
        let text = '', finish, usage, chunks = 0;
        for await (const chunk of stream) {
          ++chunks;
          assert.equal(chunk.object, 'chat.completion.chunk');
          assert.match(chunk.id, /^gen-/);
          text += chunk.choices[0]?.delta?.content ?? '';
          finish = chunk.choices[0]?.finish_reason ?? finish;
          usage = chunk.usage ?? usage;
        }
        assert.ok(text.length > 0 && chunks > 3);
        assert.equal(finish, 'stop');
        assert.ok(usage.cost > 0 && usage.completion_tokens > 0);
      });

      it(`openai: calls a tool of ${model} and goes on with its result`, async () => {
        const ask = { model, messages: HELLO, tools: [WEATHER], tool_choice: 'required' };
        const answer = await openai.chat.completions.create(ask);
        assert.equal(answer.choices[0].finish_reason, 'tool_calls');
        const call = answer.choices[0].message.tool_calls[0];
        assert.equal(call.function.name, 'get_weather');
        const args = JSON.parse(call.function.arguments);
        assert.equal(typeof args.city, 'string');
        assert.ok(['celsius', 'fahrenheit'].includes(args.unit));
        const next = await openai.chat.completions.create({ model, tools: [WEATHER], messages: [...HELLO, answer.choices[0].message,
          ...answer.choices[0].message.tool_calls.map((c) => ({ role: 'tool', tool_call_id: c.id, content: '{"temperature": 21}' }))] });
        assert.equal(next.choices[0].finish_reason, 'stop');
        assert.ok(next.choices[0].message.content.length > 0);
      });

      it(`openai: assembles a streamed tool call of ${model}`, async () => {
        const run = openai.chat.completions.stream({ model, messages: HELLO, tools: [WEATHER], tool_choice: 'required' });
        const message = await run.finalMessage();
        const ids = new Set();
        for (const call of message.tool_calls) {
          assert.equal(call.function.name, 'get_weather');
          assert.equal(typeof JSON.parse(call.function.arguments).city, 'string');
          ids.add(call.id);
        }
        assert.equal(ids.size, message.tool_calls.length);
      });

      it(`@openrouter/sdk: completes and streams ${model}`, async () => {
        const answer = await openrouter.chat.send({ chatRequest: { model, messages: HELLO } });
        assert.ok(answer.choices[0].message.content.length > 0);
        assert.ok(answer.usage.totalTokens > 0);
        const stream = await openrouter.chat.send({ chatRequest: { model, messages: HELLO, stream: true } });
        let text = '', usage;
        for await (const chunk of stream) {
          text += chunk.choices[0]?.delta?.content ?? '';
          usage = chunk.usage ?? usage;
        }
        assert.ok(text.length > 0);
        assert.ok(usage.totalTokens > 0);
      });
    }

    it('@openrouter/sdk: tools, streamed', async () => {
      const stream = await openrouter.chat.send({ chatRequest: { model: 'test/chat', messages: HELLO, stream: true, toolChoice: 'required', tools: [WEATHER] } });
      let args = '', finish;
      for await (const chunk of stream) {
        for (const call of chunk.choices[0]?.delta?.toolCalls ?? []) if (call.index === 0) args += call.function?.arguments ?? '';
        finish = chunk.choices[0]?.finishReason ?? finish;
      }
      assert.equal(finish, 'tool_calls');
      assert.equal(typeof JSON.parse(args).city, 'string');
    });

    it('the last chunk carries usage and repeats the finish reason, then [DONE]', async () => {
      const response = await world.post({ model: 'test/chat', messages: HELLO, stream: true });
      assert.match(response.headers.get('content-type'), /^text\/event-stream/);
      assert.match(response.headers.get('x-generation-id'), /^gen-/);
      const events = parseEvents(await response.text());
      assert.ok(events.at(-1).done);
      const last = events.at(-2).json;
      assert.equal(last.choices[0].finish_reason, 'stop');
      assert.ok(last.usage.cost > 0);
      assert.equal(events.filter((e) => e.json?.usage).length, 1, 'usage is sent once');
      for (const { json } of events) {
        for (const choice of json?.choices ?? []) {
          assert.notEqual(choice.delta.role, null);
          assert.notEqual(choice.delta.tool_calls, null);
          assert.ok('finish_reason' in choice && 'index' in choice);
        }
      }
    });

    it('cost is what the catalogue says: price × tokens', async () => {
      const answer = await (await world.post({ model: 'test/chat', messages: HELLO, provider: { only: ['alpha'] } })).json();
      assert.equal(answer.provider.toLowerCase(), 'alpha');
      const cached = answer.usage.prompt_tokens_details.cached_tokens;
      assert.equal(cached, 0);
      const expected = (answer.usage.prompt_tokens * 1 + answer.usage.completion_tokens * 2) / 1e6;
      assert.ok(Math.abs(answer.usage.cost - expected) < 1e-9, `${answer.usage.cost} != ${expected}`);
    });

    it('models, one model, endpoints, providers, count', async () => {
      const page = await openrouter.models.list();
      const listed = [];
      for await (const part of page) listed.push(...(part.result?.data ?? part.data ?? []));
      assert.deepEqual(listed.map((m) => m.id).sort(), ['test/chat', 'test/claude']);
      const viaOpenai = await openai.models.list();
      assert.equal(viaOpenai.data.length, 2);
      const endpoints = await openrouter.endpoints.list({ author: 'test', slug: 'chat' });
      assert.equal(endpoints.data.endpoints.length, 2);
      assert.ok(endpoints.data.endpoints.every((e) => Number(e.pricing.prompt) > 0));
      const providers = await openrouter.providers.list();
      assert.ok(providers.data.some((p) => p.slug === 'alpha'));
      const count = await openrouter.models.count();
      assert.equal(count.data.count, 2);
    });

    it('models may be read without a key', async () => {
      assert.equal((await fetch(`${world.url}/api/v1/models`)).status, 200);
    });

    it('generation: readable at once, with every field the SDK demands, by its own key only', async () => {
      const answer = await openai.chat.completions.create({ model: 'test/chat', messages: HELLO });
      const generation = await until('the generation record', () => openrouter.generations.getGeneration({ id: answer.id }));
      assert.equal(generation.data.id, answer.id);
      assert.equal(generation.data.totalCost, answer.usage.cost);
      assert.equal(generation.data.model, 'test/chat');
      const other = await world.createKey('other');
      assert.equal((await world.get(`/api/v1/generation?id=${answer.id}`, { authorization: `Bearer ${other}` })).status, 404);
      assert.equal((await world.get('/api/v1/generation?id=gen-unknown')).status, 404);
    });

    it('key: the SDK reads it, usage grows with what was charged', async () => {
      const before = await openrouter.apiKeys.getCurrentKeyMetadata();
      const answer = await openai.chat.completions.create({ model: 'test/chat', messages: HELLO });
      await until('usage to arrive', async () => {
        const now = await openrouter.apiKeys.getCurrentKeyMetadata();
        return now.data.usage >= before.data.usage + answer.usage.cost - 1e-12;
      });
    });

    it('errors: the typed classes of both clients', async () => {
      await assert.rejects(openai.chat.completions.create({ model: 'no/such-model', messages: HELLO }), (e) => e instanceof OpenAI.BadRequestError && /no\/such-model/.test(e.message));
      await assert.rejects(openai.chat.completions.create({ model: 'test/chat', messages: [] }), OpenAI.BadRequestError);
      const stranger = new OpenAI({ baseURL: `${world.url}/api/v1`, apiKey: `sk-sb-v1-${'0'.repeat(64)}`, maxRetries: 0 });
      await assert.rejects(stranger.chat.completions.create({ model: 'test/chat', messages: HELLO }), OpenAI.AuthenticationError);
      await assert.rejects(openrouter.chat.send({ chatRequest: { model: 'no/such-model', messages: HELLO } }), (e) => e.statusCode === 400);
      await assert.rejects(openai.chat.completions.create({ model: 'test/chat', messages: HELLO, provider: { only: ['nobody'] } }), (e) => e.status === 404);
    });

    it('an x-api-key header is as good as a bearer token', async () => {
      const response = await fetch(`${world.url}/v1/chat/completions`, { method: 'POST',
        headers: { 'x-api-key': world.key, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'test/chat', messages: HELLO }) });
      assert.equal(response.status, 200);
    });

    it('routing metadata on request, with scores and reasons', async () => {
      const response = await world.post({ model: 'test/chat', messages: HELLO }, { headers: { 'X-OpenRouter-Metadata': 'enabled' } });
      const { openrouter_metadata: metadata } = await response.json();
      assert.equal(metadata.requested, 'test/chat');
      assert.equal(metadata.endpoints.total, 2);
      assert.equal(metadata.endpoints.available.filter((e) => e.selected).length, 1);
      assert.equal(metadata.attempts.length, 1);
    });

    it('the trace of the caller reaches the provider', async () => {
      const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
      await world.post({ model: 'test/chat', messages: HELLO, provider: { only: ['alpha'] } }, { headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` } });
      const { requests } = await world.fleet('requests?provider=alpha');
      assert.match(JSON.stringify(requests.at(-1).headers), new RegExp(`00-${trace}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01`));
    });

    it('members that would steer where a key is sent are refused', async () => {
      for (const name of ['api_base', 'base_url', 'api_key']) {
        const response = await world.post({ model: 'test/chat', messages: HELLO, [name]: 'http://example.com' });
        assert.equal(response.status, 400, name);
        assert.ok((await response.text()).includes(name));
      }
    });

    it('unknown members reach the provider untouched, ours do not', async () => {
      await world.fleet('reset', {});
      const body = '{"model":"test/chat","provider":{"only":["alpha"]},"messages":[{"role":"user","content":"x"}],"made_up":1.50,"temperature":0.70,"session_id":"s"}';
      assert.equal((await world.post(body)).status, 200);
      const { requests } = await world.fleet('requests?provider=alpha');
      const seen = typeof requests.at(-1).body === 'string' ? requests.at(-1).body : JSON.stringify(requests.at(-1).body);
      assert.match(seen, /"made_up":1\.50/);
      assert.match(seen, /"temperature":0\.70/);
      for (const gone of ['"provider"', 'session_id']) assert.ok(!seen.includes(gone), `${gone} was forwarded`);
    });
  });
}
