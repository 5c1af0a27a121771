"""Redis as the cluster sees it: one server, or a primary with replicas under three sentinels, with TLS and passwords."""
import os
import signal

from redis_client import Redis, answers

PASSWORD = 'cluster-test-password'
MASTER = 'signalbox'


def data_folder(name):
    """In memory, for as long as the run lasts: how fast the disk of this machine writes is not what is tested."""
    folder = os.path.join('/run', name)
    os.mkdir(folder)
    return folder


class SingleRedis:
    def __init__(self, world):
        from world import Container, ZONE, until
        self.world = world
        self.pod = world.network.add('redis')
        self.name = f'redis.{ZONE}'
        folder = data_folder('redis')
        self.container = Container(world, self.pod, ['redis-server', '--bind', self.pod.address, '--protected-mode', 'no', '--dir', folder,
                                                     '--appendonly', 'yes', '--appendfsync', 'always', '--save', '', '--maxmemory-policy',
                                                     'noeviction'])
        world.name_address(self.name, [self.pod.address])
        until('Redis', lambda: answers(self.client))

    def client(self):
        return Redis(self.pod.address)

    def send(self, sig):
        self.container.send(sig)

    def config(self):
        return f'{{ address: "{self.name}:6379" }}'

    def stop(self):
        self.container.stop()


class SentinelRedis:
    """`servers` Redis servers and three sentinels, every one in its own pod under its own name; TLS only, passwords everywhere."""
    SENTINELS = 3
    DOWN_AFTER_MS = 2000

    def __init__(self, world):
        from world import Container, ZONE, until
        self.world = world
        self.count = 1 + world.args.redis_replicas
        names = [f'redis-{i}.{ZONE}' for i in range(self.count)]
        sentinel_names = [f'sentinel-{i}.{ZONE}' for i in range(self.SENTINELS)]
        self.ca, self.cert, self.key = world.authority.issue('redis', names + sentinel_names)
        self.password_file = os.path.join(world.folder, 'redis-password')
        with open(self.password_file, 'w') as file:
            file.write(PASSWORD + '\n')
        self.servers, self.sentinels, self.sentinel_names = [], [], sentinel_names
        for index, name in enumerate(names):
            pod = world.network.add(f'redis-{index}')
            world.name_address(name, [pod.address])
            self.servers.append(self.start_server(Container, pod, index, names))
        until('the Redis servers', lambda: all(answers(lambda: self.at(c.pod.address)) for c in self.servers))
        for index, name in enumerate(sentinel_names):
            pod = world.network.add(f'sentinel-{index}')
            world.name_address(name, [pod.address])
            self.sentinels.append(self.start_sentinel(Container, pod, index, names[0]))
        until('the sentinels to know each other and the replicas', self.complete)

    def tls_lines(self, port):
        return [f'port 0', f'tls-port {port}', f'tls-cert-file {self.cert}', f'tls-key-file {self.key}', f'tls-ca-cert-file {self.ca}',
                'tls-auth-clients no', 'tls-replication yes']

    def start_server(self, container, pod, index, names):
        folder = data_folder(pod.name)
        lines = self.tls_lines(6379) + [
            f'bind {pod.address}', 'protected-mode no', f'dir {folder}', 'appendonly yes', 'appendfsync always', 'save ""',
            'maxmemory-policy noeviction', f'requirepass {PASSWORD}', f'masterauth {PASSWORD}', f'replica-announce-ip {names[index]}',
            'repl-diskless-sync-delay 0', f'min-replicas-to-write {self.world.args.redis_wait}', 'min-replicas-max-lag 3']
        if index > 0:
            lines.append(f'replicaof {names[0]} 6379')
        path = os.path.join(folder, 'redis.conf')
        with open(path, 'w') as file:
            file.write('\n'.join(lines) + '\n')
        return container(self.world, pod, ['redis-server', path])

    def start_sentinel(self, container, pod, index, primary):
        folder = data_folder(pod.name)
        lines = self.tls_lines(26379) + [
            f'bind {pod.address}', 'protected-mode no', f'dir {folder}', f'requirepass {PASSWORD}', 'sentinel resolve-hostnames yes',
            'sentinel announce-hostnames yes', f'sentinel announce-ip {self.sentinel_names[index]}', f'sentinel sentinel-pass {PASSWORD}',
            f'sentinel monitor {MASTER} {primary} 6379 2', f'sentinel auth-pass {MASTER} {PASSWORD}',
            f'sentinel down-after-milliseconds {MASTER} {self.DOWN_AFTER_MS}', f'sentinel failover-timeout {MASTER} 10000',
            f'sentinel parallel-syncs {MASTER} 1']
        path = os.path.join(folder, 'sentinel.conf')
        with open(path, 'w') as file:
            file.write('\n'.join(lines) + '\n')
        return container(self.world, pod, ['redis-server', path, '--sentinel'])

    def at(self, address, port=6379):
        return Redis(address, port, PASSWORD, self.ca)

    def ask_sentinels(self, *words):
        for sentinel in self.sentinels:
            try:
                with self.at(sentinel.pod.address, 26379) as client:
                    return client.call(*words)
            except (OSError, RuntimeError):
                continue
        return None

    def complete(self):
        """All sentinels know each other and every replica, and every replica is in step."""
        try:
            for sentinel in self.sentinels:
                with self.at(sentinel.pod.address, 26379) as client:
                    flat = client.call('SENTINEL', 'MASTER', MASTER)
                    facts = dict(zip(flat[::2], flat[1::2]))
                    if facts['num-other-sentinels'] != str(self.SENTINELS - 1) or facts['num-slaves'] != str(self.count - 1):
                        return False
            return self.replicas_in_step() == self.count - 1
        except (OSError, RuntimeError, KeyError, TypeError):
            return False

    def replicas_in_step(self):
        with self.client() as client:
            info = client.call('INFO', 'replication')
            return info.count('state=online')

    def primary(self):
        """The server the sentinels call primary, or None."""
        answer = self.ask_sentinels('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER)
        if not answer:
            return None
        for server in self.servers:
            if answer[0] in (server.pod.address, f'{server.pod.name}.sb.svc.cluster.local'):
                return server
        return None

    def send(self, sig):
        """To the server that is the primary, also while that one does not answer."""
        self.primary().send(sig)

    def client(self):
        primary = self.primary()
        if primary is None:
            raise OSError('no primary')
        return self.at(primary.pod.address)

    def config(self):
        addresses = ', '.join(f'"{name}:26379"' for name in self.sentinel_names)
        tls, password = f'{{ ca_file: "{self.ca}" }}', f'{{ file: "{self.password_file}" }}'
        return (f'{{ sentinel: {{ master_name: {MASTER}, addresses: [{addresses}], password: {password}, tls: {tls} }}, password: {password}, '
                f'tls: {tls}, replicas: {self.world.args.redis_wait} }}')

    def stop(self):
        for container in self.sentinels + self.servers:
            container.send(signal.SIGCONT)
            container.stop()
