#!/usr/bin/env python3
"""Clients of the cluster: whole answers and live streams over kept-alive connections, each to an ingress replica that was ready when
the connection was made, as a Service of Kubernetes chooses. cluster.py starts it in a network namespace of its own.

Standard input, a JSON object per line: {"targets": ["10.244.0.7", …]}, {"stop": true}: what runs is finished, nothing new begins.
Standard output, a JSON object per request (`Record` says what is in it) and {"stopped": true} at the end.

A client here is strict: it never repeats a request. What a client of the wild would try again is a failure here.
"""
import argparse
import asyncio
import json
import random
import sys
import time

CONNECT_TIMEOUT = 5
ANSWER_TIMEOUT = 60   # whole answers
SILENCE_TIMEOUT = 40  # streams, between two bytes; keep-alive comments count
PORT = 8080           # of the ingress
STREAM_SPEED = 10     # tokens per second
CONNECTION_AGE = 10   # seconds, on average, after which a client leaves its connection


class Broken(Exception):
    """The connection ended or fell silent before the answer was complete."""


class Connection:
    def __init__(self, address, reader, writer, best_before):
        self.address, self.reader, self.writer, self.best_before = address, reader, writer, best_before
        self.used = time.monotonic()
        self.requests = 0

    def usable(self):
        return not (self.reader.at_eof() or self.writer.transport.is_closing())

    def close(self):
        self.writer.close()

    async def send(self, request):
        self.requests += 1
        self.writer.write(request)
        await self.writer.drain()

    async def read_head(self):
        """(status, headers); raises Broken."""
        raw = await self.read(self.reader.readuntil(b'\r\n\r\n'))
        lines = raw.decode('latin-1').split('\r\n')
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(':')
            headers[name.strip().lower()] = value.strip()
        return int(lines[0].split(' ')[1]), headers

    async def read_body(self, headers):
        """Yields pieces as they come; raises Broken."""
        if headers.get('transfer-encoding') == 'chunked':
            while True:
                size = int((await self.read(self.reader.readuntil(b'\r\n'))).split(b';')[0], 16)
                piece = await self.read(self.reader.readexactly(size + 2))
                if size == 0:
                    return
                yield piece[:-2]
        else:
            yield await self.read(self.reader.readexactly(int(headers.get('content-length', '0'))))

    @staticmethod
    async def read(what):
        try:
            return await asyncio.wait_for(what, SILENCE_TIMEOUT)
        except asyncio.TimeoutError:
            raise Broken('silent') from None
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Broken(f'{type(error).__name__}') from None


class Record(dict):
    """start (Unix seconds) · took · kind (whole, stream) · address of the ingress · fresh (first request of its connection) · idle
    (seconds the connection had waited) · outcome · content (some had come) · first (seconds to it) · id (of the generation) · nano
    (cost, nano-USD) · closing (the answer said Connection: close) · dropped (idle connections found closed before this request) ·
    note.
    Outcomes: ok · connect (no connection) · reset (connection ended before the first byte of the answer) · status (not 200) ·
    error_event (stream that ended with an error, in order) · cut (answer ended in the middle) · timeout · bad (not what it must be)."""


class Client:
    def __init__(self, load, kind, gap, max_age):
        self.load, self.kind, self.gap, self.max_age = load, kind, gap, max_age
        self.connection = None
        self.target = None  # of the latest try to connect
        self.dropped = 0

    async def run(self):
        await asyncio.sleep(random.random() * self.gap())
        while not self.load.stopping.is_set():
            await self.request()
            await self.load.pause(self.gap())
        if self.connection:
            self.connection.close()

    async def connect(self):
        now = time.monotonic()
        if self.connection and not self.connection.usable():
            self.connection.close()
            self.connection = None
            self.dropped += 1
        if self.connection and now > self.connection.best_before:
            self.connection.close()
            self.connection = None
        if self.connection is None:
            self.target = self.load.next_target()
            reader, writer = await asyncio.wait_for(asyncio.open_connection(self.target, PORT, limit=1 << 20), CONNECT_TIMEOUT)
            self.connection = Connection(self.target, reader, writer, now + self.max_age * random.uniform(0.5, 1.5))
        return self.connection

    async def request(self):
        record = Record(start=time.time(), kind=self.kind, outcome='bad', content=False)
        begun = time.monotonic()
        try:
            connection = await self.connect()
        except (OSError, asyncio.TimeoutError) as error:
            record.update(outcome='connect', address=self.target, note=f'{type(error).__name__} {error}')
            self.load.report(record, begun)
            await asyncio.sleep(0.2)
            return
        record.update(address=connection.address, fresh=connection.requests == 0, idle=round(begun - connection.used, 3), dropped=self.dropped)
        self.dropped = 0
        keep = False
        try:
            keep = await asyncio.wait_for(self.exchange(connection, record, begun),
                                          ANSWER_TIMEOUT if self.kind == 'whole' else 10 * ANSWER_TIMEOUT)
        except Broken as error:
            record.update(outcome='cut' if 'status' in record else 'reset', note=str(error))
        except OSError as error:
            record.update(outcome='reset', note=type(error).__name__)
        except asyncio.TimeoutError:
            record.update(outcome='timeout')
        except (ValueError, KeyError, IndexError, TypeError) as error:
            record.update(outcome='bad', note=repr(error)[:200])
        connection.used = time.monotonic()
        if not keep:
            connection.close()
            self.connection = None
        self.load.report(record, begun)

    async def exchange(self, connection, record, begun):
        """True when the connection may be used again."""
        await connection.send(self.load.whole_request() if self.kind == 'whole' else self.load.stream_request())
        status, headers = await connection.read_head()
        record.update(status=status, id=headers.get('x-generation-id'))
        closing = headers.get('connection', '').lower() == 'close'
        if closing:
            record['closing'] = True
        if status != 200 or self.kind == 'whole':
            body = b''.join([piece async for piece in connection.read_body(headers)])
            if status != 200:
                record.update(outcome='status', note=f'{status} {body[:300].decode("utf-8", "replace")}')
            else:
                self.judge_whole(json.loads(body), record, begun)
            return not closing
        await self.read_stream(connection, headers, record, begun)
        return not closing

    def judge_whole(self, answer, record, begun):
        record['first'] = round(time.monotonic() - begun, 4)
        record['content'] = bool(answer['choices'][0]['message']['content'])
        record['nano'] = round(answer['usage']['cost'] * 1e9)
        if record['content'] and answer['usage']['completion_tokens'] > 0:
            record['outcome'] = 'ok'

    async def read_stream(self, connection, headers, record, begun):
        rest, done, failed = b'', False, None
        async for piece in connection.read_body(headers):
            *events, rest = (rest + piece).split(b'\n\n')
            for event in events:
                if event.startswith(b':'):
                    continue
                if done or not event.startswith(b'data: '):
                    raise ValueError(f'not an event: {event[:80]!r}')
                data = event[6:]
                if data == b'[DONE]':
                    done = True
                    continue
                chunk = json.loads(data)
                if chunk.get('error'):
                    failed = chunk['error']
                if not record['content'] and chunk['choices'] and chunk['choices'][0].get('delta', {}).get('content'):
                    record.update(content=True, first=round(time.monotonic() - begun, 4))
                if chunk.get('usage'):
                    record['nano'] = round(chunk['usage']['cost'] * 1e9)
        if failed:
            record.update(outcome='error_event', note=str(failed)[:300])
        elif done and not rest and record['content'] and 'nano' in record:
            record['outcome'] = 'ok'
        else:
            record.update(outcome='cut', note='no [DONE]' if not done else 'no content or no usage')


class Load:
    def __init__(self, args):
        self.args = args
        self.targets, self.turn = [], 0
        self.stopping = asyncio.Event()
        self.some_target = asyncio.Event()

    def next_target(self):
        if not self.targets:
            raise OSError('no ingress is ready')
        self.turn += 1
        return self.targets[self.turn % len(self.targets)]

    async def pause(self, seconds):
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except asyncio.TimeoutError:
            pass

    def message(self, body):
        text = json.dumps(body).encode()
        return (f'POST /api/v1/chat/completions HTTP/1.1\r\nHost: signalbox\r\nAuthorization: Bearer {self.args.key}\r\n'
                f'Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n').encode() + text

    # max_tokens is a feature of routing: varied, so that most requests are decided anew instead of reusing a decision.
    def whole_request(self):
        return self.message({'model': 'cluster/quick', 'max_tokens': random.randrange(20, 400),
                             'messages': [{'role': 'user', 'content': 'Say hello.'}]})

    def stream_request(self):
        seconds = random.uniform(0.15, 1) * self.args.stream_seconds
        return self.message({'model': 'cluster/long', 'stream': True, 'max_tokens': max(2, int(seconds * STREAM_SPEED)),
                             'messages': [{'role': 'user', 'content': 'Tell a long story.'}]})

    def report(self, record, begun):
        record['took'] = round(time.monotonic() - begun, 4)
        sys.stdout.write(json.dumps(record) + '\n')

    async def obey(self):
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            order = json.loads(line)
            if 'targets' in order:
                self.targets = order['targets']
                if self.targets:
                    self.some_target.set()
            if order.get('stop'):
                break
        self.stopping.set()

    async def run(self):
        obeying = asyncio.create_task(self.obey())
        await self.some_target.wait()
        args = self.args
        clients = []
        if args.rate > 0:
            # Of the connections a quarter is used rarely: they are idle at any moment, a drain's for instance. They have no age of
            # their own, so they stay on their replica for as long as it lets them.
            rare = args.clients // 4
            busy = max(1, args.clients - rare)
            gap = busy / args.rate
            clients += [Client(self, 'whole', lambda: random.expovariate(1 / gap), CONNECTION_AGE) for _ in range(busy)]
            clients += [Client(self, 'whole', lambda: random.uniform(1, 12), 1e9) for _ in range(rare)]
        # Half of them ask again the moment their stream has ended.
        clients += [Client(self, 'stream', lambda: random.choice((0, random.uniform(0, 0.2))), CONNECTION_AGE) for _ in range(args.streams)]
        await asyncio.gather(*(client.run() for client in clients))
        sys.stdout.write('{"stopped": true}\n')
        sys.stdout.flush()
        obeying.cancel()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--key', required=True)
    # As those of cluster.py, which says what they mean.
    for name, kind in (('rate', float), ('clients', int), ('streams', int), ('stream-seconds', float)):
        parser.add_argument(f'--{name}', type=kind, required=True)
    args = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    asyncio.run(Load(args).run())


if __name__ == '__main__':
    main()
