// Bad input gets a precise 4xx in the documented error shape, names the member, and never reaches a provider.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { TOPOLOGIES, World, rawRequest, sleep } from './harness.mjs';

const FLEET = `
seed: 3
defaults: { tokens: 5 }
providers:
  one: { endpoints: { test/chat: { facts: { price_prompt_per_m: 1, price_completion_per_m: 1 } } } }
`;
const M = '"messages":[{"role":"user","content":"hi"}]';

// body, status, what the error must name
const BODIES = [
  ['', 400, ''], ['{', 400, ''], ['[]', 400, ''], ['null', 400, ''], ['"text"', 400, ''], [`{"model":"test/chat",${M}}x`, 400, ''],
  [`{${M}}`, 400, 'model'], [`{"model":5,${M}}`, 400, 'model'], [`{"model":"",${M}}`, 400, 'model'],
  ['{"model":"test/chat"}', 400, 'messages'], ['{"model":"test/chat","messages":{}}', 400, 'messages'],
  ['{"model":"test/chat","messages":[]}', 400, 'messages'], ['{"model":"test/chat","messages":[5]}', 400, 'messages[0]'],
  ['{"model":"test/chat","messages":[{"content":"x"}]}', 400, 'messages[0].role'],
  ['{"model":"test/chat","messages":[{"role":"king","content":"x"}]}', 400, 'messages[0].role'],
  ['{"model":"test/chat","messages":[{"role":"user","content":5}]}', 400, 'messages[0].content'],
  [`{"model":"test/chat",${M},"stream":"yes"}`, 400, 'stream'],
  [`{"model":"test/chat",${M},"max_tokens":-1}`, 400, 'max_tokens'], [`{"model":"test/chat",${M},"max_tokens":1.5}`, 400, 'max_tokens'],
  [`{"model":"test/chat",${M},"max_tokens":1e400}`, 400, ''], [`{"model":"test/chat",${M},"max_tokens":99999999999999999999}`, 400, ''],
  [`{"model":"test/chat",${M},"temperature":"hot"}`, 400, 'temperature'], [`{"model":"test/chat",${M},"temperature":9}`, 400, 'temperature'],
  [`{"model":"test/chat",${M},"tools":{}}`, 400, 'tools'], [`{"model":"test/chat",${M},"tools":[{"type":"function"}]}`, 400, 'tools[0]'],
  [`{"model":"test/chat",${M},"provider":[]}`, 400, 'provider'], [`{"model":"test/chat",${M},"provider":{"order":"x"}}`, 400, 'provider.order'],
  [`{"model":"test/chat",${M},"provider":{"order":[1]}}`, 400, 'provider.order[0]'], [`{"model":"test/chat",${M},"provider":{"sort":"luck"}}`, 400, 'provider.sort'],
  [`{"model":"test/chat",${M},"provider":{"preferred_min_throughput":"fast"}}`, 400, 'provider.preferred_min_throughput'],
  [`{"model":"test/chat",${M},"provider":{"preferred_max_latency":{"p95":1}}}`, 400, 'provider.preferred_max_latency.p95'],
  [`{"model":"test/chat",${M},"provider":{"preferred_max_latency":{"p90":-1}}}`, 400, 'provider.preferred_max_latency.p90'],
  [`{"model":"test/chat",${M},"provider":{"enforce_distillable_text":"yes"}}`, 400, 'provider.enforce_distillable_text'],
  [`{"model":"test/chat",${M},"provider":{"max_price":{"audio":-1}}}`, 400, 'provider.max_price.audio'],
  [`{"model":"test/chat",${M},"service_tier":"gold"}`, 400, 'service_tier'], [`{"model":"test/chat",${M},"prompt_cache_key":5}`, 400, 'prompt_cache_key'],
  [`{"model":"test/chat",${M},"models":[1]}`, 400, 'models[0]'], [`{"model":"test/chat",${M},"stop":[1,2]}`, 400, 'stop'],
  [`{"model":"test/chat","model":"other/x",${M}}`, 400, 'model'], [`{"model":"test/chat",${M},"max_tokens":1,"max_tokens":9}`, 400, 'max_tokens'],
  [`{"model":"test/chat",${M},"x":${'['.repeat(2000)}${']'.repeat(2000)}}`, 400, ''],
  [Buffer.concat([Buffer.from('{"model":"test/chat","messages":[{"role":"user","content":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}]}')]), 400, ''],
  [`{"model":"test/chat:auto",${M}}`, 400, 'auto'],
];

for (const topology of TOPOLOGIES) {
  describe(`bad input on ${topology}`, { concurrency: false }, () => {
    const world = new World();
    before(async () => {
      await world.startFleet(FLEET);
      await world.startSignalbox(topology, { sections: { ingress: ['limits: { max_body_bytes: 100000, header_timeout: 1s, body_timeout: 1s }'] } });
    });
    after(async () => {
      const stats = JSON.stringify(await world.fleet('stats'));
      await world.stop();
      assert.match(stats, /"requests": ?0/, 'no bad request reached a provider');
    });

    for (const [body, status, name] of BODIES) {
      const shown = body.toString().slice(0, 90);
      it(`${shown || '(empty)'} -> ${status} naming "${name}"`, async () => {
        const response = await fetch(`${world.url}/api/v1/chat/completions`, { method: 'POST', body,
          headers: { authorization: `Bearer ${world.key}`, 'content-type': 'application/json' } });
        const text = await response.text();
        assert.ok(shown.includes(':auto') ? response.status >= 400 && response.status < 502 : response.status === status, `${response.status} ${text}`);
        const { error } = JSON.parse(text);
        assert.equal(error.code, response.status);
        assert.ok(error.message.length > 0);
        assert.ok(text.includes(name), `${text} does not name ${name}`);
      });
    }

    it('a body above the limit is 413', async () => {
      const response = await world.post(`{"model":"test/chat","messages":[{"role":"user","content":"${'x'.repeat(200_000)}"}]}`);
      assert.equal(response.status, 413);
      assert.equal((await response.json()).error.code, 413);
    });

    it('unknown routes are 404, known ones with the wrong method 405', async () => {
      assert.equal((await world.get('/api/v1/nothing')).status, 404);
      assert.equal((await world.get('/api/v1/chat/completions')).status, 405);
    });

    it('missing and malformed keys are 401', async () => {
      for (const authorization of ['', 'Bearer', 'Bearer ', 'Basic x', 'Bearer sk-short', `Bearer ${'x'.repeat(5000)}`]) {
        const response = await world.post(`{"model":"test/chat",${M}}`, { headers: { authorization } });
        assert.equal(response.status, 401, authorization.slice(0, 20));
      }
    });

    const head = 'POST /api/v1/chat/completions HTTP/1.1\r\nHost: x\r\n';
    const SMUGGLING = {
      'Content-Length and Transfer-Encoding': `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      'two different Content-Lengths': `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`,
      'Transfer-Encoding that is not exactly chunked': `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
      'space before the colon': `${head}Content-Length : 5\r\n\r\nhello`,
      'a folded header': `${head}X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n`,
      'a bare LF': `POST /api/v1/chat/completions HTTP/1.1\nHost: x\nContent-Length: 0\n\n`,
      'no Host': 'GET /api/v1/models HTTP/1.1\r\n\r\n',
      'two Hosts': 'GET /api/v1/models HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
      'a chunk size with a sign': `${head}Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n`,
      'a negative Content-Length': `${head}Content-Length: -1\r\n\r\n`,
      'NUL in a header': `${head}X-A: a\0b\r\nContent-Length: 0\r\n\r\n`,
      'HTTP/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    };
    for (const [name, bytes] of Object.entries(SMUGGLING)) {
      it(`${name} is refused and the connection closed`, async () => {
        const answer = await rawRequest(world.port, `${bytes}GET /api/v1/models HTTP/1.1\r\nHost: smuggled\r\n\r\n`);
        assert.match(answer, /^HTTP\/1\.[01] (4\d\d|501|505)/, answer.slice(0, 200));
        assert.equal(answer.match(/HTTP\/1\.[01] /g).length, 1, 'what follows was not taken for a request');
      });
    }

    it('headers that never end are 408 and cost nothing else', async () => {
      const answer = await rawRequest(world.port, 'GET /api/v1/models HTTP/1.1\r\nHost: x\r\nX-Slow: ', { quietMs: 8000 });
      assert.match(answer, /^HTTP\/1\.1 408/);
    });

    it('a body that trickles is 408', async () => {
      const answer = await new Promise((resolve) => {
        let received = '';
        const socket = net.connect(world.port, '127.0.0.1', async () => {
          socket.write(`${head}Authorization: Bearer ${world.key}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n`);
          for (let i = 0; i < 100 && !socket.destroyed; ++i) {
            socket.write('x');
            await sleep(100);
          }
        });
        socket.on('data', (d) => (received += d));
        socket.on('error', () => resolve(received));
        socket.on('close', () => resolve(received));
      });
      assert.match(answer, /^HTTP\/1\.1 408/);
    });
  });
}
