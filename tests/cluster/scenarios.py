"""What happens to the cluster under load, each scenario with its own conditions. A scenario returns a Verdict."""
import collections
import http.client
import json
import signal
import socket
import ssl
import threading
import time

from judge import Verdict, during
from world import PROXY_LAG, RESTART_BACKOFF, SERVICES, Load, say, until

EDGE_FIRST = tuple(reversed(SERVICES))
CALLS = {'ingress': 'signalbox_ingress_requests_total', 'router-decision': 'signalbox_router_decisions_total',
         'provider-adapter': 'signalbox_adapter_attempts_total', 'metrics-aggregator': 'signalbox_aggregator_batches_total'}
SHARE = 0.6            # of an equal share
SHARE_SECONDS = 30     # within which a new replica has it
# Over how many seconds the share is judged, from when (seconds after it was ready). Outcomes are balanced by stream, not by call: few
# placements, so a longer look.
JUDGED = {component: (22, 30) for component in CALLS} | {'metrics-aggregator': (15, 45)}
FREEZE_SECONDS = 10
DNS_SECONDS = 20


class UnderLoad:
    """with UnderLoad(world) as load: …; afterwards load.verdict."""

    def __init__(self, world, warm_up=4):
        self.world, self.warm_up = world, warm_up

    def __enter__(self):
        self.before = self.world.settled()
        self.load = Load(self.world)
        time.sleep(self.warm_up)
        return self

    def __exit__(self, kind, *_):
        records = self.load.stop()
        if kind is None:
            self.verdict = Verdict(self.world, records, self.load.began, self.load.took, self.before)


def roll(world):
    """Every Deployment one after another, each old replica waited for."""
    exits = {}
    with UnderLoad(world) as run:
        for component in EDGE_FIRST:
            begun = time.time()
            exits[component] = world.roll(component)
            say(f'    {component}: {len(exits[component])} replicas replaced in {time.time() - begun:.0f} s')
    verdict = run.verdict
    verdict.traffic(least=300)
    for component, took in exits.items():
        verdict.note(f'{component}: SIGTERM to exit {min(took):.1f} … {max(took):.1f} s (grace {world.grace:.0f} s)')
    verdict.goodbyes()
    verdict.excuse()
    verdict.books()
    return verdict


def upgrade(world):
    """All four Deployments at the same time, without waiting for the old replicas to be gone: what an upgrade of the chart does."""
    exits, errors = {}, []

    def one(component):
        try:
            exits[component] = world.roll(component, wait_for_exit=False)
        except Exception as error:  # reported by the scenario, not by a dead thread
            errors.append(f'{component}: {error}')
    with UnderLoad(world) as run:
        threads = [threading.Thread(target=one, args=(component,)) for component in EDGE_FIRST]
        begun = time.time()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.time() - begun
        time.sleep(3)
    verdict = run.verdict
    verdict.traffic(least=200)
    for error in errors:
        verdict.fail(error)
    verdict.note(f'all four replaced in {took:.0f} s; longest from SIGTERM to exit {max(max(t) for t in exits.values()):.1f} s')
    verdict.goodbyes()
    verdict.excuse()
    verdict.books()
    return verdict


class Shares:
    """Calls per replica of one service, sampled every half second."""

    def __init__(self, world, component):
        self.world, self.component, self.samples = world, component, []

    def sample(self):
        values = {}
        for replica in list(self.world.replicas[self.component]):
            value = replica.counter(CALLS[self.component])
            if value is not None:
                values[replica.name] = value
        self.samples.append((time.time(), values))

    def of(self, name, since, until_):
        """(calls of `name` ÷ an equal share, calls of all) between two times; None without two samples."""
        inside = [s for s in self.samples if since <= s[0] <= until_]
        if len(inside) < 2:
            return None
        first, last = inside[0][1], inside[-1][1]
        deltas = {n: last[n] - first.get(n, 0) for n in last}
        total = sum(deltas.values())
        return (deltas.get(name, 0) / (total / len(deltas)) if total else 0.0), total


def scale_one(world, component, verdict_notes, problems):
    # The counters of a new process begin at zero, so the first sample without it counts it from zero.
    fresh = world.add_replica(component)
    until(f'{fresh.name} to be ready', lambda: fresh.ready)
    ready = fresh.ready_since
    shares = Shares(world, component)
    reached = None
    since, end = JUDGED[component]
    while time.time() < ready + end:
        shares.sample()
        now = shares.samples[-1][0]
        window = shares.of(fresh.name, now - 5, now)
        if reached is None and now - ready >= 2 and window and window[1] >= 20 and window[0] >= SHARE:
            reached = now - ready
        time.sleep(0.5)
    final = shares.of(fresh.name, ready + since, ready + end) or (0.0, 0)
    number = len(world.replicas[component])
    verdict_notes.append(f'{component} {number - 1} → {number}: {SHARE:.0%} of an equal share after '
                         f'{"–" if reached is None else f"{reached:.0f} s"}; {final[0]:.0%} of it from {since} to {end} s ({final[1]:.0f} calls)')
    say(f'    {verdict_notes[-1]}')
    if reached is None or reached > SHARE_SECONDS:
        problems.append(f'{component}: the new replica did not have {SHARE:.0%} of an equal share within {SHARE_SECONDS} s')
    if final[0] < SHARE or final[1] < 20:
        problems.append(f'{component}: the new replica has {final[0]:.0%} of an equal share from {since} to {end} s after it was ready')
    return fresh


def conclude(run, notes, problems=(), least=300):
    """What a scenario without excuses comes to: enough traffic, nothing failed, the books exact, and what it noted itself."""
    verdict = run.verdict
    verdict.traffic(least=least)
    for note in notes:
        verdict.note(note)
    for problem in problems:
        verdict.fail(problem)
    verdict.excuse()
    verdict.books()
    return verdict


def scale(world):
    """One replica more of each service, then one less."""
    notes, problems = [], []
    with UnderLoad(world) as run:
        for component in ('router-decision', 'provider-adapter', 'metrics-aggregator', 'ingress'):
            fresh = scale_one(world, component, notes, problems)
            took = world.remove_replica(component, fresh)
            notes.append(f'{component} back to {len(world.replicas[component])}: SIGTERM to exit {took:.1f} s')
    return conclude(run, notes, problems)


def excuse_of(component, address, at, back):
    """Which failures the sudden end of one replica excuses: nothing before the first content, but for the ingress' own connections."""
    def excused(record):
        if component == 'provider-adapter' and record['outcome'] == 'error_event' and record['content'] and during(record, at - 0.2, back):
            return 'streams of the lost adapter that ended with an error chunk'
        if component == 'ingress' and record['address'] == address and during(record, at - 0.2, back) and record['outcome'] in (
                'connect', 'reset', 'cut', 'timeout'):
            return 'requests on connections to the lost ingress'
        return None
    return excused


def any_of(excuses):
    return lambda record: next((name for name in (excuse(record) for excuse in excuses) if name), None)


def allowed(verdict, excuse, at):
    hit = [r for r in verdict.failures() if excuse(r)]
    last = max((r['start'] + r['took'] for r in hit), default=at) - at
    return f'{len(hit)} allowed failures, the last {last:.1f} s after'


def meanwhile(verdict, since, until_):
    """How long clients waited for whole answers that were under way then."""
    first = [r['first'] for r in verdict.of('whole') if r['outcome'] == 'ok' and during(r, since, until_)]
    return f'{len(first)} whole answers meanwhile, {sum(1 for f in first if f > 1)} took longer than 1 s, longest {max(first, default=0):.1f} s'


def kill(world):
    """SIGKILL for one replica of each service; kubelet starts it again in its pod."""
    events, problems = [], []
    with UnderLoad(world) as run:
        for component in EDGE_FIRST:
            victim = world.replicas[component][0]
            at = time.time()
            victim.kill()
            until(f'{victim.name} to be down', lambda: not victim.ready)
            until(f'{victim.name} to be ready again', lambda: victim.ready)
            ready = time.time()
            while (victim.counter(CALLS[component]) or 0) == 0:
                if time.time() > ready + SHARE_SECONDS:
                    problems.append(f'{victim.name} got no call within {SHARE_SECONDS} s after it was ready again')
                    break
                time.sleep(0.1)
            events.append((component, victim.pod.address, at, ready, time.time()))
            say(f'    {component}: ready again after {ready - at:.1f} s, used again after {time.time() - at:.1f} s')
            time.sleep(2 if world.args.quick else 4)
    verdict = run.verdict
    verdict.traffic(least=200)
    for problem in problems:
        verdict.fail(problem)
    excuses = []
    for component, address, at, ready, used in events:
        # New connections find the dead ingress until its address is gone from kube-proxy's rules.
        back = at + RESTART_BACKOFF + PROXY_LAG + 1.0 if component == 'ingress' else used
        excuses.append(excuse_of(component, address, at, back))
        verdict.note(f'{component} killed: ready again after {ready - at:.1f} s, used again after {used - at:.1f} s; {allowed(verdict, excuses[-1], at)}')
    verdict.excuse(any_of(excuses))
    edge = [(address, at) for component, address, at, _, _ in events if component == 'ingress']
    verdict.books(exact=False, lost_excused=lambda r: any(r['address'] == a and t - 1 <= r['start'] + r['took'] <= t + 0.2 for a, t in edge))
    return verdict


def freeze(world):
    """SIGSTOP for a router, then for an adapter; thawed after ten seconds."""
    spans = []
    with UnderLoad(world) as run:
        for component in ('router-decision', 'provider-adapter'):
            victim = world.replicas[component][0]
            since = time.time()
            victim.send(signal.SIGSTOP)
            time.sleep(FREEZE_SECONDS)
            victim.send(signal.SIGCONT)
            spans.append((component, since, time.time()))
            until(f'{victim.name} to be ready again', lambda: victim.ready)
            time.sleep(5)
    verdict = run.verdict
    verdict.traffic(least=200, patience=FREEZE_SECONDS + 3)
    for component, since, end in spans:
        verdict.note(f'{component} frozen for {FREEZE_SECONDS} s: {meanwhile(verdict, since, end)}')
    verdict.excuse()
    verdict.books()
    return verdict


def cold(world):
    """Redis does not answer for half a second just when a new ingress, which knows no key yet, gets its first requests."""
    answers = collections.Counter()

    def ask(address):
        body = json.dumps({'model': 'cluster/quick', 'messages': [{'role': 'user', 'content': 'Say hello.'}]})
        connection = http.client.HTTPConnection(address, 8080, timeout=10)
        try:
            connection.request('POST', '/api/v1/chat/completions', body, {'Authorization': f'Bearer {world.key}', 'Content-Type': 'application/json'})
            answers[connection.getresponse().status] += 1
        except (OSError, http.client.HTTPException) as error:
            answers[type(error).__name__] += 1
        finally:
            connection.close()
    rounds = 4
    with UnderLoad(world) as run:
        for _ in range(rounds):
            fresh = world.add_replica('ingress')
            until(f'{fresh.name} to be ready', lambda: fresh.ready, step=0.01)
            world.redis.send(signal.SIGSTOP)
            threads = [threading.Thread(target=ask, args=(fresh.pod.address,)) for _ in range(5)]
            for thread in threads:
                thread.start()
            time.sleep(0.5)
            world.redis.send(signal.SIGCONT)
            for thread in threads:
                thread.join()
            time.sleep(2)
            world.remove_replica('ingress', fresh)
    verdict = run.verdict
    verdict.traffic(least=100)
    verdict.note('requests to a new ingress while Redis was frozen: ' + ', '.join(f'{k}: {v}' for k, v in answers.items()))
    if answers != {200: 5 * rounds}:
        verdict.fail('not all of them were answered')
    verdict.excuse()
    verdict.books(exact=False)
    return verdict


def vanish(world):
    """A node is lost: packets of one replica vanish without a word; after 20 s its pod is replaced."""
    events = []
    with UnderLoad(world) as run:
        for component in ('router-decision', 'provider-adapter', 'metrics-aggregator'):
            victim = world.replicas[component][0]
            at = time.time()
            victim.pod.set_link(up=False)
            time.sleep(20)
            fresh = world.add_replica(component)
            until(f'{fresh.name} to be ready', lambda: fresh.ready)
            victim.deleted = True
            victim.kill()
            victim.process.wait()
            world.publish()
            world.forget(victim)
            events.append((component, victim.pod.address, at, time.time()))
            time.sleep(5)
    verdict = run.verdict
    verdict.traffic(least=200, patience=20)
    excuses = []
    for component, address, at, back in events:
        excuses.append(excuse_of(component, address, at, back))
        verdict.note(f'{component} lost: {meanwhile(verdict, at, back)}; {allowed(verdict, excuses[-1], at)}')
    verdict.excuse(any_of(excuses))
    verdict.books(exact=False)
    return verdict


def dns(world):
    """The DNS server silent, gone, saying NXDOMAIN, saying nothing of the name: each for 20 seconds."""
    notes, problems = [], []
    with UnderLoad(world) as run:
        for mode in ('silent', 'gone', 'nxdomain', 'empty'):
            since = time.time()
            if mode == 'gone':
                world.dns.send(signal.SIGKILL)
                world.dns.process.wait()
            else:
                world.set_dns_mode(mode)
            time.sleep(DNS_SECONDS)
            if mode == 'gone':
                world.dns.start()
            else:
                answers = collections.Counter(answer for _, _, answer in world.dns_queries(since))
                world.set_dns_mode('normal')
                asked = sum(answers.values())
                notes.append(f'{mode} for {DNS_SECONDS} s: {asked} queries for inner services were answered so')
                if asked == 0:
                    problems.append(f'{mode}: nobody asked in {DNS_SECONDS} s, so nothing was proven')
            time.sleep(4)
    return conclude(run, notes, problems)


def served_certificate(world, replica):
    """The certificate a replica shows on its gRPC port, DER."""
    context = ssl.create_default_context(cafile=world.authority.ca)
    context.check_hostname = False
    context.load_cert_chain(world.authority.path('services.crt'), world.authority.path('services.key'))
    context.set_alpn_protocols(['h2'])
    with socket.create_connection((replica.pod.address, 9090), 3) as plain, context.wrap_socket(plain) as connection:
        return connection.getpeercert(binary_form=True)


def rotate(world):
    """The certificates of the services are replaced while everything runs (with --tls)."""
    from world import service_name
    replicas = [r for component in SERVICES for r in world.replicas[component]]
    notes, problems = [], []
    with UnderLoad(world) as run:
        old = served_certificate(world, replicas[0])
        at = time.time()
        world.authority.issue('services', [service_name(c) for c in SERVICES])
        with open(world.authority.path('services.crt')) as file:
            new = ssl.PEM_cert_to_DER_cert(file.read())
        try:
            until('every replica to show the new certificate', lambda: all(served_certificate(world, r) == new for r in replicas), 60, 1)
            notes.append(f'all {len(replicas)} replicas showed the new certificate after {time.time() - at:.0f} s')
        except (RuntimeError, OSError) as error:
            problems.append(str(error))
        if old == new:
            problems.append('the certificate was not a new one')
        time.sleep(25)  # connections are renewed meanwhile
    return conclude(run, notes, problems, least=200)


def failover(world):
    """The Redis primary killed, then frozen (with --sentinel): nothing of the money role is lost, requests go on."""
    redis, notes = world.redis, []
    keys = [world.create_key(f'before-{i}') for i in range(5)]
    with UnderLoad(world) as run:
        for what in ('killed', 'frozen'):
            old = redis.primary()
            at = time.time()
            old.send(signal.SIGKILL if what == 'killed' else signal.SIGSTOP)
            until('another primary', lambda: redis.primary() not in (None, old), 60, 0.2)
            elected = time.time() - at
            back = threading.Timer(12 - elected, bring_back, (old, what))  # before that the primary has a replica less
            back.start()
            keys.append(until('a key to be made', lambda: try_key(world, f'after-{what}'), 90, 0.2))
            writable = time.time() - at
            back.join()
            until('the old primary to follow the new one', lambda: replicas(redis) == redis.count - 1, 90, 0.5)
            notes.append(f'primary {what}: another one after {elected:.1f} s, a key could be made after {writable:.1f} s, '
                         f'the old one, back after 12 s, followed after {time.time() - at:.1f} s')
            say(f'    {notes[-1]}')
            time.sleep(4)
    verdict = conclude(run, notes, least=200)
    missing = world.missing_keys(keys + [world.key])
    verdict.note(f'client keys made before and after: {len(keys) + 1}, missing: {len(missing)}')
    if missing:
        verdict.fail(f'{len(missing)} client keys are gone')
    return verdict


def bring_back(server, what):
    if what == 'killed':
        server.process.wait()
        server.start()
    else:
        server.send(signal.SIGCONT)


def try_key(world, name):
    try:
        return world.create_key(name)
    except RuntimeError:
        return None


def replicas(redis):
    try:
        return redis.replicas_in_step()
    except (OSError, RuntimeError):
        return -1


ALL = {'roll': roll, 'upgrade': upgrade, 'scale': scale, 'kill': kill, 'freeze': freeze, 'vanish': vanish, 'cold': cold, 'dns': dns, 'rotate': rotate,
       'failover': failover}
