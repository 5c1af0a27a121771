// The tool-call guard as applications see it: providers that break their tool calls are invisible where it is enforced, text
// is never repeated, one answer is paid.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import { TOPOLOGIES, World, http, parseEvents } from './harness.mjs';

// `broken` never makes a valid call, `talker` says something first. The requests name the order.
const BAD = 'parallel_call_rate: 0, tool_error_rate: 1, tool_errors: { schema_mismatch: 1, unknown_tool: 1 }';
const CHEAP = 'facts: { price_prompt_per_m: 1, price_completion_per_m: 1 }';
const FLEET = `
seed: 31
providers:
  broken: { endpoints: { test/tools: { ${BAD}, ${CHEAP} } } }
  talker: { endpoints: { test/tools: { ${BAD}, preamble_rate: 1, ${CHEAP} } } }
  broken-claude: { dialect: anthropic, endpoints: { test/tools: { ${BAD}, ${CHEAP} } } }
  talker-claude: { dialect: anthropic, endpoints: { test/tools: { ${BAD}, preamble_rate: 1, ${CHEAP} } } }
  sound: { endpoints: { test/tools: { parallel_call_rate: 0, preamble_rate: 1, facts: { price_prompt_per_m: 9, price_completion_per_m: 9 } } } }
`;
const WEATHER = { type: 'function', function: { name: 'get_weather', parameters: {
  type: 'object', additionalProperties: false, required: ['city', 'days'],
  properties: { city: { type: 'string' }, days: { type: 'integer', minimum: 1, maximum: 7 } } } } };
const ASK = { model: 'test/tools', tools: [WEATHER], messages: [{ role: 'user', content: 'What is the weather in Ulm?' }] };
const ENFORCE = { signalbox: { tool_call_guard: 'enforce' } };

// A provider whose calls lack the last brace: the fleet cuts anywhere.
function startUntidy() {
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (data) => (body += data));
    request.on('end', () => {
      const tool_calls = [{ index: 0, id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: `{'city': "Ulm", "days": 3,} ` } }];
      const chunk = (delta, finish_reason = null) =>
        `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
      if (JSON.parse(body).stream) {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end(`${chunk({ role: 'assistant', content: null, tool_calls })}${chunk({}, 'tool_calls')}data: [DONE]\n\n`);
      } else {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ id: 'x', object: 'chat.completion', created: 1, model: 'm',
          choices: [{ index: 0, message: { role: 'assistant', content: null, tool_calls }, finish_reason: 'tool_calls' }],
          usage: { prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 } }));
      }
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

for (const topology of TOPOLOGIES) {
  describe(`tool-call guard on ${topology}`, { concurrency: false }, () => {
    const world = new World();
    let untidy, openai;
    before(async () => {
      untidy = await startUntidy();
      await world.startFleet(FLEET);
      const catalogue = join(world.dir, 'untidy.yaml');
      writeFileSync(catalogue, `
providers: [{ slug: untidy, name: untidy, base_url: "http://127.0.0.1:${untidy.address().port}/v1", dialect: openai, needs_no_key: true }]
models: [{ id: test/tools, endpoints: [{ tag: untidy, upstream_model: m, price: { prompt: "0.000001", completion: "0.000001" } }] }]
`);
      await world.startSignalbox(topology, { catalogue: [catalogue] });
      openai = new OpenAI({ baseURL: `${world.url}/api/v1`, apiKey: world.key, maxRetries: 0 });
    });
    after(async () => {
      untidy.close();
      await world.stop();
    });

    const order = (...providers) => ({ provider: { order: providers, allow_fallbacks: false } });
    const assertValid = (call) => {
      assert.equal(call.function.name, 'get_weather');
      const given = JSON.parse(call.function.arguments);
      assert.deepEqual(Object.keys(given).sort(), ['city', 'days']);
      assert.ok(typeof given.city === 'string' && Number.isInteger(given.days));
    };
    // What one answer of `sound` costs: 9 USD per million tokens.
    const assertPaidOnce = (usage) =>
      assert.ok(Math.abs(usage.cost - (usage.prompt_tokens + usage.completion_tokens) * 9e-6) < 1e-9, JSON.stringify(usage));
    const streamed = async (body, headers = {}) => {
      const response = await world.post({ ...ASK, ...body, stream: true }, { headers });
      const text = await response.text();
      assert.equal(response.status, 200, text);
      const events = parseEvents(text);
      const chunks = events.filter((e) => e.json).map((e) => e.json);
      const deltas = chunks.flatMap((c) => c.choices.map((choice) => ({ provider: c.provider, ...choice.delta })));
      return { chunks, deltas, done: events.at(-1).done === true, last: chunks.at(-1),
        said: deltas.filter((d) => d.content), calls: deltas.filter((d) => d.tool_calls) };
    };

    for (const bad of ['broken', 'broken-claude']) {
      it(`openai: a stream never shows that ${bad} breaks its calls`, async () => {
        const stream = openai.chat.completions.stream({ ...ASK, ...ENFORCE, ...order(bad, 'sound') });
        const answer = await stream.finalChatCompletion();
        assert.equal(answer.choices[0].finish_reason, 'tool_calls');
        assert.equal(answer.choices[0].message.tool_calls.length, 1);
        assertValid(answer.choices[0].message.tool_calls[0]);
        assertPaidOnce(answer.usage);
        const { data } = await (await world.get(`/api/v1/generation?id=${answer.id}`)).json();
        assert.equal(data.total_cost, answer.usage.cost);
        assert.deepEqual(data.provider_responses.map((r) => [r.provider_name, r.invalid_tool_call ?? false]), [[bad, true], ['sound', false]]);
      });

      it(`openai: a whole answer never shows it either, ${bad}`, async () => {
        const answer = await openai.chat.completions.create({ ...ASK, ...ENFORCE, ...order(bad, 'sound') });
        assertValid(answer.choices[0].message.tool_calls[0]);
        assertPaidOnce(answer.usage);
      });
    }

    for (const bad of ['talker', 'talker-claude']) {
      it(`text of ${bad} that is out is not repeated; the calls are another's`, async () => {
        const { said, calls, done, last } = await streamed({ ...ENFORCE, ...order(bad, 'sound') });
        assert.ok(done);
        assert.ok(said.length > 0);
        assert.deepEqual([...new Set(said.map((d) => d.provider))], [bad], 'one provider\'s text only');
        assert.deepEqual(calls.map((d) => d.provider), ['sound']);
        assertValid(calls[0].tool_calls[0]);
        assertPaidOnce(last.usage);
      });
    }

    it('behind text, one other answer without a valid call ends the stream with an error', async () => {
      const { said, calls, done, last } = await streamed({ ...ENFORCE, ...order('talker', 'broken', 'sound') });
      assert.ok(!done && said.length > 0);
      assert.deepEqual(calls, []);
      assert.equal(last.choices[0].finish_reason, 'error');
      assert.ok(last.error.message.length > 0);
    });

    it('without text the first answer is delivered when none is better', async () => {
      const { calls, done, last } = await streamed({ ...ENFORCE, ...order('broken', 'broken-claude') });
      assert.ok(done);
      assert.deepEqual(calls.map((d) => d.provider), ['broken']);
      assert.ok(last.usage.cost < (last.usage.prompt_tokens + last.usage.completion_tokens) * 1.1e-6, 'paid once');
    });

    it('syntax is mended and nothing is tried elsewhere', async () => {
      const { calls, done } = await streamed({ ...ENFORCE, ...order('untidy', 'sound') });
      assert.ok(done);
      assert.deepEqual(calls.map((d) => d.provider), ['untidy']);
      assert.equal(calls[0].tool_calls[0].function.arguments, '{"city":"Ulm","days":3}');
      const whole = await (await world.post({ ...ASK, ...ENFORCE, ...order('untidy', 'sound'), max_tokens: 50 },
        { headers: { 'x-openrouter-metadata': 'enabled' } })).json();
      assert.equal(whole.choices[0].message.tool_calls[0].function.arguments, '{"city":"Ulm","days":3}');
      assert.equal(whole.openrouter_metadata.attempts[0].repaired_tool_call, true);
    });

    it('off and observe pass on what came; the request wins over the key', async () => {
      const { out, code } = await world.cli('keys', 'create', '--config', world.config, '--name', 'guarded', '--tool-call-guard', 'enforce', '--quiet');
      assert.equal(code, 0);
      const guarded = { authorization: `Bearer ${out.trim()}` };
      const who = async (body, headers) => (await streamed({ ...body, ...order('broken', 'sound') }, headers)).calls[0].provider;
      assert.equal(await who({}, {}), 'broken');
      assert.equal(await who({}, guarded), 'sound');
      assert.equal(await who({}, { ...guarded, 'x-signalbox-tool-call-guard': 'observe' }), 'broken');
      assert.equal(await who({ signalbox: { tool_call_guard: 'off' } }, guarded), 'broken');
      assert.equal(await who({}, { 'x-signalbox-tool-call-guard': 'enforce' }), 'sound');
      assert.notEqual((await world.cli('keys', 'create', '--config', world.config, '--name', 'x', '--tool-call-guard', 'on')).code, 0);
    });

    it('wrong words are a 400 that names the member; the member stays here', async () => {
      const wrong = await world.post({ ...ASK, signalbox: { tool_call_guard: 'on' } });
      assert.equal(wrong.status, 400);
      assert.equal((await wrong.json()).error.metadata.field, 'signalbox.tool_call_guard');
      const header = await world.post(ASK, { headers: { 'x-signalbox-tool-call-guard': 'on' } });
      assert.equal(header.status, 400);
      const { requests } = await world.fleet('requests?provider=sound');
      assert.ok(requests.length > 0);
      for (const request of requests) assert.ok(!JSON.stringify(request.body).includes('signalbox'));
    });

    it('counts what it did apart from routing', async () => {
      const adapter = await world.metrics(topology === 'serve' ? 'signalbox' : 'provider-adapter');
      const ingress = await world.metrics();
      const value = (page, series) => Number(page.split('\n').find((line) => line.startsWith(series))?.split(' ').at(-1) ?? 0);
      const guard = (kind, outcome) => value(adapter, `signalbox_adapter_tool_guard_total{kind="${kind}",outcome="${outcome}"}`);
      assert.ok(guard('enforce', 'passed') > 0 && guard('enforce', 'repaired') >= 2 && guard('enforce', 'rejected') > 0);
      assert.equal(guard('observe', 'rejected'), 1);
      const became = (outcome) => value(ingress, `signalbox_ingress_tool_guard_total{outcome="${outcome}"}`);
      assert.ok(became('rescued') >= 6);
      assert.equal(became('gave_up'), 1);
      assert.equal(became('undelivered'), 1);
      assert.ok(value(ingress, 'signalbox_ingress_tool_guard_unpaid_usd_total') > 0);
    });
  });
}
