// Every fault a provider can show, before and after the commit point. Before: the client gets a complete answer from another
// provider and notices nothing. After: an explicit error chunk, never a clean end of a cut answer, never a second answer.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { TOPOLOGIES, World, parseEvents, until } from './harness.mjs';

// The faulty provider is always tried first: the requests name the order.
const FLEET = `
seed: 11
defaults: { tokens: 20 }
providers:
  faulty:
    own_port: true
    endpoints:
      test/chat: { facts: { price_prompt_per_m: 0.1, price_completion_per_m: 0.1 } }
      test/alone: { facts: { price_prompt_per_m: 0.1, price_completion_per_m: 0.1 } }
  # Refusing our key quarantines a provider for a minute: each status has one of its own.
  key-401: { endpoints: { test/key-401: { faults: [{ kind: status, status: 401 }], facts: { price_prompt_per_m: 1, price_completion_per_m: 1 } } } }
  key-402: { endpoints: { test/key-402: { faults: [{ kind: status, status: 402 }], facts: { price_prompt_per_m: 1, price_completion_per_m: 1 } } } }
  key-403: { endpoints: { test/key-403: { faults: [{ kind: status, status: 403 }], facts: { price_prompt_per_m: 1, price_completion_per_m: 1 } } } }
  faulty-claude:
    dialect: anthropic
    own_port: true
    endpoints:
      test/claude: { facts: { price_prompt_per_m: 0.1, price_completion_per_m: 0.1 } }
  sound:
    endpoints:
      test/chat: { facts: { price_prompt_per_m: 9, price_completion_per_m: 9 } }
      test/claude: { facts: { price_prompt_per_m: 9, price_completion_per_m: 9 } }
      test/key-401: { facts: { price_prompt_per_m: 9, price_completion_per_m: 9 } }
      test/key-402: { facts: { price_prompt_per_m: 9, price_completion_per_m: 9 } }
      test/key-403: { facts: { price_prompt_per_m: 9, price_completion_per_m: 9 } }
`;
// Circuits stay closed: every request here is to meet its fault.
const TIMEOUTS = { ingress: ['attempts: { first_token_timeout: 700ms }', 'keepalive_interval: 300ms', 'circuits: { failures: 1000000 }'],
  adapter: ['first_token_timeout: 700ms', 'idle_timeout: 700ms', 'connect_timeout: 1s'] };
const HELLO = [{ role: 'user', content: 'Say hello.' }];

const BEFORE_COMMIT = [
  ['refuse', { refuse: true }],
  ['reset before the first byte', { faults: [{ kind: 'reset_before' }] }],
  ['stall before the first token', { faults: [{ kind: 'stall' }] }],
  ['429 with seconds', { faults: [{ kind: 'status', status: 429, retry_after: '7' }] }],
  ['429 with a date', { faults: [{ kind: 'status', status: 429, retry_after: 'http-date' }] }],
  ['429 with garbage', { faults: [{ kind: 'status', status: 429, retry_after: 'garbage' }] }],
  ...[500, 502, 503, 529, 404, 408].map((status) => [`${status}`, { faults: [{ kind: 'status', status }] }]),
  ['200 with an error body', { faults: [{ kind: 'error_200' }] }],
  ['error as the first event', { faults: [{ kind: 'error_first_event' }], streamOnly: true }],
  ['an HTML page', { faults: [{ kind: 'html_200' }] }],
  ['an empty answer', { faults: [{ kind: 'empty' }] }],
  ['broken events from the start', { faults: [{ kind: 'broken_sse', variant: 'invalid_json', after_events: 0 }], streamOnly: true }],
  ['a stream cut before content', { faults: [{ kind: 'cut_stream', after_events: 0 }], streamOnly: true }],
];
const AFTER_COMMIT = [
  ['reset after three events', { faults: [{ kind: 'reset_after', after_events: 3 }] }],
  ['stall after three events', { faults: [{ kind: 'stall_after', after_events: 3 }] }],
  ['cut after three events, body ended properly', { faults: [{ kind: 'cut_stream', after_events: 3 }] }],
  ['cut after three events, connection closed', { faults: [{ kind: 'cut_stream', after_events: 3, clean: false }] }],
  ['error event after three events', { faults: [{ kind: 'error_event', after_events: 3 }] }],
  ['invalid JSON after three events', { faults: [{ kind: 'broken_sse', variant: 'invalid_json', after_events: 3 }] }],
];

for (const topology of TOPOLOGIES) {
  describe(`provider faults on ${topology}`, { concurrency: false }, () => {
    const world = new World();
    before(async () => {
      await world.startFleet(FLEET);
      await world.startSignalbox(topology, { sections: TIMEOUTS });
    });
    after(() => world.stop());

    const ask = (model, extra = {}) => world.post({ model, messages: HELLO, provider: { order: ['faulty', 'faulty-claude', 'sound'] }, ...extra });
    const setFault = async (provider, { streamOnly, ...set }) => {
      await world.setEndpoint(provider, { refuse: false, faults: [], ...set });
    };

    for (const [provider, model] of [['faulty', 'test/chat'], ['faulty-claude', 'test/claude']]) {
      for (const [name, fault] of BEFORE_COMMIT) {
        for (const stream of fault.streamOnly ? [true] : [false, true]) {
          it(`${model}, ${stream ? 'streamed' : 'whole'}: ${name} is not noticed`, async () => {
            await setFault(provider, fault);
            const response = await ask(model, { stream });
            const text = await response.text();
            assert.equal(response.status, 200, text);
            if (stream) {
              const events = parseEvents(text);
              assert.ok(events.at(-1).done, text);
              assert.equal(events.filter((e) => e.json?.error).length, 0, text);
              assert.equal(events.at(-2).json.provider.toLowerCase(), 'sound');
            } else {
              const answer = JSON.parse(text);
              assert.equal(answer.provider.toLowerCase(), 'sound');
              assert.ok(answer.choices[0].message.content.length > 0);
            }
          });
        }
      }

      for (const [name, fault] of AFTER_COMMIT) {
        it(`${model}: ${name} ends in an error chunk`, async () => {
          await setFault(provider, fault);
          const response = await ask(model, { stream: true });
          const text = await response.text();
          assert.equal(response.status, 200, text);
          const events = parseEvents(text).filter((e) => e.json);
          const last = events.at(-1).json;
          assert.ok(Number.isInteger(last.error?.code), text);
          assert.ok(last.error.message.length > 0);
          assert.equal(last.choices[0].finish_reason, 'error');
          assert.equal(last.object, 'chat.completion.chunk');
          const providers = new Set(events.map((e) => e.json.provider).filter(Boolean));
          assert.equal(providers.size, 1, 'one provider only: nothing is replayed after content was sent');
        });
      }
    }

    it('a slow drip arrives whole', async () => {
      await setFault('faulty', { tokens: 4, faults: [{ kind: 'slow_drip', interval_ms: 1 }] });
      const events = parseEvents(await (await ask('test/chat', { stream: true })).text());
      assert.ok(events.at(-1).done);
      assert.equal(events.filter((e) => e.json?.error).length, 0);
      await world.setEndpoint('faulty', { tokens: 20 });
    });

    it('answers labelled with the wrong content type are read for what they are', async () => {
      for (const variant of ['mislabelled', 'other_body']) {
        for (const stream of [false, true]) {
          await setFault('faulty', { faults: [{ kind: 'wrong_content_type', variant }] });
          const response = await ask('test/chat', { stream });
          const text = await response.text();
          assert.equal(response.status, 200, text);
          if (stream) assert.ok(parseEvents(text).at(-1).done, text);
          else assert.ok(JSON.parse(text).choices[0].message.content.length > 0);
        }
      }
    });

    it('missing usage is estimated, not zero', async () => {
      await setFault('faulty', { faults: [{ kind: 'usage_missing' }] });
      const answer = await (await ask('test/chat')).json();
      assert.ok(answer.usage.completion_tokens > 0 && answer.usage.cost > 0);
    });

    it('a provider that refuses our key is left, and its 401, 402 or 403 never becomes the client\'s', async () => {
      for (const status of [401, 402, 403]) {
        const order = [`key-${status}`, 'sound'];
        const answer = await (await world.post({ model: `test/key-${status}`, messages: HELLO, provider: { order } })).json();
        assert.equal(answer.provider, 'sound', `${status}`);
        const alone = await world.post({ model: `test/key-${status}`, messages: HELLO, provider: { only: [`key-${status}`] } });
        assert.ok([404, 502, 503].includes(alone.status), `${status} -> ${alone.status}`);
      }
    });

    it('when all fail, one typed error lists the attempts', async () => {
      await setFault('faulty', { faults: [{ kind: 'status', status: 429, retry_after: '7' }] });
      const response = await ask('test/alone');
      assert.ok([429, 502, 503].includes(response.status), `${response.status}`);
      const { error } = await response.json();
      assert.equal(error.code, response.status);
      assert.ok(error.message.length > 0);
      assert.ok(JSON.stringify(error.metadata).toLowerCase().includes('faulty'), JSON.stringify(error));
      assert.ok(Number(response.headers.get('retry-after')) >= 1);
    });

    it('models: [...] goes on to the next model', async () => {
      await setFault('faulty', { faults: [{ kind: 'status', status: 500 }] });
      const response = await world.post({ models: ['test/alone', 'test/claude'], messages: HELLO, provider: { only: ['faulty', 'sound'] } });
      const answer = await response.json();
      assert.equal(response.status, 200, JSON.stringify(answer));
      assert.equal(answer.model, 'test/claude');
    });

    it('keep-alive comments bridge silence and do not commit', async () => {
      await setFault('faulty', { faults: [{ kind: 'stall' }] });
      const events = parseEvents(await (await ask('test/chat', { stream: true })).text());
      assert.ok(events.some((e) => e.comment?.includes('PROCESSING')), 'a comment was sent');
      assert.ok(events.at(-1).done);
      assert.equal(events.filter((e) => e.json?.error).length, 0);
    });

    it('a client that goes away cancels the provider at once', async () => {
      await setFault('faulty', { tokens: 4000, tokens_per_second: 50, ttft: 10 });
      for (const stream of [true, false]) {
        await world.fleet('reset', {});
        const abort = new AbortController();
        const answer = world.post({ model: 'test/chat', messages: HELLO, provider: { order: ['faulty'] }, stream }, { signal: abort.signal })
          .then((response) => response.text()).catch(() => 'gone');
        await until('the request to reach the provider', async () => (await fleetModel(world, 'faulty', 'test/chat')).open >= 1);
        const left = Date.now();
        abort.abort();
        await until('the provider to see the cancellation', async () => (await fleetModel(world, 'faulty', 'test/chat')).cancelled >= 1);
        // 1 to 40 ms as a rule; the bound leaves room for a busy machine.
        assert.ok(Date.now() - left < 1000, `took ${Date.now() - left} ms`);
        assert.equal(await answer, 'gone');
      }
      await world.setEndpoint('faulty', { tokens: 20, tokens_per_second: 0, ttft: 0 });
    });

    it('an invalid tool call in a whole answer is replaced by a valid one', async () => {
      const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object', required: ['a'], properties: { a: { type: 'integer' } } } } }];
      for (const kind of ['invalid_json', 'unknown_tool', 'schema_mismatch']) {
        await setFault('faulty', { tool_error_rate: 1, tool_errors: { invalid_json: 0, unknown_tool: 0, schema_mismatch: 0, leaked_markup: 0, [kind]: 1 } });
        const answer = await (await ask('test/chat', { tools, tool_choice: 'required' })).json();
        assert.equal(answer.provider.toLowerCase(), 'sound', kind);
        for (const call of answer.choices[0].message.tool_calls) assert.ok(Number.isInteger(JSON.parse(call.function.arguments).a));
      }
      await world.setEndpoint('faulty', { tool_error_rate: 0 });
    });
  });
}

async function fleetModel(world, provider, model) {
  const stats = await world.fleet('stats');
  const find = (list, key, name) => (Array.isArray(list) ? list.find((x) => x[key] === name) : list[name]);
  return find(find(stats.providers, 'name', provider).models, 'model', model) ?? find(find(stats.providers, 'name', provider).models, 'id', model);
}
