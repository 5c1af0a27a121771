// Starts real processes for the end-to-end tests: the provider fleet, Redis and Signalbox in either topology. Everything lives in
// one temporary folder and on free ports; stop() ends it all and fails if a process of ours crashed or a sanitizer spoke.
import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync, readFileSync, existsSync, rmSync, createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import http from 'node:http';
import net from 'node:net';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const BIN = process.env.SIGNALBOX_BIN ?? join(ROOT, 'build', 'dev', 'bin');
export const TOPOLOGIES = (process.env.SIGNALBOX_TOPOLOGIES ?? 'serve,cluster').split(',');

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(what, condition, timeoutMs = 20_000) {
  const end = Date.now() + timeoutMs;
  let last;
  while (Date.now() < end) {
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    await sleep(25);
  }
  throw new Error(`timed out waiting for ${what}${last ? `: ${last.message}` : ''}`);
}

// A port outside the range of outgoing connections (32768-60999), so that no connection of ours can take it.
export async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const free = await new Promise((resolve) => {
      const server = net.createServer();
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

class Process {
  constructor(name, command, args, dir, env = {}) {
    Object.assign(this, { name, command, args, dir, env });
    this.start();
  }
  start() {
    this.expectedExit = false;
    this.log = join(this.dir, `${this.name}.log`);
    const out = createWriteStream(this.log, { flags: 'a' });
    this.child = spawn(this.command, this.args, { env: { ...process.env, ...this.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout.pipe(out, { end: false });
    this.child.stderr.pipe(out, { end: false });
    this.exited = new Promise((resolve) => this.child.once('exit', (code, signal) => {
      this.exit = { code, signal };
      resolve(this.exit);
    }));
    this.exit = undefined;
  }
  signal(name) {
    if (name === 'SIGKILL' || name === 'SIGTERM') this.expectedExit = true;
    if (!this.exit) this.child.kill(name);
  }
  async restart() {
    await this.exited;
    this.start();
  }
  async stop() {
    if (this.exit) return;
    this.child.kill('SIGCONT');
    this.signal('SIGTERM');
    const killer = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    await this.exited;
    clearTimeout(killer);
  }
  tail() {
    return existsSync(this.log) ? readFileSync(this.log, 'utf8').split('\n').slice(-25).join('\n') : '';
  }
}

export class World {
  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), 'signalbox-e2e-'));
    this.processes = {};
  }

  spawn(name, command, args, env) {
    return (this.processes[name] = new Process(name, command, args, this.dir, env));
  }

  async ready(name, what, condition) {
    await until(`${name} ${what}`, async () => {
      const process = this.processes[name];
      if (process.exit) throw Object.assign(new Error(`${name} exited ${JSON.stringify(process.exit)}\n${process.tail()}`), { fatal: true });
      return condition();
    }, 30_000).catch((error) => {
      throw new Error(`${error.message}\n${this.processes[name].tail()}`);
    });
  }

  // `yaml` is the fleet's configuration (tests/provider-fleet/README.md).
  async startFleet(yaml, args = []) {
    writeFileSync(join(this.dir, 'fleet.yaml'), yaml);
    this.spawn('fleet', join(BIN, 'provider-fleet'), ['--config', join(this.dir, 'fleet.yaml'), '--listen', '127.0.0.1:0',
      '--port-file', join(this.dir, 'fleet.port'), '--emit-catalogue', join(this.dir, 'fleet-catalogue.yaml'), ...args]);
    await this.ready('fleet', 'to listen', () => existsSync(join(this.dir, 'fleet.port')) && existsSync(join(this.dir, 'fleet-catalogue.yaml')) &&
      readFileSync(join(this.dir, 'fleet.port'), 'utf8').trim() !== '');
    this.fleetUrl = `http://127.0.0.1:${readFileSync(join(this.dir, 'fleet.port'), 'utf8').trim()}`;
  }
  async fleet(path, body) {
    const response = await fetch(`${this.fleetUrl}/_fleet/${path}`, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
    return response.json();
  }
  setEndpoint(provider, set, model = '*') {
    return this.fleet('set', { provider, model, set });
  }

  redisArgs() {
    return ['--port', '0', '--unixsocket', this.redisSocket, '--dir', this.dir, '--appendonly', 'yes', '--appendfsync', 'always',
      '--save', '', '--maxmemory-policy', 'noeviction', '--loglevel', 'warning'];
  }
  async startRedis() {
    this.redisSocket = join(this.dir, 'redis.sock');
    this.spawn('redis', 'redis-server', this.redisArgs());
    await this.redisAnswers();
  }
  redisAnswers() {
    return until('redis', () => new Promise((resolve) => {
      const socket = net.connect(this.redisSocket, () => socket.write('PING\r\n'));
      socket.once('data', (data) => { socket.destroy(); resolve(data.toString().startsWith('+PONG')); });
      socket.once('error', () => resolve(false));
    }));
  }

  // topology: 'serve' (one process) or 'cluster' (four). `sections` are lines of YAML per top-level section that are added to it.
  async startSignalbox(topology, { sections = {}, redis = true, adapters = 1, catalogue = [] } = {}) {
    this.topology = topology;
    this.port = await freePort();
    if (redis && !this.redisSocket) await this.startRedis();
    this.redisSocket ??= join(this.dir, 'redis.sock');
    const addresses = {};
    if (topology === 'cluster') {
      for (const name of ['metrics-aggregator', 'provider-adapter', 'router-decision', 'ingress']) addresses[name] = await freePort();
      for (let i = 2; i <= adapters; ++i) addresses[`provider-adapter-${i}`] = await freePort();
    }
    const adapterAddress = Object.keys(addresses).filter((n) => n.startsWith('provider-adapter')).map((n) => `127.0.0.1:${addresses[n]}`).join(',');
    const all = {
      redis: [`scores: { address: "unix:${this.redisSocket}" }`],
      ingress: [`http_listen: 127.0.0.1:${this.port}`],
      router: [], adapter: [], aggregator: [], host: [], serve: [],
    };
    if (topology === 'cluster') {
      all.ingress.push(`router_address: 127.0.0.1:${addresses['router-decision']}`,
        `adapter_address: "${adapters > 1 ? `ipv4:${adapterAddress}` : adapterAddress}"`);
      all.router.push(`adapter_address: 127.0.0.1:${addresses['provider-adapter']}`);
      all.adapter.push(`aggregator_address: 127.0.0.1:${addresses['metrics-aggregator']}`);
    } else {
      all.serve.push('grpc: true');
    }
    for (const [section, lines] of Object.entries(sections)) all[section].push(...lines);
    this.config = join(this.dir, 'signalbox.yaml');
    writeFileSync(this.config, `catalogue:\n${[join(this.dir, 'fleet-catalogue.yaml'), ...catalogue].map((p) => `  - ${p}\n`).join('')}` +
      Object.entries(all).filter(([, lines]) => lines.length).map(([name, lines]) => `${name}:\n${lines.map((l) => `  ${l}\n`).join('')}`).join(''));
    const service = (name, binary, args) => this.spawn(name, join(BIN, binary), [...args, '--config', this.config,
      '--addresses', join(this.dir, `${name}.address.json`)]);
    if (topology === 'serve') {
      service('signalbox', 'signalbox', ['serve']);
      this.edge = 'signalbox';
    } else {
      for (const name of Object.keys(addresses)) service(name, name.replace(/-\d+$/, ''), ['--listen', `127.0.0.1:${addresses[name]}`]);
      this.edge = 'ingress';
    }
    this.services = topology === 'serve' ? ['signalbox'] : Object.keys(addresses);
    for (const name of this.services) await this.isReady(name);
    this.url = `http://127.0.0.1:${this.port}`;
    if (redis) this.key = await this.createKey('e2e');
  }
  addresses(name) {
    return JSON.parse(readFileSync(join(this.dir, `${name}.address.json`), 'utf8'));
  }
  isReady(name) {
    return this.ready(name, 'to be ready', async () => {
      if (!existsSync(join(this.dir, `${name}.address.json`))) return false;
      return (await fetch(`http://${this.addresses(name).admin}/readyz`)).status === 200;
    });
  }
  async metrics(name = this.edge) {
    return (await fetch(`http://${this.addresses(name).admin}/metrics`)).text();
  }

  async cli(...args) {
    const child = spawn(join(BIN, 'signalbox'), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '', err = '';
    child.stdout.on('data', (d) => (out += d));
    child.stderr.on('data', (d) => (err += d));
    const code = await new Promise((resolve) => child.once('exit', resolve));
    return { code, out, err };
  }
  async createKey(name) {
    const { code, out, err } = await this.cli('keys', 'create', '--config', this.config, '--name', name, '--quiet');
    if (code !== 0) throw new Error(`signalbox keys create: ${err}`);
    return out.trim();
  }

  post(body, { headers = {}, path = '/api/v1/chat/completions', signal } = {}) {
    return fetch(`${this.url}${path}`, {
      method: 'POST', signal,
      headers: { authorization: `Bearer ${this.key}`, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }
  get(path, headers = {}) {
    return fetch(`${this.url}${path}`, { headers: { authorization: `Bearer ${this.key}`, ...headers } });
  }

  async stop() {
    const order = ['ingress', 'signalbox', 'router-decision', ...Object.keys(this.processes).filter((n) => n.startsWith('provider-adapter')),
      'metrics-aggregator', 'fleet', 'redis'];
    const crashed = [];
    for (const name of order) {
      const process = this.processes[name];
      if (!process) continue;
      if (process.exit && !process.expectedExit) crashed.push(`${name} ${JSON.stringify(process.exit)}\n${process.tail()}`);
      await process.stop();
      if (!['fleet', 'redis'].includes(name) && process.exit?.code !== 0 && process.exit?.signal !== 'SIGKILL') {
        crashed.push(`${name} ended with ${JSON.stringify(process.exit)}\n${process.tail()}`);
      }
    }
    if (crashed.length) throw new Error(`processes that crashed or did not stop cleanly:\n${crashed.join('\n')}`);
    if (!process.env.SIGNALBOX_KEEP) rmSync(this.dir, { recursive: true, force: true });
  }
}

// Parses a stream of server-sent events strictly: every event is a comment or one data line of JSON or [DONE].
export function parseEvents(text) {
  const events = [];
  for (const block of text.split('\n\n')) {
    if (block === '') continue;
    if (block.startsWith(':')) { events.push({ comment: block.slice(1).trim() }); continue; }
    if (!block.startsWith('data: ')) throw new Error(`not an event: ${JSON.stringify(block)}`);
    const data = block.slice(6);
    events.push(data === '[DONE]' ? { done: true } : { json: JSON.parse(data) });
  }
  return events;
}

// Sends bytes over a raw socket and resolves with everything that came back until the server closed or `quietMs` passed.
export function rawRequest(port, bytes, { quietMs = 3000 } = {}) {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
    const done = () => { socket.destroy(); resolve(received); };
    socket.setTimeout(quietMs, done);
    socket.on('data', (data) => (received += data.toString('latin1')));
    socket.on('end', done);
    socket.on('error', (error) => (received ? done() : error.code === 'ECONNRESET' ? done() : reject(error)));
  });
}

// Concurrent load until stopped: `make()` returns a promise that rejects on failure. Bounded in count and time.
export class Load {
  constructor(make, { concurrency = 16, maxSeconds = 60 } = {}) {
    this.ok = 0;
    this.failures = [];
    this.running = true;
    const end = Date.now() + maxSeconds * 1000;
    this.workers = Array.from({ length: concurrency }, async (_, worker) => {
      for (let i = 0; this.running && Date.now() < end; ++i) {
        try {
          await make(worker, i);
          ++this.ok;
        } catch (error) {
          if (this.failures.length < 1000) this.failures.push(error);
        }
      }
    });
  }
  async stop() {
    this.running = false;
    await Promise.all(this.workers);
    return { ok: this.ok, failed: this.failures.length, first: this.failures[0]?.message };
  }
}

export { http };
