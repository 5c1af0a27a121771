// `signalbox benchmark` against the fleet: an endpoint whose tool calls break gets a low score, and the scores say so.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TOPOLOGIES, World, until } from './harness.mjs';

const price = 'facts: { price_prompt_per_m: 1, price_completion_per_m: 1 }';
const FLEET = `
seed: 33
defaults: { tokens: 8, parallel_call_rate: 0 }
providers:
  sloppy: { endpoints: { test/tools: { tool_error_rate: 0.5, ${price} } } }
  good-a: { endpoints: { test/tools: { ${price} } } }
  good-b: { endpoints: { test/tools: { ${price} } } }
  good-c: { endpoints: { test/tools: { ${price} } } }
  good-d: { endpoints: { test/tools: { ${price} } } }
  down: { endpoints: { test/tools: { faults: [{ kind: status, status: 500 }], ${price} } } }
`;

// The fleet follows schemas and understands nothing: each schema leaves one answer only.
const CASES = 60;
function suiteYaml() {
  const tools = [], cases = [];
  for (let i = 0; i < CASES; ++i) {
    const schema = { type: 'object', required: ['n', 'where'], additionalProperties: false, properties: { n: { const: i },
      where: { type: 'object', required: ['city'], additionalProperties: false, properties: { city: { enum: [`city ${i}`] } } } } };
    tools.push(`  - { name: f${i}, description: d, parameters: '${JSON.stringify(schema)}' }`);
    cases.push(`  - { id: case${i}, kind: nested, tools: [f${i}], messages: [{ role: user, content: "Call f${i}." }], calls: [{ tool: f${i},` +
      ` arguments: [{ path: n, number: ${i} }, { path: where.city, text: "city ${i}" }] }] }`);
  }
  cases.push('  - { id: none, kind: no_call, tools: [f0], tool_choice: none, messages: [{ role: user, content: "Say hello." }] }');
  return `name: fleet\ntools:\n${tools.join('\n')}\ncases:\n${cases.join('\n')}\n`;
}

for (const topology of TOPOLOGIES) {
  describe(`benchmark on ${topology}`, { concurrency: false }, () => {
    const world = new World();
    const suite = join(world.dir, 'suite.yaml');
    let aggregator;
    before(async () => {
      await world.startFleet(FLEET);
      await world.startSignalbox(topology);
      writeFileSync(suite, suiteYaml());
      aggregator = world.addresses(topology === 'serve' ? 'signalbox' : 'metrics-aggregator').grpc;
    });
    after(() => world.stop());

    const run = (...args) => world.cli('benchmark', 'run', '--server', world.url, '--key', world.key, '--suite', suite, '--model', 'test/tools',
      '--concurrency', '8', ...args);
    const list = async (...where) => {
      const { code, out, err } = await world.cli('benchmark', 'list', ...where);
      assert.equal(code, 0, err);
      return Object.fromEntries(out.trim().split('\n').slice(1).map((line) => {
        const [endpoint, accuracy, answers, low] = line.trim().split(/\s+/);
        return [endpoint, { accuracy: Number(accuracy), answers: Number(answers), low: low === 'yes', line }];
      }));
    };

    it('measures every endpoint by itself and records what it found', async () => {
      const json = join(world.dir, 'run.json');
      const { code, out, err } = await run('--budget-usd', '0', '--json', json, '--aggregator', aggregator);
      assert.equal(code, 0, err + out);
      const found = Object.fromEntries(JSON.parse(readFileSync(json, 'utf8')).endpoints.map((e) => [e.endpoint, e]));
      for (const good of ['a', 'b', 'c', 'd']) {
        const result = found[`test/tools@good-${good}`];
        assert.equal(result.total, CASES + 1, JSON.stringify(result));
        assert.equal(result.passed, CASES + 1, JSON.stringify(result.misses));
        assert.ok(result.cost_usd > 0);
      }
      const sloppy = found['test/tools@sloppy'];
      assert.equal(sloppy.total, CASES + 1);
      assert.ok(sloppy.accuracy > 0.3 && sloppy.accuracy < 0.75, JSON.stringify(sloppy));
      const down = found['test/tools@down'];
      assert.equal(down.total, 0);
      assert.ok(down.left_alone && down.unanswered <= 12, `${down.unanswered} requests to an endpoint that is down`);
      assert.match(out, /recorded 5 results/);
    });

    it('the published scores and the store say who is low, and by which numbers', async () => {
      const scores = await until('sloppy to be low in the published scores', async () => {
        const listed = await list('--aggregator', aggregator);
        return listed['test/tools@sloppy']?.low && listed;
      }, 30_000);
      assert.equal(Object.values(scores).filter((s) => s.low).length, 1);
      assert.match(scores['test/tools@sloppy'].line, /benchmark 0\.\d+ \(worth 61 cases\) against 1\.000 \(244\) of 4 peers, q /);
      const stored = await list('--config', world.config);
      assert.deepEqual(stored['test/tools@sloppy'], scores['test/tools@sloppy']);
      assert.equal(stored['test/tools@good-a'].accuracy, 1);
    });

    it('keeps to its budget and to its number of requests', async () => {
      const few = await run('--max-requests', '7', '--no-record');
      assert.equal(few.code, 0, few.err);
      assert.match(few.out, /^7 requests, .*ended early: after 7 requests/m);
      const cheap = await run('--budget-usd', '0.0005', '--concurrency', '1', '--no-record', '--provider', 'good-a,good-b');
      assert.equal(cheap.code, 0, cheap.err);
      const [, requests, usd] = cheap.out.match(/^(\d+) requests, ([\d.]+) USD; ended early: the budget is spent/m) ?? [];
      assert.ok(Number(requests) > 1 && Number(requests) < 2 * CASES && Number(usd) < 0.001, cheap.out);
    });

    it('imports a table once however often it is told to', async () => {
      const csv = join(world.dir, 'public.csv');
      const finished = new Date(Date.now() - 86_400_000).toISOString();
      writeFileSync(csv, `model,provider,suite,accuracy,total,finished\ntest/other,p1,tau,0.84,50,${finished}\ntest/other,p2,tau,0.5,50,${finished}\n`);
      for (let i = 0; i < 2; ++i) {
        const { code, out, err } = await world.cli('benchmark', 'import', csv, '--aggregator', aggregator);
        assert.equal(code, 0, err);
        assert.match(out, /imported 2 of 2/);
      }
      const stored = await list('--config', world.config);
      assert.deepEqual([stored['test/other@p1'].accuracy, stored['test/other@p1'].answers], [0.84, 50]);
      writeFileSync(csv, `model,provider,suite,accuracy,total,finished\ntest/other,p1,tau,0.84,50,2020-01-01T00:00:00Z\n`);
      const old = await world.cli('benchmark', 'import', csv, '--aggregator', aggregator);
      assert.equal(old.code, 1);
      assert.match(old.err, /32 days/);
    });

    it('refuses what it cannot do', async () => {
      for (const args of [['run'], ['run', '--key', 'k', '--model', 'm', '--suite', '/nowhere.yaml'], ['import'], ['list'], ['list', '--every', '1h', 'x'], []]) {
        assert.equal((await world.cli('benchmark', ...args)).code, 64, args.join(' '));
      }
      const wrong = await world.cli('benchmark', 'run', '--server', world.url, '--key', 'sk-wrong', '--suite', suite, '--model', 'test/tools', '--no-record');
      assert.equal(wrong.code, 1);
      assert.match(wrong.out + wrong.err, /401|no endpoint gave an answer/);
    });
  });
}
