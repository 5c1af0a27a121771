// Losing parts of ours under load: Redis absent, killed, frozen, restarted; adapter, router, aggregator killed or frozen. Requests
// go on; nobody is told that a key is unknown or money is missing because a store is away.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Load, TOPOLOGIES, World, parseEvents, sleep, until } from './harness.mjs';

const FLEET = `
seed: 5
defaults: { tokens: 12 }
providers:
  one: { endpoints: { test/chat: { facts: { price_prompt_per_m: 1, price_completion_per_m: 1 } } } }
  two: { endpoints: { test/chat: { facts: { price_prompt_per_m: 1, price_completion_per_m: 1 } } } }
`;
const HELLO = [{ role: 'user', content: 'Say hello.' }];

// One request, half of them streamed; rejects unless the answer is complete.
function complete(world) {
  return async (worker, i) => {
    const stream = (worker + i) % 2 === 0;
    const response = await world.post({ model: 'test/chat', messages: HELLO, stream });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status} ${text.slice(0, 400)}`);
    if (stream) {
      const events = parseEvents(text);
      if (!events.at(-1).done || events.some((e) => e.json?.error)) throw new Error(`incomplete: ${text.slice(-400)}`);
    } else if (!JSON.parse(text).choices[0].message.content) {
      throw new Error('empty answer');
    }
  };
}

async function underLoad(world, disturb, options) {
  const load = new Load(complete(world), options);
  await sleep(500);
  await disturb();
  await sleep(500);
  const result = await load.stop();
  assert.ok(result.ok > 50, `only ${result.ok} requests got through`);
  assert.equal(result.failed, 0, `${result.failed} of ${result.ok + result.failed} failed, first: ${result.first}`);
}

for (const topology of TOPOLOGIES) {
  describe(`outages on ${topology}`, { concurrency: false }, () => {
    const world = new World();
    before(async () => {
      await world.startFleet(FLEET);
      await world.startSignalbox(topology, { adapters: 2 });
    });
    after(() => world.stop());

    it('Redis killed and restarted: no request of a known key fails', () => underLoad(world, async () => {
      world.processes.redis.signal('SIGKILL');
      await sleep(1500);
      await world.processes.redis.restart();
      await world.redisAnswers();
      await sleep(1500);
    }));

    it('Redis frozen and thawed: no request of a known key fails', () => underLoad(world, async () => {
      world.processes.redis.signal('SIGSTOP');
      await sleep(2500);
      world.processes.redis.signal('SIGCONT');
      await sleep(1500);
    }));

    it('an unknown key while Redis is away is answered 503, never 401 or 402', async () => {
      world.processes.redis.signal('SIGSTOP');
      try {
        const response = await world.post({ model: 'test/chat', messages: HELLO }, { headers: { authorization: `Bearer sk-sb-v1-${'a'.repeat(64)}` } });
        assert.equal(response.status, 503);
        assert.ok(Number(response.headers.get('retry-after')) > 0);
      } finally {
        world.processes.redis.signal('SIGCONT');
      }
      await until('Redis to be used again', async () =>
        (await world.post({ model: 'test/chat', messages: HELLO }, { headers: { authorization: `Bearer sk-sb-v1-${'b'.repeat(64)}` } })).status === 401);
    });

    it('usage of requests made while Redis was away is settled when it is back', async () => {
      const usage = async () => (await (await world.get('/api/v1/key')).json()).data.usage;
      const settled = await until('usage to be readable', usage);
      world.processes.redis.signal('SIGSTOP');
      const answers = [];
      for (let i = 0; i < 5; ++i) answers.push(await (await world.post({ model: 'test/chat', messages: HELLO })).json());
      world.processes.redis.signal('SIGCONT');
      const cost = answers.reduce((sum, a) => sum + a.usage.cost, 0);
      await until('the charges to arrive', async () => (await usage()) >= settled + cost - 1e-9, 30_000);
    });

    if (topology === 'cluster') {
      it('router killed and restarted: no request fails', () => underLoad(world, async () => {
        world.processes['router-decision'].signal('SIGKILL');
        await sleep(2000);
        await world.processes['router-decision'].restart();
        await world.isReady('router-decision');
      }));

      it('router frozen: no request fails', () => underLoad(world, async () => {
        world.processes['router-decision'].signal('SIGSTOP');
        await sleep(3000);
        world.processes['router-decision'].signal('SIGCONT');
        await sleep(500);
      }));

      it('aggregator killed and restarted: no request fails', () => underLoad(world, async () => {
        world.processes['metrics-aggregator'].signal('SIGKILL');
        await sleep(1500);
        await world.processes['metrics-aggregator'].restart();
        await world.isReady('metrics-aggregator');
      }));

      it('aggregator frozen: no request fails', () => underLoad(world, async () => {
        world.processes['metrics-aggregator'].signal('SIGSTOP');
        await sleep(3000);
        world.processes['metrics-aggregator'].signal('SIGCONT');
      }));

      it('one of two adapters killed: no request fails before content', async () => {
        const load = new Load(complete(world));
        await sleep(500);
        world.processes['provider-adapter-2'].signal('SIGKILL');
        await sleep(2000);
        await world.processes['provider-adapter-2'].restart();
        await world.isReady('provider-adapter-2');
        const result = await load.stop();
        // Streams that had content when their adapter died may only end with an explicit error.
        const silent = load.failures.filter((e) => !/"error"/.test(e.message) || /^\d{3} /.test(e.message));
        assert.deepEqual(silent.map((e) => e.message), []);
        assert.ok(result.ok > 50);
      });

      it('the only reachable adapter restarts: requests wait for it', async () => {
        world.processes['provider-adapter-2'].signal('SIGKILL');
        await sleep(200);
        const load = new Load(complete(world), { concurrency: 4 });
        await sleep(300);
        world.processes['provider-adapter'].signal('SIGTERM');
        await world.processes['provider-adapter'].restart();
        await world.isReady('provider-adapter');
        await sleep(500);
        const result = await load.stop();
        assert.equal(result.failed, 0, result.first);
        await world.processes['provider-adapter-2'].restart();
        await world.isReady('provider-adapter-2');
      });
    }
  });

  describe(`Redis absent at start on ${topology}`, { concurrency: false }, () => {
    const world = new World();
    before(async () => {
      await world.startFleet(FLEET);
      await world.startSignalbox(topology, { redis: false });
    });
    after(() => world.stop());

    it('the service starts, says 503 for keys it cannot check, and works once Redis is there', async () => {
      world.key = `sk-sb-v1-${'c'.repeat(64)}`;
      assert.equal((await world.post({ model: 'test/chat', messages: HELLO })).status, 503);
      assert.equal((await world.get('/api/v1/models')).status, 200);
      await world.startRedis();
      world.key = await world.createKey('late');
      await until('requests to be answered', async () => (await world.post({ model: 'test/chat', messages: HELLO })).status === 200);
    });
  });
}
