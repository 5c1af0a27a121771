#!/usr/bin/env python3
"""Answers the names of headless Services as CoreDNS does, over UDP and TCP, from a file that the kubelet of cluster.py rewrites.

  dns_server.py --state FILE --log FILE [--listen ADDRESS] [--port 53]

The file: {"mode": "normal", "ttl": 5, "zone": "svc.cluster.local.", "records": {"name.ns.svc.cluster.local.": ["10.244.0.7"]}}.
Modes: normal · nxdomain and empty (every name of the zone) · silent (nothing is answered). An answer is kept for its TTL, as
CoreDNS' cache does, so it may be that much out of date. One line per query in the log: time, name, type, what was answered.
"""
import argparse
import ipaddress
import json
import os
import socket
import struct
import threading
import time

TYPES = {1: 'A', 28: 'AAAA', 16: 'TXT', 33: 'SRV', 5: 'CNAME', 6: 'SOA', 255: 'ANY'}
NXDOMAIN = 3


def parse_question(packet):
    """(name with a final dot, type, end of the question)."""
    labels, at = [], 12
    while packet[at]:
        size = packet[at]
        if size > 63:
            raise ValueError('compressed name in a question')
        labels.append(packet[at + 1:at + 1 + size].decode('ascii').lower())
        at += 1 + size
    kind, _ = struct.unpack('!HH', packet[at + 1:at + 5])
    return '.'.join(labels) + '.', kind, at + 5


def encode_name(name):
    return b''.join(bytes([len(label)]) + label.encode() for label in name.rstrip('.').split('.')) + b'\0'


class Zone:
    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.stamp = None
        self.state = {}
        self.kept = {}  # name -> (addresses, until)

    def load(self):
        stat = os.stat(self.path)
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp != self.stamp:
            with open(self.path) as file:
                self.state = json.load(file)
            self.stamp = stamp

    def look_up(self, name, kind):
        """(response code or None for silence, addresses of that type, seconds left)."""
        with self.lock:
            self.load()
            mode, records, ttl = self.state['mode'], self.state['records'], self.state['ttl']
            if mode == 'silent':
                return None, [], 0
            if mode == 'nxdomain' or name not in records:
                return NXDOMAIN, [], 0
            if mode == 'empty':
                return 0, [], 0
            now = time.monotonic()
            addresses, until = self.kept.get(name, (None, 0))
            if now >= until:
                addresses, until = records[name], now + ttl
                self.kept[name] = (addresses, until)
            version = {1: 4, 28: 6}.get(kind)
            return 0, [a for a in addresses if ipaddress.ip_address(a).version == version], max(0, int(until - now))


def answer(zone, packet, log):
    name, kind, end = parse_question(packet)
    code, addresses, ttl = zone.look_up(name, kind)
    said = 'silence' if code is None else 'NXDOMAIN' if code else ' '.join(addresses) or 'empty'
    log.write(f'{time.time():.3f} {name} {TYPES.get(kind, kind)} {said}\n')
    if code is None:
        return None
    recursion_desired = packet[2] & 1
    response = packet[:2] + bytes([0x84 | recursion_desired, 0x80 | code])
    # Without the SOA record of a real server: nobody here keeps negative answers.
    response += struct.pack('!HHHH', 1, len(addresses), 0, 0) + packet[12:end]
    for address in addresses:
        raw = ipaddress.ip_address(address).packed
        response += b'\xc0\x0c' + struct.pack('!HHIH', kind, 1, ttl, len(raw)) + raw
    return response


def serve_udp(sock, zone, log):
    while True:
        packet, peer = sock.recvfrom(4096)
        try:
            response = answer(zone, packet, log)
        except (ValueError, IndexError, struct.error, UnicodeDecodeError):
            continue
        if response is None:
            continue
        if len(response) > 512:  # cut: the client comes back over TCP
            _, _, end = parse_question(packet)
            response = response[:2] + bytes([response[2] | 2, response[3]]) + struct.pack('!HHHH', 1, 0, 0, 0) + packet[12:end]
        sock.sendto(response, peer)


def serve_connection(connection, zone, log):
    with connection, connection.makefile('rb') as stream:
        connection.settimeout(10)
        try:
            while size := stream.read(2):
                response = answer(zone, stream.read(struct.unpack('!H', size)[0]), log)
                if response is not None:
                    connection.sendall(struct.pack('!H', len(response)) + response)
        except (OSError, ValueError, IndexError, struct.error):
            pass


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--state', required=True)
    parser.add_argument('--log', required=True)
    parser.add_argument('--listen', default='127.0.0.1')
    parser.add_argument('--port', type=int, default=53)
    args = parser.parse_args()
    family = socket.AF_INET6 if ':' in args.listen else socket.AF_INET
    zone = Zone(args.state)
    log = open(args.log, 'a', buffering=1)
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.bind((args.listen, args.port))
    tcp = socket.socket(family, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((args.listen, args.port))
    tcp.listen(64)
    threading.Thread(target=serve_udp, args=(udp, zone, log), daemon=True).start()
    while True:
        connection, _ = tcp.accept()
        threading.Thread(target=serve_connection, args=(connection, zone, log), daemon=True).start()


if __name__ == '__main__':
    main()
