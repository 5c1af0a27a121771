"""The cluster: pods with the real executables, the kubelet that probes them and keeps DNS and the ingress Service's targets in step,
Deployments that roll and scale, and the load upon it all."""
import collections
import hashlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import redis_servers
from certificates import Authority
from network import Network

HERE = os.path.dirname(os.path.abspath(__file__))
ZONE = 'sb.svc.cluster.local'
SERVICES = ('metrics-aggregator', 'provider-adapter', 'router-decision', 'ingress')  # the innermost first
RESTART_BACKOFF = 1.0  # kubelet restarts a container that died
PROBE_FAILURES = 3     # … and takes it for unready after so many probes without an answer
PROXY_LAG = 0.5        # between a change of the ready addresses and kube-proxy's rules


def service_name(component):
    return f'signalbox-{component}.{ZONE}'


def say(text):
    print(text, flush=True)


def until(what, condition, timeout=60, step=0.05):
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise RuntimeError(f'timed out waiting for {what}')
        time.sleep(step)


def key_hash(key):
    """Under which the store keeps a client key."""
    return hashlib.sha256(key.encode()).hexdigest()


def http_get(address, port, path, timeout):
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request('GET', path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


class Container:
    """A process in a pod."""

    def __init__(self, world, pod, command, env=None):
        self.world, self.pod, self.command, self.env = world, pod, command, env
        self.log = os.path.join(world.folder, f'{pod.name}.log')
        self.process = None
        self.start()

    def start(self):
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(self.pod.command(*self.command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, env={**os.environ, **(self.env or {})})

    def send(self, sig):
        if self.process.poll() is None:
            self.process.send_signal(sig)

    def running(self):
        return self.process.poll() is None

    def stop(self, timeout=10):
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self.process.wait()

    def tail(self, lines=12):
        with open(self.log, errors='replace') as log:
            return ''.join(log.readlines()[-lines:])


class Replica(Container):
    """A pod of one of our services, with what the kubelet knows of it."""

    def __init__(self, world, component, pod):
        self.component = component
        self.ready = False
        self.deleted = False       # terminating: out of DNS, SIGTERM sent
        self.exit_expected = False  # a scenario killed it
        self.restarts = 0
        self.created = time.time()
        self.ready_since = None
        self.exited = None
        self.term_at = None
        super().__init__(world, pod, [os.path.join(world.args.bin, component), '--config', world.config])
        threading.Thread(target=self.kubelet, daemon=True).start()

    @property
    def name(self):
        return self.pod.name

    def probe(self):
        try:
            return http_get(self.pod.address, 9091, '/readyz', 1)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def set_ready(self, ready):
        if ready != self.ready:
            self.ready_since = time.time() if ready else None
            self.ready = ready
            self.world.publish()

    def kubelet(self):
        failures = 0
        while not self.world.closing.is_set():
            if self.process.poll() is not None:
                if self.deleted:
                    self.exited = self.exited or time.time()
                    return
                self.set_ready(False)
                if not self.exit_expected:
                    self.world.complain(f'{self.name} ended with {self.process.returncode}:\n{self.tail()}')
                self.exit_expected = False
                time.sleep(RESTART_BACKOFF)
                self.restarts += 1
                self.start()
            elif not self.deleted:
                if self.probe():
                    failures = 0
                    if not self.deleted:
                        self.set_ready(True)
                else:
                    failures += 1
                    if failures >= PROBE_FAILURES or not self.ready:
                        self.set_ready(False)
            # Exits are seen soon, probes come once a second.
            for _ in range(20):
                if self.process.poll() is not None or self.world.closing.is_set():
                    break
                time.sleep(0.05)

    def kill(self):
        self.exit_expected = True
        self.send(signal.SIGKILL)

    def delete(self):
        """What Kubernetes does when a pod is deleted: out of the ready addresses at once, SIGTERM at the same time."""
        self.deleted = True
        self.ready = False
        self.world.publish()
        self.term_at = time.time()
        self.world.goodbyes.append((self.component, self.pod.address, self.term_at))
        self.send(signal.SIGTERM)

    def wait_exit(self):
        """Seconds since SIGTERM; complains about a wrong exit or one after the grace."""
        grace = self.world.grace
        try:
            code = self.process.wait(max(0.1, self.term_at + grace - time.time()))
        except subprocess.TimeoutExpired:
            self.world.complain(f'{self.name} was still running {grace:.0f} s after SIGTERM:\n{self.tail()}')
            self.send(signal.SIGKILL)
            code = self.process.wait()
        took = (self.exited or time.time()) - self.term_at
        if code != 0:
            self.world.complain(f'{self.name} exited with {code} after SIGTERM:\n{self.tail()}')
        self.world.forget(self)
        return took

    def metrics(self):
        """{'series{labels}': value}; empty while it cannot be asked."""
        try:
            text = http_get(self.pod.address, 9091, '/metrics', 2)[1]
        except (OSError, http.client.HTTPException):
            return {}
        samples = {}
        for line in text.split('\n'):
            match = re.match(r'([a-zA-Z_:][^ ]*(?: [^ ]+)*?) (-?[0-9.eE+-]+|NaN|[+-]Inf)$', line)
            if match and not line.startswith('#'):
                samples[match.group(1)] = float(match.group(2))
        return samples

    def counter(self, series):
        """The sum over all label sets; None while it cannot be asked."""
        samples = self.metrics()
        if not samples:
            return None
        return sum(value for name, value in samples.items() if name == series or name.startswith(series + '{'))


class Load:
    """Clients in a namespace of their own (load.py), and what they reported."""

    def __init__(self, world):
        self.world = world
        args = world.args
        self.records = []
        self.lock = threading.Lock()
        self.began = time.time()
        self.process = subprocess.Popen(
            world.client_pod.command(sys.executable, os.path.join(HERE, 'load.py'), '--key', world.key, '--rate', str(args.rate),
                                     '--clients', str(args.clients), '--streams', str(args.streams), '--stream-seconds', str(args.stream_seconds)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.stopped = threading.Event()
        threading.Thread(target=self.listen, daemon=True).start()
        world.load = self
        world.publish(now=True)

    def listen(self):
        for line in self.process.stdout:
            record = json.loads(line)
            if 'stopped' in record:
                break
            with self.lock:
                self.records.append(record)
        self.stopped.set()

    def order(self, **order):
        try:
            self.process.stdin.write(json.dumps(order) + '\n')
            self.process.stdin.flush()
        except OSError:
            pass

    def snapshot(self):
        with self.lock:
            return list(self.records)

    def stop(self):
        """Waits for what runs; returns the records."""
        self.world.load = None
        self.order(stop=True)
        if not self.stopped.wait(self.world.args.stream_seconds + 90):
            self.world.complain('the load did not end')
            self.process.kill()
        self.process.wait()
        self.took = time.time() - self.began
        return self.snapshot()


class World:
    def __init__(self, folder, args):
        self.folder, self.args = folder, args
        self.lock = threading.RLock()
        self.closing = threading.Event()
        self.complaints = []
        self.goodbyes = []  # (component, address, time of SIGTERM) of every pod that was deleted
        self.load = None
        self.dns_mode = 'normal'
        self.numbers = collections.Counter()
        self.replicas = {component: [] for component in SERVICES}
        self.fixed = {}  # names that do not change: Redis, fleet
        self.drain_timeout = args.stream_seconds + 40
        self.grace = args.drain_notice + self.drain_timeout + 30
        self.network = Network(folder, args.family)
        self.state_file = os.path.join(folder, 'dns.json')
        self.dns_log = os.path.join(folder, 'dns-queries.log')
        self.config = os.path.join(folder, 'signalbox.yaml')
        self.parts = []

    # --- what everything stands on ---

    def start(self):
        self.publish()
        dns = self.network.add('dns')
        assert dns.address == self.network.dns_address
        self.parts.append(Container(self, dns, [sys.executable, os.path.join(HERE, 'dns_server.py'), '--state', self.state_file, '--log',
                                                self.dns_log, '--listen', dns.address]))
        self.dns = self.parts[-1]
        self.client_pod = self.network.add('client')
        self.authority = Authority(self.folder) if self.args.tls or self.args.sentinel else None
        self.redis = (redis_servers.SentinelRedis if self.args.sentinel else redis_servers.SingleRedis)(self)
        self.start_fleet()
        self.write_config()
        self.check_config()
        counts = {'ingress': self.args.ingress, 'router-decision': self.args.routers, 'provider-adapter': self.args.adapters,
                  'metrics-aggregator': self.args.aggregators}
        for component in SERVICES:
            for _ in range(counts[component]):
                self.add_replica(component)
        for component in SERVICES:
            self.wait_ready(component)
        self.key = self.create_key('cluster')
        self.key_hash = key_hash(self.key)
        with self.redis.client() as client:
            assert client.call('EXISTS', f'sb:key:{{{self.key_hash}}}') == 1

    def start_fleet(self):
        pod = self.network.add('provider-fleet')
        catalogue, port_file = os.path.join(self.folder, 'fleet-catalogue.yaml'), os.path.join(self.folder, 'fleet.port')
        any_address = '::' if self.args.family == 6 else '0.0.0.0'
        self.parts.append(Container(self, pod, [os.path.join(self.args.bin, 'provider-fleet'), '--config', os.path.join(HERE, 'fleet.yaml'),
                                                '--listen', f'{any_address}:8000', '--port-file', port_file, '--emit-catalogue', catalogue]))
        fleet = self.parts[-1]
        until('the fleet', lambda: (os.path.exists(port_file) and os.path.exists(catalogue)) or not fleet.running())
        if not fleet.running():
            raise RuntimeError(f'the fleet did not start:\n{fleet.tail()}')
        self.name_address(f'provider-fleet.{ZONE}', [pod.address])
        with open(catalogue) as file:
            text = file.read()
        self.catalogue = os.path.join(self.folder, 'catalogue.yaml')
        with open(self.catalogue, 'w') as file:
            file.write(text.replace('http://127.0.0.1:8000/', f'http://provider-fleet.{ZONE}:8000/'))

    def write_config(self):
        args, any_address = self.args, '[::]' if self.args.family == 6 else '0.0.0.0'
        host = [f'listen: "{any_address}:9090"', f'admin: "{any_address}:9091"', f'drain_notice: {args.drain_notice:g}s',
                f'drain_timeout: {self.drain_timeout:g}s']
        if args.max_connection_age:
            host.append(f'max_connection_age: {args.max_connection_age:g}s')
        if args.tls:
            ca, cert, key = self.authority.issue('services', [service_name(c) for c in SERVICES])
            host.append(f'tls: {{ ca_file: "{ca}", cert_file: "{cert}", key_file: "{key}" }}')
        address = lambda component: f'"dns:///{service_name(component)}:9090"'
        sections = {
            'host': host,
            'redis': [f'scores: {self.redis.config()}'],
            'ingress': [f'http_listen: "{any_address}:8080"', f'router_address: {address("router-decision")}',
                        f'adapter_address: {address("provider-adapter")}'],
            'router': [f'adapter_address: {address("provider-adapter")}'],
            'adapter': [f'aggregator_address: {address("metrics-aggregator")}'],
        }
        with open(self.config, 'w') as file:
            file.write(f'catalogue: ["{self.catalogue}"]\n')
            for section, lines in sections.items():
                file.write(f'{section}:\n' + ''.join(f'  {line}\n' for line in lines))

    def check_config(self):
        result = subprocess.run([os.path.join(self.args.bin, 'ingress'), '--config', self.config, '--check_config'], capture_output=True, text=True)
        if result.returncode != 0:
            raise RuntimeError(f'the configuration was refused:\n{result.stdout}{result.stderr}')

    def create_key(self, name):
        result = subprocess.run([os.path.join(self.args.bin, 'signalbox'), 'keys', 'create', '--config', self.config, '--name', name, '--quiet'],
                                capture_output=True, text=True)
        if result.returncode != 0:
            raise RuntimeError(f'signalbox keys create: {result.stderr}')
        return result.stdout.strip()

    # --- Deployments ---

    def add_replica(self, component):
        with self.lock:
            self.numbers[component] += 1
            pod = self.network.add(f'{component}-{self.numbers[component]}')
            replica = Replica(self, component, pod)
            self.replicas[component].append(replica)
            return replica

    def wait_ready(self, component, timeout=60):
        until(f'{component} to be ready', lambda: all(r.ready for r in self.replicas[component] if not r.deleted), timeout)

    def remove_replica(self, component, replica=None):
        replica = replica or self.replicas[component][-1]
        replica.delete()
        return replica.wait_exit()

    def roll(self, component, wait_for_exit=True):
        """A Deployment with maxSurge 1, maxUnavailable 0 and minReadySeconds. Seconds from SIGTERM to exit of each old replica."""
        exits = []
        old = list(self.replicas[component])
        for replica in old:
            fresh = self.add_replica(component)
            until(f'{fresh.name} to be available', lambda: fresh.ready and time.time() - fresh.ready_since >= self.args.min_ready_seconds)
            replica.delete()
            if wait_for_exit:
                exits.append(replica.wait_exit())
        if not wait_for_exit:
            exits = [replica.wait_exit() for replica in old]
        return exits

    def forget(self, replica):
        with self.lock:
            self.replicas[replica.component].remove(replica)
        self.network.remove(replica.pod)

    # --- what clients of DNS and of the ingress Service see ---

    def name_address(self, name, addresses):
        with self.lock:
            self.fixed[name + '.'] = addresses
        self.publish()

    def ready_addresses(self, component):
        return [r.pod.address for r in self.replicas[component] if r.ready and not r.deleted]

    def publish(self, now=False):
        with self.lock:
            records = dict(self.fixed)
            for component in SERVICES:
                records[service_name(component) + '.'] = self.ready_addresses(component)
            with open(self.state_file + '.new', 'w') as file:
                json.dump({'mode': self.dns_mode, 'ttl': self.args.dns_ttl, 'zone': 'svc.cluster.local.', 'records': records}, file)
            os.replace(self.state_file + '.new', self.state_file)
        if self.load is None:
            return
        if now:
            self.retarget()
        else:
            timer = threading.Timer(PROXY_LAG, self.retarget)
            timer.daemon = True
            timer.start()

    def retarget(self):
        load = self.load
        if load is not None:
            load.order(targets=self.ready_addresses('ingress'))

    def set_dns_mode(self, mode):
        self.dns_mode = mode
        self.publish()

    def dns_queries(self, since):
        """Queries for our inner services since then: [(name, type, answer)]."""
        found = []
        with open(self.dns_log) as log:
            for line in log:
                at, name, kind, answer = line.rstrip('\n').split(' ', 3)
                if float(at) >= since and name.startswith('signalbox-') and name.endswith(f'.{ZONE}.') and kind in ('A', 'AAAA'):
                    found.append((name, kind, answer))
        return found

    # --- books ---

    def complain(self, text):
        with self.lock:
            self.complaints.append(text)

    def take_complaints(self):
        with self.lock:
            taken, self.complaints = self.complaints, []
            return taken

    def settled(self):
        """Number and cost (nano-USD) of what the store charged to the key so far."""
        with self.redis.client() as client:
            number, nano = client.call('HMGET', f'sb:usage:{{{self.key_hash}}}:total', 'n', 'nano')
            return int(number or 0), int(nano or 0)

    def missing_generations(self, ids):
        missing = []
        with self.redis.client() as client:
            for at in range(0, len(ids), 500):
                part = ids[at:at + 500]
                there = client.pipeline([('EXISTS', f'sb:gen:{{{self.key_hash}}}:{i}') for i in part])
                missing += [i for i, found in zip(part, there) if not found]
        return missing

    def missing_keys(self, keys):
        hashes = [key_hash(key) for key in keys]
        with self.redis.client() as client:
            there = client.pipeline([('EXISTS', f'sb:key:{{{h}}}') for h in hashes])
        return [h for h, found in zip(hashes, there) if not found]

    def stop(self):
        """Everything is asked to stop as a pod is; complains about what does not."""
        for component in reversed(SERVICES):
            replicas = list(self.replicas[component])
            for replica in replicas:
                replica.delete()
            for replica in replicas:
                replica.wait_exit()
        self.closing.set()
        self.redis.stop()
        for part in reversed(self.parts):
            part.stop()
