// What routing by quality is worth, on real sockets and a real Redis: Auto Exacto against price-first over the same providers, at
// the same time, judged by the client. Then the favourite breaks without a word, recovers, fails, and refuses connections.
//
// Time passes 20 times as fast at the providers, and what the estimator forgets it forgets 20 times as fast. The width of the
// buckets in Redis (10 s) is fixed: reaction times here are those of real time at the request rate of the test, no shorter.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import { ROOT, TOPOLOGIES, World, sleep } from './harness.mjs';

// Price (USD per million completion tokens), share of bad tool calls, tokens per second. `gem` is worth finding.
const OWN_MODEL = 'test/agent';
const OWN = {
  bargain: { price: 1.0, bad: 0.12, speed: 40 },
  thrift: { price: 1.1, bad: 0.09, speed: 40 },
  gem: { price: 1.3, bad: 0.002, speed: 45 },
  steady: { price: 1.6, bad: 0.015, speed: 40 },
  wobbly: { price: 2.0, bad: 0.06, speed: 35 },
  noble: { price: 3.5, bad: 0.003, speed: 50 },
};
const FLEET = `
seed: 41
time_scale: 20
defaults: { ttft: 400 }
providers:
${Object.entries(OWN).map(([name, { price, bad, speed }]) => `  ${name}:
    own_port: true
    endpoints: { ${OWN_MODEL}: { tool_error_rate: ${bad}, tokens_per_second: ${speed}, facts: { price_prompt_per_m: ${price / 4}, price_completion_per_m: ${price} } } }
`).join('')}`;

// Real providers as they were measured (its first lines say by whom).
const TABLE = join(process.env.SIGNALBOX_SHARED ?? join(ROOT, '..', 'shared'), 'data', 'openrouter_endpoint_tool_err_2026-07-07.csv');
const TABLE_MODELS = ['z-ai/glm-5-20260211', 'z-ai/glm-4.7-20251222'];

// Neither arm repairs or repeats a bad call: what is measured is routing. A circuit that opens stays open until the test is over,
// however slow the machine: its probe would be one more failed attempt.
const FAST = { ingress: ['attempts: { retry_invalid_tool_calls: false, tool_call_guard: off }', 'circuits: { open: 5m }'], adapter: ['report_interval: 50ms'],
  aggregator: ['flush_interval: 100ms', 'publish_interval: 200ms', 'estimator: { fast_half_life: 24s }'] };
const ARMS = {
  price: 'policy: { valid_for: 100ms, auto_exacto: false, adjusted_price: { failure_exponent: 0, tool_error_exponent: 0, saturation_exponent: 0, slowness_exponent: 0 } }',
  exacto: 'policy: { valid_for: 100ms, recovery_share: 0.07 }',
};
const MOST_IN_FLIGHT = 64;
// The finest buckets of outcomes, laid out from the Unix epoch.
const BUCKET_MS = 10_000;

const object = (properties) => ({ type: 'object', additionalProperties: false, required: Object.keys(properties), properties });
const TOOLS = [
  ['book_train', object({ from: { type: 'string' }, to: { type: 'string' }, seats: { type: 'integer', minimum: 1, maximum: 9 } })],
  ['read_sensor', object({ place: object({ room: { type: 'string' }, floor: { type: 'integer' } }), unit: { type: 'string', enum: ['celsius', 'kelvin'] } })],
].map(([name, parameters]) => ({ type: 'function', function: { name, description: `Use ${name}.`, parameters } }));

// As much of JSON Schema as TOOLS use.
function conforms(value, schema) {
  if (schema.enum && !schema.enum.includes(value)) return false;
  if (schema.type === 'string') return typeof value === 'string';
  if (schema.type === 'integer') return Number.isInteger(value) && !(value < schema.minimum) && !(value > schema.maximum);
  return typeof value === 'object' && value !== null && !Array.isArray(value) && schema.required.every((name) => name in value) &&
    Object.entries(value).every(([name, member]) => schema.properties[name] && conforms(member, schema.properties[name]));
}
function isValid({ name, arguments: text }) {
  const tool = TOOLS.find((t) => t.function.name === name);
  try {
    return tool !== undefined && conforms(JSON.parse(text), tool.function.parameters);
  } catch {
    return false;
  }
}

let asked = 0;
// Every request opens a conversation of its own: none is bound to a provider.
const question = (model) => ({ model, tools: TOOLS, tool_choice: 'required',
  messages: [{ role: 'user', content: `Request ${++asked}: use a tool.` }] });
// The calls were asked for: an answer without one is as bad as one with a broken one.
const judged = (provider, calls) => ({ provider, bad: calls.length === 0 || !calls.every(isValid) });

async function ask(world, model, headers) {
  const response = await world.post(question(model), { headers });
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return { ...judged(answer.provider, (answer.choices[0].message.tool_calls ?? []).map((c) => c.function)), metadata: answer.openrouter_metadata };
}
// The same by the official client, streamed.
async function askStreamed(openai, model) {
  const calls = [];
  let provider;
  for await (const chunk of await openai.chat.completions.create({ ...question(model), stream: true })) {
    provider ??= chunk.provider;
    for (const { index, function: part } of chunk.choices[0]?.delta?.tool_calls ?? []) {
      calls[index] ??= { name: '', arguments: '' };
      calls[index].name += part.name ?? '';
      calls[index].arguments += part.arguments ?? '';
    }
  }
  return judged(provider, calls);
}

// A steady stream of requests, one model after the other, every fifth of them streamed; what has ended, oldest first.
class Traffic {
  constructor(world, models, perSecond) {
    this.perSecond = perSecond;
    this.ended = [];
    this.failures = [];
    this.running = true;
    const openai = new OpenAI({ baseURL: `${world.url}/api/v1`, apiKey: world.key, maxRetries: 0 });
    this.pump = this.run((n) => {
      const model = models[n % models.length];
      return n % 5 === 4 ? askStreamed(openai, model) : ask(world, model);
    });
  }
  async run(make) {
    const start = Date.now();
    const open = new Set();
    for (let n = 0; this.running && n < 20_000; ++n) {
      await sleep(Math.max(0, start + (n * 1000) / this.perSecond - Date.now()));
      while (open.size >= MOST_IN_FLIGHT) await Promise.race(open);
      const request = make(n).then((r) => this.ended.push(r), (error) => this.failures.push(error)).finally(() => open.delete(request));
      open.add(request);
    }
    await Promise.all(open);
  }
  async stop() {
    this.running = false;
    await this.pump;
    assert.deepEqual(this.failures.map((e) => e.message).slice(0, 3), [], 'no request fails');
    return this.ended;
  }
  async first(n) {
    while (this.ended.length + this.failures.length < n) await sleep(20);
    return this.stop();
  }
  // Seconds until the share among the last 50 answers is as wanted. Counted from now: answers from before are not looked at.
  // A machine too busy to keep up the rate is given the requests it owes, in up to four times the time.
  async until(what, provider, wanted, withinSeconds) {
    const start = Date.now();
    const from = this.ended.length;
    for (;;) {
      const last = this.ended.slice(Math.max(from, this.ended.length - 50));
      if (last.length === 50 && wanted(share(last, provider))) return (Date.now() - start) / 1000;
      const seconds = (Date.now() - start) / 1000;
      const owed = (withinSeconds * this.perSecond) / 2 - (this.ended.length - from);
      assert.ok(seconds < withinSeconds * (owed > 0 ? 4 : 1), `${what}: not within ${withinSeconds} s; ${JSON.stringify(shares(last))}`);
      await sleep(50);
    }
  }
}

const share = (answers, provider) => answers.filter((a) => a.provider === provider).length / answers.length;
const shares = (answers) => Object.fromEntries([...new Set(answers.map((a) => a.provider))].map((p) => [p, Number(share(answers, p).toFixed(3))]));
const badRate = (answers) => answers.filter((a) => a.bad).length / answers.length;
const percent = (x) => `${(100 * x).toFixed(2)} %`;
const favouriteOf = (answers) => Object.entries(shares(answers)).sort((a, b) => b[1] - a[1])[0][0];

for (const topology of TOPOLOGIES) {
  describe(`the brain on ${topology}`, { concurrency: false }, () => {
    const worlds = { price: new World(), exacto: new World() };
    const { exacto } = worlds;
    const table = existsSync(TABLE);
    let favourite, usualShare;
    before(async () => {
      for (const [arm, world] of Object.entries(worlds)) {
        const args = [];
        if (table) {
          const csv = join(world.dir, 'table.csv');
          const lines = readFileSync(TABLE, 'utf8').split('\n');
          writeFileSync(csv, lines.filter((l) => /^(#|model,)/.test(l) || TABLE_MODELS.some((m) => l.startsWith(`${m},`))).join('\n'));
          args.push('--table', csv);
        }
        await world.startFleet(FLEET, args);
        await world.startSignalbox(topology, { sections: { ...FAST, router: ['snapshot_interval: 200ms', ARMS[arm]] } });
      }
    });
    after(async () => {
      for (const world of Object.values(worlds)) await world.stop();
    });

    // What the fleet says of the endpoint, or of all endpoints of the model.
    const counted = async (world, model, field, provider) => {
      let sum = 0;
      for (const [name, { models }] of Object.entries((await world.fleet('stats')).providers)) {
        if (models[model] && (!provider || provider === name)) sum += field(models[model]);
      }
      return sum;
    };
    const compare = async (t, models, n, perSecond) => {
      const [price, ours] = await Promise.all(Object.values(worlds).map((world) => new Traffic(world, models, perSecond).first(n)));
      const reduction = (from) => 1 - badRate(ours.slice(from)) / badRate(price.slice(from));
      const result = { price, ours, cold: reduction(0), learnt: reduction(n / 3) };
      t.diagnostic(`${n} requests each: price-first ${percent(badRate(price))} bad, Auto Exacto ${percent(badRate(ours))}`);
      t.diagnostic(`${percent(result.cold)} fewer from a cold start, ${percent(result.learnt)} after the first third`);
      t.diagnostic(`shares: price-first ${JSON.stringify(shares(price))}, Auto Exacto at the end ${JSON.stringify(shares(ours.slice(-300)))}`);
      return result;
    };

    it('Auto Exacto makes at most half of the tool-call errors of price-first, from a cold start', async (t) => {
      const { price, ours, cold } = await compare(t, [OWN_MODEL], 750, 100);
      // The client's judgement is not the server's: it agrees with what the fleet knows it did.
      for (const [arm, answers] of [['price', price], ['exacto', ours]]) {
        assert.equal(await counted(worlds[arm], OWN_MODEL, (m) => m.bad_tool_calls), answers.filter((a) => a.bad).length);
      }
      const weight = (p) => 1 / p.price ** 2;
      const sum = Object.values(OWN).reduce((s, p) => s + weight(p), 0);
      for (const [name, p] of Object.entries(OWN)) {
        assert.ok(Math.abs(share(price, name) - weight(p) / sum) < 0.08, `price-first is 1/price²: ${JSON.stringify(shares(price))}`);
      }
      assert.ok(cold >= 0.5, `only ${percent(cold)} fewer`);
      favourite = favouriteOf(ours.slice(-300));
      usualShare = share(ours.slice(-300), favourite);
      assert.ok(OWN[favourite].bad < 0.01, `the favourite is ${favourite}`);
    });

    it('and on GLM-5 and GLM-4.7 as they were measured', { skip: table ? false : `${TABLE} is absent` }, async (t) => {
      // Good ones among them err in 2 of 1,000: what learning costs would weigh heavily in so few requests.
      const { learnt } = await compare(t, TABLE_MODELS, 2400, 150);
      assert.ok(learnt >= 0.5, `only ${percent(learnt)} fewer`);
    });

    it('a favourite that breaks without a word is left, and found again when it has recovered', async (t) => {
      const traffic = new Traffic(exacto, [OWN_MODEL], 60);
      t.after(() => (traffic.running = false));
      await sleep(4000);
      // A bucket that was mostly good makes its end look like a little more of bad luck: enough to leave the favourite, too little for an
      // alarm. Which of the two comes first is not left to chance.
      await sleep(BUCKET_MS - (Date.now() % BUCKET_MS));
      await exacto.setEndpoint(favourite, { tool_error_rate: 0.5, tool_errors: { invalid_json: 1 } }, OWN_MODEL);
      const left = await traffic.until(`${favourite} to be left`, favourite, (s) => s < 0.1, 45);
      const wrong = traffic.ended.filter((a) => a.provider === favourite && a.bad).length;
      t.diagnostic(`${favourite} had ${percent(usualShare)} of the requests, and less than 10 % ${left.toFixed(1)} s after it broke (${wrong} bad calls)`);

      const { metadata } = await ask(exacto, OWN_MODEL, { 'x-openrouter-metadata': 'enabled' });
      const shown = metadata.endpoints.available.find((e) => e.provider === favourite);
      assert.equal(shown.tier, 'alarm', JSON.stringify(shown));
      assert.match(shown.reason, /alarm/);
      assert.ok(shown.share < 0.1, JSON.stringify(shown));

      await exacto.setEndpoint(favourite, { tool_error_rate: OWN[favourite].bad, tool_errors: { invalid_json: 1 } }, OWN_MODEL);
      const back = await traffic.until(`${favourite} to be found again`, favourite, (s) => s >= usualShare / 2, 90);
      t.diagnostic(`half of its share was back ${back.toFixed(1)} s after it recovered`);
      const healed = (await ask(exacto, OWN_MODEL, { 'x-openrouter-metadata': 'enabled' })).metadata.endpoints.available.find((e) => e.provider === favourite);
      assert.notEqual(healed.tier, 'alarm', JSON.stringify(healed));
      await traffic.stop();
    });

    // Asks one after the other, by the attempts that the answers tell of: how often `provider` was tried in vain, and who answered.
    const askWhileFailing = async (provider, n = 40) => {
      const answers = [];
      for (let i = 0; i < n; ++i) answers.push(await ask(exacto, OWN_MODEL, { 'x-openrouter-metadata': 'enabled' }));
      const attempts = answers.flatMap((a) => a.metadata.attempts);
      return { failed: attempts.filter((a) => a.provider === provider && a.status !== 200).length, next: favouriteOf(answers) };
    };
    let next;

    it('a favourite that answers 500 is left after three attempts, and no client sees it', async (t) => {
      const { next: victim } = await askWhileFailing('', 10);
      await exacto.setEndpoint(victim, { faults: [{ kind: 'status', status: 500 }] }, OWN_MODEL);
      const { failed, next: heir } = await askWhileFailing(victim);
      next = heir;
      assert.equal(await counted(exacto, OWN_MODEL, (m) => m.faults.status_500 ?? 0, victim), failed, 'every attempt is told of');
      t.diagnostic(`${victim} was tried ${failed} times`);
      assert.ok(failed >= 1 && failed <= 3, `${failed} failed attempts`);
    });

    it('the next one, which refuses connections, too', async (t) => {
      await exacto.setEndpoint(next, { refuse: true });
      const { failed } = await askWhileFailing(next);
      t.diagnostic(`${next} was tried ${failed} times`);
      assert.ok(failed >= 1 && failed <= 3, `${failed} failed attempts`);
    });
  });
}
