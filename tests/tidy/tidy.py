#!/usr/bin/env python3
"""House rules that a compiler does not check: direction of dependencies, banned words, a README per folder that lists its
files, files of readable size. Prints one line per breach and exits 1 if there is any.

  tidy.py [ROOT]
"""
import os
import re
import subprocess
import sys

ROOT = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), '..', '..'))
MAX_FILE_LINES = 600
OUTSIDE = [
    (re.compile(r'^(grpcpp/|grpc/|signalbox/.*\.grpc\.pb\.h)'), 'grpc'),
    (re.compile(r'^(signalbox/.*\.pb\.h|google/protobuf/)'), 'protos'),
    (re.compile(r'^boost/(?!math/)'), 'beast'),
    (re.compile(r'^hiredis/'), 'hiredis'),
    (re.compile(r'^yaml-cpp/'), 'yaml'),
]
BANNED = [
    (r'std::string_view', 'absl::string_view is the project\'s own (Debian\'s Abseil has a type of its own)',
     r'^(common/json/|common/config/|services/provider-adapter/core/|services/ingress/core/|tests/)'),
    (r'std::chrono::system_clock::now', 'take a Clock', r'^(common/rpc/|common/seam_grpc/|common/host/|common/net/|tests/|services/[a-z-]+/main\.cc|services/signalbox/|services/ingress/gateway)'),
    (r'\b(?:std::)?rand\(\)', 'take an Rng', r'^$'),
    (r'sleep_for|usleep\(', 'wait for an event, not for time', r'^(tests/|services/signalbox/)'),
    (r'catch \(\.\.\.\)', 'catch what the library throws', r'^$'),
    (r'\bthrow\b', 'no exceptions: return a Status', r'^(tests/|common/config/)'),
    (r'FIXME|TODO|\bXXX\b', 'finish it, or say so in the README', r'^$'),
]
BAD_NAMES = re.compile(r'(^|_)(util|utils|helper|helpers|misc|common|manager)(_|\.)')

errors = []


def complain(path, line, text):
    errors.append(f'{path}:{line}: {text}')


def tracked():
    out = subprocess.run(['git', '-C', ROOT, 'ls-files', '--cached', '--others', '--exclude-standard'],
                         capture_output=True, text=True, check=True).stdout.split('\n')
    return sorted(p for p in out if p and os.path.isfile(os.path.join(ROOT, p)))


def read_layers():
    layers = {}
    for line in open(os.path.join(ROOT, 'tests/tidy/layers.txt')):
        line = line.split('#')[0].strip()
        if line:
            room, _, allowed = line.partition(':')
            layers[room] = set(allowed.split())
    return layers


def room_of(path, layers):
    """The longest room that holds the path; None outside common/ and services/."""
    folder = os.path.dirname(path)
    while folder:
        if folder in layers:
            return folder
        folder = os.path.dirname(folder)
    return None


def check_includes(path, lines, layers):
    room = room_of(path, layers)
    if room is None:
        if path.startswith(('common/', 'services/')):
            complain(path, 1, 'belongs to no room of tests/tidy/layers.txt')
        return
    for number, line in enumerate(lines, 1):
        match = re.match(r'\s*#include [<"]([^>"]+)[>"]', line)
        if not match:
            continue
        target = match.group(1)
        wanted = next((name for pattern, name in OUTSIDE if pattern.match(target)), None)
        if wanted is None and target.startswith(('common/', 'services/')):
            wanted = room_of(target, layers) or target
        if target.startswith('tests/'):
            complain(path, number, 'product code includes test code')
        if wanted and wanted != room and wanted not in layers[room]:
            complain(path, number, f'{room} may not include {target} ({wanted}): see tests/tidy/layers.txt')


def strip_comment(line):
    return re.sub(r'//.*', '', re.sub(r'"(\\.|[^"\\])*"', '""', line))


def check_code(path, lines):
    for number, line in enumerate(lines, 1):
        code = strip_comment(line)
        for pattern, why, allowed in BANNED:
            haystack = line if 'FIXME' in pattern else code
            if re.search(pattern, haystack) and not re.match(allowed, path):
                complain(path, number, f'"{re.search(pattern, haystack).group(0)}": {why}')
    if len(lines) > MAX_FILE_LINES and not path.startswith('tests/'):
        complain(path, len(lines), f'{len(lines)} lines; {MAX_FILE_LINES} at most: split it by idea')
    if path.endswith('.h') and not any(l.startswith('//') for l in lines[:3]):
        complain(path, 1, 'a header opens with a comment that says what it is')


def check_readmes(paths):
    folders = {}
    for path in paths:
        if path.endswith(('.h', '.cc', '.py', '.proto', '.mjs')):
            folders.setdefault(os.path.dirname(path), []).append(os.path.basename(path))
    for folder, files in sorted(folders.items()):
        parts = folder.split('/')
        if parts[0] not in ('common', 'services', 'protos', 'tests', 'deploy', 'k8s'):
            continue
        # A README may stand in the folder or, for parts of one room, in the folder above it.
        candidates = ['/'.join(parts[:n]) + '/README.md' for n in range(len(parts), 0, -1)]
        readme = next((c for c in candidates if os.path.isfile(os.path.join(ROOT, c))), None)
        if readme is None:
            complain(folder, 1, 'has no README.md')


def check_links(paths):
    for path in paths:
        if not path.endswith('.md'):
            continue
        for number, line in enumerate(open(os.path.join(ROOT, path), encoding='utf-8'), 1):
            for link in re.findall(r'\]\(([^)#: ]+)(?:#[^)]*)?\)', line):
                if not os.path.exists(os.path.join(ROOT, os.path.dirname(path), link)):
                    complain(path, number, f'link to {link}, which does not exist')


def main():
    layers = read_layers()
    paths = tracked()
    for path in paths:
        if BAD_NAMES.search(os.path.basename(path)) and path.endswith(('.h', '.cc')):
            complain(path, 1, 'a name that says nothing: what is the one idea of this file?')
        if path.endswith(('.h', '.cc')):
            lines = open(os.path.join(ROOT, path), encoding='utf-8').read().split('\n')
            check_includes(path, lines, layers)
            check_code(path, lines)
    check_readmes(paths)
    check_links(paths)
    for error in errors:
        print(error)
    print(f'tidy: {len(paths)} files, {len(errors)} breaches')
    return 1 if errors else 0


if __name__ == '__main__':
    sys.exit(main())
