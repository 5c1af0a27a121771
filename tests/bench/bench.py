#!/usr/bin/env python3
"""Compares Signalbox with nginx as a plain proxy, against the same fleet, in one run.

Variants are interleaved in every round and medians over the rounds are printed, because shared machines drift. CPU is
read from /proc for all processes of a variant (Redis included, client and fleet not), so it does not depend on how
fast the client is. README.md says how to read the result.
"""
import argparse
import glob
import http.client
import json
import os
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, '..', '..')
TICK = os.sysconf('SC_CLK_TCK')
BARS = {'serve': 4.0, 'cluster': 14.0}  # × nginx's CPU per request
VARIANTS = ['direct', 'nginx', 'serve', 'cluster']
PROMPT = 'All the world is a stage and all the men and women merely players. ' * 12  # about 0.8 KB: 1 KB with the rest


def free_port():
    import random
    while True:
        port = random.randrange(10000, 30000)
        with socket.socket() as s:
            try:
                s.bind(('127.0.0.1', port))
                return port
            except OSError:
                continue


def body(model, stream, prompt=PROMPT, max_tokens=200):
    return json.dumps({'model': model, 'stream': stream, 'max_tokens': max_tokens,
                       'messages': [{'role': 'user', 'content': prompt}]})


def cpu_seconds_of(pid):
    fields = open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rss_kib_of(pid):
    return int(re.search(r'VmRSS:\s+(\d+)', open(f'/proc/{pid}/status').read()).group(1))


def raise_file_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))


class Rig:
    def __init__(self, binaries):
        self.bin = binaries
        self.dir = tempfile.mkdtemp(prefix='signalbox-bench-')
        self.children = {}
        self.targets = {}    # variant -> (host, port, path, headers)
        self.processes = {}  # variant -> child names

    def spawn(self, name, *command):
        log = open(f'{self.dir}/{name}.log', 'wb')
        self.children[name] = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

    def wait(self, name, condition):
        end = time.time() + 60
        while time.time() < end:
            try:
                if condition():
                    return
            except (OSError, ValueError, KeyError, http.client.HTTPException):
                pass
            if self.children[name].poll() is not None:
                break
            time.sleep(0.05)
        sys.exit(f'{name} did not start:\n' + open(f'{self.dir}/{name}.log').read()[-3000:])

    def start(self):
        self.spawn('fleet', f'{self.bin}/provider-fleet', '--config', f'{HERE}/fleet.yaml', '--listen', '127.0.0.1:0', '--threads', '2',
                   '--port-file', f'{self.dir}/fleet.port', '--emit-catalogue', f'{self.dir}/catalogue.yaml')
        self.wait('fleet', lambda: open(f'{self.dir}/fleet.port').read().strip() and os.path.getsize(f'{self.dir}/catalogue.yaml'))
        fleet = int(open(f'{self.dir}/fleet.port').read())
        self.targets['direct'] = (fleet, '/bench/v1/chat/completions', {})
        self.processes['direct'] = []
        self.start_nginx(fleet)
        self.start_serve()
        self.start_cluster()

    def start_nginx(self, fleet):
        port = free_port()
        open(f'{self.dir}/nginx.conf', 'w').write(f'''
daemon off; pid {self.dir}/nginx.pid; error_log {self.dir}/nginx.err; worker_processes 2;
events {{ worker_connections 8192; }}
http {{
  access_log off; client_body_temp_path {self.dir}/t1; proxy_temp_path {self.dir}/t2; fastcgi_temp_path {self.dir}/t3;
  uwsgi_temp_path {self.dir}/t4; scgi_temp_path {self.dir}/t5; keepalive_requests 1000000000; client_body_buffer_size 64k;
  upstream fleet {{ server 127.0.0.1:{fleet}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://fleet/bench/v1/; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
  }}
}}''')
        self.spawn('nginx', '/usr/sbin/nginx', '-c', f'{self.dir}/nginx.conf', '-e', f'{self.dir}/nginx.err')
        self.wait('nginx', lambda: socket.create_connection(('127.0.0.1', port), 1).close() is None)
        self.targets['nginx'] = (port, '/chat/completions', {})
        self.processes['nginx'] = ['nginx']

    def ready(self, name):
        admin = json.load(open(f'{self.dir}/{name}.json'))['admin']
        connection = http.client.HTTPConnection(admin, timeout=1)
        connection.request('GET', '/readyz')
        return connection.getresponse().status == 200

    def config(self, name, text):
        path = f'{self.dir}/{name}.yaml'
        open(path, 'w').write(f'catalogue: ["{self.dir}/catalogue.yaml"]\n{text}')
        return path

    def key(self, config):
        return subprocess.run([f'{self.bin}/signalbox', 'keys', 'create', '--config', config, '--name', 'bench', '--quiet'],
                              check=True, capture_output=True, text=True).stdout.strip()

    def redis(self, name):
        path = f'{self.dir}/{name}.sock'
        self.spawn(name, 'redis-server', '--port', '0', '--unixsocket', path, '--dir', self.dir, '--appendonly', 'yes', '--appendfsync', 'always',
                   '--appendfilename', f'{name}.aof', '--appenddirname', f'{name}-aof', '--save', '', '--loglevel', 'warning')
        self.wait(name, lambda: os.path.exists(path))
        return f'redis: {{ scores: {{ address: "unix:{path}" }} }}\n'

    def start_serve(self):
        port = free_port()
        config = self.config('serve', self.redis('redis-serve') + f'ingress: {{ http_listen: "127.0.0.1:{port}" }}\n')
        self.spawn('signalbox', f'{self.bin}/signalbox', 'serve', '--config', config, '--addresses', f'{self.dir}/signalbox.json')
        self.wait('signalbox', lambda: self.ready('signalbox'))
        self.add('serve', port, config, ['signalbox', 'redis-serve'])

    def start_cluster(self):
        port, router, adapter, aggregator = (free_port() for _ in range(4))
        config = self.config('cluster', self.redis('redis-cluster') + f'''
ingress: {{ http_listen: "127.0.0.1:{port}", router_address: "127.0.0.1:{router}", adapter_address: "127.0.0.1:{adapter}" }}
router: {{ adapter_address: "127.0.0.1:{adapter}" }}
adapter: {{ aggregator_address: "127.0.0.1:{aggregator}" }}
''')
        services = {'metrics-aggregator': aggregator, 'provider-adapter': adapter, 'router-decision': router, 'ingress': free_port()}
        for name, listen in services.items():
            self.spawn(name, f'{self.bin}/{name}', '--config', config, '--listen', f'127.0.0.1:{listen}', '--addresses', f'{self.dir}/{name}.json')
        for name in services:
            self.wait(name, lambda: self.ready(name))
        self.add('cluster', port, config, [*services, 'redis-cluster'])

    def add(self, variant, port, config, children):
        self.targets[variant] = (port, '/api/v1/chat/completions', {'Authorization': 'Bearer ' + self.key(config)})
        self.processes[variant] = children
        self.wait(children[0], lambda: self.ask(variant, 'bench/whole') == 200)

    def ask(self, variant, model):
        port, path, headers = self.targets[variant]
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=10)
        connection.request('POST', path, body(model, False), {**headers, 'Content-Type': 'application/json'})
        return connection.getresponse().status

    def pids(self, variant):
        out = []
        for name in self.processes[variant]:
            pid = self.children[name].pid
            out.append(pid)
            out += [int(p) for p in open(f'/proc/{pid}/task/{pid}/children').read().split()]  # nginx workers
        return out

    def cpu_seconds(self, variant):
        return sum(cpu_seconds_of(pid) for pid in self.pids(variant))

    def rss_kib(self, variant):
        return sum(rss_kib_of(pid) for pid in self.pids(variant))

    def stop(self):
        for name in reversed(list(self.children)):
            child = self.children[name]
            child.send_signal(signal.SIGTERM)
        for child in self.children.values():
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()


def wrk(rig, variant, model, stream, connections, seconds, prompt=PROMPT, max_tokens=200):
    port, path, headers = rig.targets[variant]
    script = f'{rig.dir}/{variant}-{model.replace("/", "-")}.lua'
    with open(script, 'w') as f:
        f.write('wrk.method = "POST"\nwrk.body = [==[' + body(model, stream, prompt, max_tokens) + ']==]\nwrk.headers["Content-Type"] = "application/json"\n')
        for name, value in headers.items():
            f.write(f'wrk.headers["{name}"] = "{value}"\n')
        f.write('done = function(s, l, r) io.write(string.format("RESULT %d %d %d %d %d %d %d\\n", s.requests, s.duration, '
                'l:percentile(50), l:percentile(99), s.errors.status, s.errors.connect + s.errors.read + s.errors.write, s.errors.timeout)) end\n')
    before = rig.cpu_seconds(variant)
    out = subprocess.run(['wrk', '-t1', f'-c{connections}', f'-d{seconds}s', '--timeout', '20s', '-s', script, f'http://127.0.0.1:{port}{path}'],
                         capture_output=True, text=True, check=True).stdout
    cpu = rig.cpu_seconds(variant) - before
    n, micros, p50, p99, status, broken, timeouts = map(int, re.search(r'RESULT (.*)', out).group(1).split())
    return {'requests': n, 'rps': n / (micros / 1e6), 'cpu_us': cpu / max(n, 1) * 1e6, 'p50_us': p50, 'p99_us': p99,
            'failed': status + broken + timeouts}


def ttft(rig, variant, count):
    """Median microseconds from the last byte of the request to the first byte of the first content event."""
    port, path, headers = rig.targets[variant]
    payload = body('bench/trickle', True)
    head = f'POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n' + \
        ''.join(f'{k}: {v}\r\n' for k, v in headers.items()) + '\r\n'
    request = (head + payload).encode()
    samples = []
    for _ in range(count):
        with socket.create_connection(('127.0.0.1', port)) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            start = time.perf_counter()
            s.sendall(request)
            received = b''
            while b'"content":"' not in received:
                block = s.recv(65536)
                if not block:
                    sys.exit(f'{variant}: stream ended without content: {received[-300:]}')
                received += block
            samples.append((time.perf_counter() - start) * 1e6)
    return statistics.median(samples)


def open_streams(rig, variant, streams):
    """Sockets of streams that have begun and stay open."""
    port, path, headers = rig.targets[variant]
    payload = body('bench/open', True)
    head = f'POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n' + \
        ''.join(f'{k}: {v}\r\n' for k, v in headers.items()) + '\r\n'
    sockets = []
    for _ in range(streams):
        s = socket.create_connection(('127.0.0.1', port))
        s.sendall((head + payload).encode())
        sockets.append(s)
    for s in sockets:
        s.settimeout(20)
        received = b''
        while b'"content":"' not in received:
            block = s.recv(65536)
            if not block:
                break
            received += block
    return sockets


def memory(rig, variant, streams):
    """KiB per open stream over all processes of the variant."""
    before = rig.rss_kib(variant)
    sockets = open_streams(rig, variant, streams)
    grown = rig.rss_kib(variant) - before
    for s in sockets:
        s.close()
    return grown / streams


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--bin', required=True)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seconds', type=int, default=6)
    parser.add_argument('--streams', type=int, default=1000)
    parser.add_argument('--quick', action='store_true', help='one short round: does it run, does nothing fail')
    parser.add_argument('--json', default=os.path.join(ROOT, 'build', 'bench.json'))
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds, args.streams = 1, 2, 100

    raise_file_limit()

    rig = Rig(args.bin)
    results = {}
    try:
        rig.start()
        loads = [('whole, 32 connections', 'bench/whole', False, 32), ('whole, 1 connection', 'bench/whole', False, 1),
                 ('stream of 100 events in a burst, 8 connections', 'bench/burst', True, 8),
                 ('stream of 100 events every 10 ms, 64 connections', 'bench/trickle', True, 64)]
        for variant in VARIANTS:  # warm up
            wrk(rig, variant, 'bench/whole', False, 32, 1)
        for round_number in range(args.rounds):
            for name, model, stream, connections in loads:
                for variant in VARIANTS:
                    r = wrk(rig, variant, model, stream, connections, args.seconds)
                    results.setdefault(name, {}).setdefault(variant, []).append(r)
            for variant in VARIANTS:
                results.setdefault('ttft_us', {}).setdefault(variant, []).append(ttft(rig, variant, 20 if args.quick else 100))
            print(f'round {round_number + 1} of {args.rounds} done', file=sys.stderr)
        results['memory_kib_per_stream'] = {v: memory(rig, v, args.streams) for v in ('nginx', 'serve', 'cluster')}
    finally:
        rig.stop()
    os.makedirs(os.path.dirname(os.path.abspath(args.json)), exist_ok=True)
    json.dump(results, open(args.json, 'w'), indent=1)
    sys.exit(report(results, loads, args.quick))


def report(results, loads, quick):
    def median(name, variant, field):
        return statistics.median(r[field] for r in results[name][variant])

    failed = 0
    for name, *_ in loads:
        print(f'\n{name}')
        print(f'  {"":8} {"CPU µs/request":>15} {"× nginx":>8} {"p50 µs":>9} {"p99 µs":>9} {"added p50":>10} {"added p99":>10} {"requests/s":>11} {"failed":>7}')
        for variant in VARIANTS:
            get = lambda field: median(name, variant, field)
            cpu = get('cpu_us')
            ratio = cpu / median(name, 'nginx', 'cpu_us') if variant != 'direct' else 0
            lost = sum(r['failed'] for r in results[name][variant])
            failed += lost
            print(f'  {variant:8} {cpu:15.1f} {ratio:8.2f} {get("p50_us"):9.0f} {get("p99_us"):9.0f} '
                  f'{get("p50_us") - median(name, "direct", "p50_us"):10.0f} {get("p99_us") - median(name, "direct", "p99_us"):10.0f} {get("rps"):11.0f} {lost:7d}')
    base = statistics.median(results['ttft_us']['direct'])
    print('\ntime to first token, added to direct (median of medians)')
    for variant in VARIANTS[1:]:
        print(f'  {variant:8} {statistics.median(results["ttft_us"][variant]) - base:8.0f} µs')
    print('\nmemory per open stream, all processes of the variant')
    for variant, kib in results['memory_kib_per_stream'].items():
        print(f'  {variant:8} {kib:8.1f} KiB')
    code = 0
    for variant, bar in BARS.items():
        ratio = median(loads[0][0], variant, 'cpu_us') / median(loads[0][0], 'nginx', 'cpu_us')
        verdict = 'met' if ratio <= bar else 'MISSED'
        print(f'\nbar: {variant} <= {bar:g} × nginx CPU per request: {ratio:.2f} × ({verdict})', end='')
        if ratio > bar and not quick:
            code = 1
    print(f'\nfailed requests: {failed}')
    return 1 if failed else code


if __name__ == '__main__':
    main()
