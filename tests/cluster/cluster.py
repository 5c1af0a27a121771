#!/usr/bin/env python3
"""A cluster of network namespaces on this machine, every replica its own address, behind names with several addresses: rolled, scaled,
killed, frozen and cut off from DNS under load. README.md says what each scenario demands.

  cluster.py [--scenario roll,scale,…] [--ingress 3 --routers 2 --adapters 3 --aggregators 2] [--tls] [--sentinel] [--quick]

Exit codes: 0 passed, or skipped because namespaces are not permitted (--must-run makes that 1); 1 failed; 130 interrupted.
"""
import argparse
import os
import signal
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True  # nothing is left in the checkout
import network
import scenarios
from world import World, say

DEFAULT = ['roll', 'upgrade', 'scale', 'kill', 'freeze', 'vanish', 'cold', 'dns']
QUICK = ['upgrade', 'kill']


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', default=os.path.join(HERE, '..', '..', 'build', 'dev', 'bin'), help='folder of the executables')
    parser.add_argument('--scenario', help=f'some of {", ".join(scenarios.ALL)}, separated by commas; default {",".join(DEFAULT)}, '
                        'and rotate with --tls, failover with --sentinel')
    parser.add_argument('--ingress', type=int, default=3)
    parser.add_argument('--routers', type=int, default=2)
    parser.add_argument('--adapters', type=int, default=3)
    parser.add_argument('--aggregators', type=int, default=2)
    parser.add_argument('--rate', type=float, default=60, help='whole answers per second')
    parser.add_argument('--clients', type=int, default=48, help='connections they come over; a quarter of them is used rarely')
    parser.add_argument('--streams', type=int, default=40, help='live streams')
    parser.add_argument('--stream-seconds', type=float, default=20, help='longest stream; a pause of 3 s may come on top')
    parser.add_argument('--drain-notice', type=float, default=5, help='host.drain_notice, seconds')
    parser.add_argument('--min-ready-seconds', type=float, default=7, help='minReadySeconds of the Deployments: a roll goes on only then; '
                        'the default is the TTL of DNS answers plus 2')
    parser.add_argument('--max-connection-age', type=float, help='host.max_connection_age, seconds; default: the program\'s own')
    parser.add_argument('--dns-ttl', type=int, default=5)
    parser.add_argument('--family', type=int, choices=(4, 6), default=4, help='addresses of the pods: IPv4 or IPv6')
    parser.add_argument('--tls', action='store_true', help='TLS with certificates on both sides between the services')
    parser.add_argument('--sentinel', action='store_true', help='Redis with replicas, three sentinels, TLS and passwords')
    parser.add_argument('--redis-replicas', type=int, default=2, help='with --sentinel: servers beside the primary')
    parser.add_argument('--redis-wait', type=int, default=1, help='with --sentinel: redis.replicas, and the servers\' min-replicas-to-write')
    parser.add_argument('--quick', action='store_true', help='two replicas of everything, short streams, the scenarios ' + ', '.join(QUICK))
    parser.add_argument('--must-run', action='store_true', help='fail instead of skip where namespaces are not permitted')
    parser.add_argument('--keep', action='store_true', help='keep the folder with the logs; it is kept after a failure anyway')
    args = parser.parse_args()
    if args.quick:
        args.ingress = args.routers = args.adapters = args.aggregators = 2
        args.rate, args.clients, args.streams, args.stream_seconds, args.drain_notice = 40, 24, 16, 5, 3
    args.bin = os.path.abspath(args.bin)
    chosen = args.scenario.split(',') if args.scenario else list(QUICK if args.quick else DEFAULT)
    if not args.scenario:
        chosen += ['rotate'] * args.tls + ['failover'] * args.sentinel
    unknown = [name for name in chosen if name not in scenarios.ALL]
    if unknown:
        parser.error(f'no such scenario: {", ".join(unknown)}')
    if 'rotate' in chosen and not args.tls or 'failover' in chosen and not args.sentinel:
        parser.error('rotate needs --tls, failover needs --sentinel')
    return args, chosen


def run_scenario(world, name):
    say(f'\n== {name}: {scenarios.ALL[name].__doc__}')
    begun = time.time()
    problems, lines = [], []
    try:
        verdict = scenarios.ALL[name](world)
        problems, lines = verdict.problems, verdict.lines
    except (RuntimeError, OSError, AssertionError) as error:
        traceback.print_exc()
        problems = [f'{type(error).__name__}: {error}']
    problems += world.take_complaints()
    for line in lines:
        say(f'  {line}')
    for problem in problems:
        say(f'  FAILED: {problem}')
    say(f'  {"FAILED" if problems else "passed"} in {time.time() - begun:.0f} s')
    return not problems


def main():
    args, chosen = arguments()
    if not os.access(os.path.join(args.bin, 'ingress'), os.X_OK):
        sys.exit(f'no executables in {args.bin}')
    folder = network.enter(args.keep)
    if isinstance(folder, tuple):
        print(f'skipped: {folder[1]}')
        sys.exit(1 if args.must_run else 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    begun = time.time()
    world = World(folder, args)
    results = {}
    try:
        world.start()
        say(f'{args.ingress} ingress, {args.routers} routers, {args.adapters} adapters, {args.aggregators} aggregators, IPv{args.family}'
            f'{", TLS" if args.tls else ""}{", Redis under sentinels" if args.sentinel else ""}; {args.rate:g} whole answers/s over '
            f'{args.clients} connections, {args.streams} live streams of up to {args.stream_seconds:g} s; ready after {time.time() - begun:.0f} s')
        for name in chosen:
            results[name] = run_scenario(world, name)
        world.stop()
        leftovers = world.take_complaints()
        for complaint in leftovers:
            say(f'FAILED at the end: {complaint}')
        if leftovers:
            results['a clean end'] = False
    except KeyboardInterrupt:
        say('interrupted')
        os._exit(130)  # the kernel ends everything inside
    except Exception:
        traceback.print_exc()
        results['the run'] = False
    failed = [name for name, passed in results.items() if not passed]
    say(f'\n{len(results) - len(failed)} passed, {len(failed)} failed{": " + ", ".join(failed) if failed else ""}; {time.time() - begun:.0f} s')
    sys.stdout.flush()
    os._exit(1 if failed else 0)


if __name__ == '__main__':
    main()
