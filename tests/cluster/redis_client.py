"""Just enough of a Redis client to look into the store; plain or over TLS."""
import socket
import ssl


def answers(connect):
    """Whether the server that connect() leads to says that it is there."""
    try:
        with connect() as client:
            return client.call('PING') == 'PONG'
    except (OSError, RuntimeError):
        return False


class Redis:
    def __init__(self, host, port=6379, password=None, ca_file=None, timeout=3):
        self.socket = socket.create_connection((host, port), timeout)
        if ca_file:
            context = ssl.create_default_context(cafile=ca_file)
            context.check_hostname = False  # it is asked by address
            self.socket = context.wrap_socket(self.socket)
        self.stream = self.socket.makefile('rb')
        if password:
            self.call('AUTH', password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def call(self, *words):
        return self.pipeline([words])[0]

    def pipeline(self, commands):
        """Answers in order; raises for the first error."""
        out = bytearray()
        for words in commands:
            out += b'*%d\r\n' % len(words)
            for word in words:
                raw = str(word).encode()
                out += b'$%d\r\n%s\r\n' % (len(raw), raw)
        self.socket.sendall(out)
        return [self.read() for _ in commands]

    def read(self):
        line = self.stream.readline()
        if not line.endswith(b'\r\n'):
            raise OSError('the Redis connection ended')
        kind, rest = line[:1], line[1:-2]
        if kind == b'+':
            return rest.decode()
        if kind == b'-':
            raise RuntimeError(rest.decode())
        if kind == b':':
            return int(rest)
        if kind == b'$':
            size = int(rest)
            return None if size < 0 else self.stream.read(size + 2)[:-2].decode('utf-8', 'replace')
        if kind == b'*':
            return None if rest == b'-1' else [self.read() for _ in range(int(rest))]
        raise OSError(f'not RESP: {line!r}')
