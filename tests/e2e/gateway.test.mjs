// The gRPC gateway for internal callers, through an independent implementation of gRPC.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import { ROOT, TOPOLOGIES, World, until } from './harness.mjs';

const FLEET = `
seed: 2
defaults: { tokens: 15 }
providers:
  one: { endpoints: { test/chat: { facts: { price_prompt_per_m: 1, price_completion_per_m: 1 } } } }
`;
const definition = loader.loadSync('signalbox/gateway/v1/gateway.proto', { includeDirs: [join(ROOT, 'protos')], longs: Number, keepCase: true, oneofs: true, defaults: true });
const { Gateway } = grpc.loadPackageDefinition(definition).signalbox.gateway.v1;

for (const topology of TOPOLOGIES) {
  describe(`gRPC gateway on ${topology}`, { concurrency: false }, () => {
    const world = new World();
    let client, credentials;
    before(async () => {
      await world.startFleet(FLEET);
      await world.startSignalbox(topology);
      client = new Gateway(world.addresses(world.edge).grpc, grpc.credentials.createInsecure());
      credentials = new grpc.Metadata();
      credentials.set('authorization', `Bearer ${world.key}`);
    });
    after(async () => {
      client.close();
      await world.stop();
    });

    const chat = (body, metadata = credentials) => new Promise((resolve) => {
      const messages = [];
      const call = client.Chat({ body: Buffer.from(JSON.stringify(body)) }, metadata);
      call.on('data', (m) => messages.push(m));
      call.on('error', (error) => resolve({ messages, error }));
      call.on('end', () => resolve({ messages }));
    });
    const HELLO = [{ role: 'user', content: 'Say hello.' }];

    it('answers whole, with a summary', async () => {
      const { messages, error } = await chat({ model: 'test/chat', messages: HELLO });
      assert.equal(error, undefined);
      const answer = JSON.parse(messages[0].completion);
      assert.ok(answer.usage.cost > 0);
      const { summary } = messages.at(-1);
      assert.equal(summary.generation_id, answer.id);
      assert.equal(summary.attempts, 1);
      assert.ok(summary.cost_nano > 0);
    });
    it('streams chunks, with a summary', async () => {
      const { messages, error } = await chat({ model: 'test/chat', messages: HELLO, stream: true });
      assert.equal(error, undefined);
      const chunks = messages.flatMap((m) => m.chunks?.json ?? []).map((b) => JSON.parse(b));
      assert.ok(chunks.map((c) => c.choices[0]?.delta?.content ?? '').join('').length > 0);
      assert.ok(messages.at(-1).summary.usage.completion_tokens > 0);
    });
    it('refuses strangers and bad requests with the right code', async () => {
      assert.equal((await chat({ model: 'test/chat', messages: HELLO }, new grpc.Metadata())).error.code, grpc.status.UNAUTHENTICATED);
      assert.equal((await chat({ model: 'test/chat', messages: [] })).error.code, grpc.status.INVALID_ARGUMENT);
      assert.equal((await chat({ model: 'no/such', messages: HELLO })).error.code, grpc.status.NOT_FOUND);
    });
    it('lists models and reads a generation', async () => {
      const models = await new Promise((resolve, reject) => client.ListModels({}, credentials, (e, r) => (e ? reject(e) : resolve(JSON.parse(r.json)))));
      assert.equal(models.data[0].id, 'test/chat');
      const { messages } = await chat({ model: 'test/chat', messages: HELLO });
      const id = messages.at(-1).summary.generation_id;
      const generation = await until('the record', () => new Promise((resolve, reject) =>
        client.GetGeneration({ id }, credentials, (e, r) => (e ? reject(e) : resolve(JSON.parse(r.json))))));
      assert.ok(JSON.stringify(generation).includes(id));
    });
  });
}
