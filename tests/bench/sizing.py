#!/usr/bin/env python3
"""What each process of the cluster uses per request, per event of a stream, per open stream, per byte of prompt, and what
Redis keeps: the figures that docs/operations.md sizes an installation by.

CPU is user and system time from /proc, so it does not depend on how fast the client is; the machine's own speed is shown by
nginx, measured in the same run, to scale by. `--json` keeps the raw figures.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time
import urllib.request

from bench import HERE, PROMPT, Rig, cpu_seconds_of, open_streams, raise_file_limit, rss_kib_of, wrk

PROCESSES = ['ingress', 'router-decision', 'provider-adapter', 'metrics-aggregator', 'redis-cluster']
LONG = PROMPT * 30  # about 24 KB: 6,000 tokens of four bytes
TYPICAL_EVENTS = 400  # of one answer of bench/typical


def snapshot(rig, names):
    return {name: cpu_seconds_of(rig.children[name].pid) for name in names}


def cpu_per_request(rig, model, stream, connections, seconds, prompt=PROMPT, max_tokens=200):
    """CPU µs per request of each process, and how many there were."""
    before = snapshot(rig, PROCESSES)
    result = wrk(rig, 'cluster', model, stream, connections, seconds, prompt, max_tokens)
    time.sleep(1)  # outcomes of the last ones
    result['settled_after'] = settle(rig)
    after = snapshot(rig, PROCESSES)
    if result['failed']:
        sys.exit(f'{model}: {result["failed"]} requests failed')
    micros = {name: (after[name] - before[name]) / result['requests'] * 1e6 for name in PROCESSES}
    return micros, result


def redis_cli(rig, *command):
    return subprocess.run(['redis-cli', '-s', f'{rig.dir}/redis-cluster.sock', *command], capture_output=True, text=True, check=True).stdout


def redis_info(rig, section, field):
    out = redis_cli(rig, 'info', section)
    return int(next(line.split(':')[1] for line in out.splitlines() if line.startswith(field + ':')))


# The windows of endpoints that have had traffic in every bucket: 120 of 10 s, 180 of a minute, 768 of an hour (common/store/README.md),
# each with the counters of a tool-calling endpoint and a dozen cells per distribution.
FULL_WINDOWS = """
for endpoint = 1, 10 do for bucket = 1, 120 + 180 + 768 do
  local fields = {}
  for _, name in ipairs({'n', 'ok', 'fail', 'r429', 'tools', 'tool_n', 'tool_bad', 'out_tok', 'gen_us', 'free_n', 'free_call', 'cost', 'list_cost'}) do
    fields[#fields + 1] = name; fields[#fields + 1] = tostring(math.random(1, 10000000))
  end
  for cell = 40, 51 do
    for _, kind in ipairs({'t:', 's:'}) do fields[#fields + 1] = kind .. cell; fields[#fields + 1] = tostring(math.random(1, 500)) end
  end
  local key = 'sizing:w:{deepseek/deepseek-chat@provider-' .. endpoint .. '}:1h:' .. (490000 + bucket)
  redis.call('HSET', key, unpack(fields))
  redis.call('EXPIRE', key, 2764800)
end end
return 10"""


def windows_kib(rig):
    """KiB of Redis per endpoint whose windows are full."""
    before = redis_info(rig, 'memory', 'used_memory')
    endpoints = int(redis_cli(rig, 'eval', FULL_WINDOWS, '0'))
    return (redis_info(rig, 'memory', 'used_memory') - before) / endpoints / 1024


def settlements_a_second(rig, batch, connections=32, scripts=20_000):
    """What one money instance takes, in scripts of so many generations, one per connection at a time: settlements/s and CPU µs of each."""
    source = open(f'{HERE}/../../common/store/redis_stores.cc').read()
    script = re.search(r'PutGenerationsScript\(\) {.*?R"lua\((.*?)\)lua"', source, re.DOTALL).group(1)
    record = json.dumps({'field': 'x' * 750})  # of the size that ours have
    names = [f'sizing:{period}' for period in ('total', 'day', 'week', 'month')] + [f'sizing:gen:__rand_int__:{i}' for i in range(batch)]
    arguments = ['3600000', '259200', '1296000', '5443200', str(1000 * batch)] + ['1000', record] * batch
    before, start = snapshot(rig, ['redis-cluster']), time.time()
    subprocess.run(['redis-benchmark', '-s', f'{rig.dir}/redis-cluster.sock', '-q', '-c', str(connections), '-n', str(scripts // batch), '-r', '1000000000',
                    'evalsha', redis_cli(rig, 'script', 'load', script).strip(), str(len(names)), *names, *arguments], stdout=subprocess.DEVNULL, check=True)
    settled = scripts // batch * batch
    return settled / (time.time() - start), (snapshot(rig, ['redis-cluster'])['redis-cluster'] - before['redis-cluster']) / settled * 1e6


def metric(rig, name):
    """Sum of a metric's series at the ingress."""
    admin = json.load(open(f'{rig.dir}/ingress.json'))['admin']
    text = urllib.request.urlopen(f'http://{admin}/metrics', timeout=5).read().decode()
    return sum(float(line.rsplit(' ', 1)[1]) for line in text.splitlines() if line.startswith((name + ' ', name + '{')))


def settle(rig):
    """Waits until Redis has taken every generation. Seconds it took."""
    start = time.time()
    while metric(rig, 'signalbox_ingress_settle_pending') > 0:
        if time.time() - start > 120:
            sys.exit('Redis does not take the generations')
        time.sleep(0.1)
    if metric(rig, 'signalbox_ingress_settle_dropped_total'):
        sys.exit('generations were dropped: Redis was too slow for this load')
    return time.time() - start


def row(name, values, form='{:10.1f}'):
    print(f'  {name:44}' + ''.join(form.format(values[p]) for p in PROCESSES) + form.format(sum(values.values())))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--bin', required=True)
    parser.add_argument('--seconds', type=int, default=10)
    parser.add_argument('--streams', type=int, default=1000)
    parser.add_argument('--connections', type=int, default=100, help='of the typical streams')
    parser.add_argument('--json')
    args = parser.parse_args()

    raise_file_limit()

    rig = Rig(args.bin)
    try:
        rig.start()
        for model in ('bench/whole', 'bench/burst'):
            wrk(rig, 'cluster', model, False, 32, 1)  # warm up
        settle(rig)
        idle_before = snapshot(rig, PROCESSES)
        time.sleep(10)
        idle = {name: (value - idle_before[name]) / 10 * 1000 for name, value in snapshot(rig, PROCESSES).items()}
        base = {name: rss_kib_of(rig.children[name].pid) / 1024 for name in PROCESSES}
        nginx = wrk(rig, 'nginx', 'bench/whole', False, 32, args.seconds)['cpu_us']

        kept = redis_info(rig, 'memory', 'used_memory')
        written = redis_info(rig, 'persistence', 'aof_current_size')
        whole, busy = cpu_per_request(rig, 'bench/whole', False, 32, args.seconds)
        kept = (redis_info(rig, 'memory', 'used_memory') - kept) / busy['requests']
        written = (redis_info(rig, 'persistence', 'aof_current_size') - written) / busy['requests']
        long, _ = cpu_per_request(rig, 'bench/whole', False, 32, args.seconds, LONG)
        # What may take long is asked for as a stream, also for clients that want it whole.
        as_stream, _ = cpu_per_request(rig, 'bench/whole', False, 32, args.seconds, max_tokens=1000)
        stream, streams = cpu_per_request(rig, 'bench/typical', True, args.connections, max(args.seconds, 24), max_tokens=1000)
        event = {name: max(0, stream[name] - whole[name]) / TYPICAL_EVENTS for name in PROCESSES}

        before = {name: rss_kib_of(rig.children[name].pid) for name in PROCESSES}
        sockets = open_streams(rig, 'cluster', args.streams)
        memory = {name: (rss_kib_of(rig.children[name].pid) - before[name]) / args.streams for name in PROCESSES}
        for s in sockets:
            s.close()
        windows = windows_kib(rig)
        alone = {batch: settlements_a_second(rig, batch) for batch in (1, 2, 8, 32)}
    finally:
        rig.stop()

    print(f'  {"":44}' + ''.join(f'{p[:9]:>10}' for p in PROCESSES) + f'{"together":>10}')
    row('CPU µs per whole request, 1 KB prompt', whole)
    row('CPU µs per whole request, 24 KB prompt', long)
    row('CPU µs per whole request, asked for as a stream', as_stream)
    row(f'CPU µs per stream of {TYPICAL_EVENTS} events, 60 a second', stream)
    row('CPU µs per event of such a stream', event, '{:10.2f}')
    row('CPU ms per second, idle', idle)
    row('memory MiB, without streams', base)
    row('memory KiB per open stream', memory)
    print(f'\n  Redis per settled generation: {kept:.0f} bytes of memory, {written:.0f} bytes written to its log')
    print(f'  Redis per endpoint whose windows are full: {windows:.0f} KiB of memory')
    print('  Redis alone, settlements/s (CPU µs each), so many per script: ' + ' · '.join(f'{b}: {rate:.0f} ({cpu:.0f})' for b, (rate, cpu) in alone.items()))
    print(f'  nginx as a plain proxy, same run: {nginx:.1f} CPU µs per request (whole, 1 KB)')
    print(f'  load: {busy["rps"]:.0f} whole requests/s, all settled {busy["settled_after"]:.1f} s after the last; {streams["requests"]} typical streams, '
          f'{args.connections} at a time; {os.cpu_count()} cores shared with client and fleet')
    if args.json:
        json.dump({'whole': whole, 'long': long, 'as_stream': as_stream, 'stream': stream, 'event': event, 'idle': idle, 'base_mib': base, 'stream_kib': memory,
                   'redis_bytes': kept, 'redis_written': written, 'windows_kib': windows, 'redis_alone': alone, 'nginx_us': nginx, 'requests_per_second': busy['rps']}, open(args.json, 'w'), indent=1)


if __name__ == '__main__':
    main()
