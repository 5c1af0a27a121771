"""A private world of Linux namespaces: nothing of it is visible outside, and it ends with the process that entered it.

`enter()` runs the program again in fresh network, mount and process namespaces; when its process dies, by whatever cause, the kernel
kills everything inside and takes the networks, mounts and bridge away. `Network` then joins one network namespace per pod by a bridge.
"""
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile

INSIDE = 'SIGNALBOX_CLUSTER_INSIDE'  # holds the folder of the run
PROBE = ('mount -t tmpfs tmpfs /run && mkdir /run/netns && ip netns add probe && ip link add probe0 type bridge && '
         'ip link add probe1 type veth peer name eth0 netns probe && ip netns exec probe true')


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f'{" ".join(command)}: {result.stderr.strip()}')
    return result.stdout


def unshare():
    """The command that makes the namespaces, or (None, why not)."""
    missing = [tool for tool in ('unshare', 'ip', 'mount') if not shutil.which(tool)]
    if missing:
        return None, f'{", ".join(missing)} not found (Debian: util-linux, iproute2)'
    base = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
    why = ''
    for command in (base, base + ['--user', '--map-root-user']):
        tried = subprocess.run([*command, 'sh', '-c', PROBE], capture_output=True, text=True)
        if tried.returncode == 0:
            return command, ''
        why = tried.stderr.strip().split('\n')[-1]
    return None, f'network namespaces are not permitted here ({why}); root, CAP_SYS_ADMIN or unprivileged user namespaces are needed'


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def enter(keep):
    """Returns the folder of the run inside the namespaces; outside runs the program again and exits with its code."""
    if INSIDE in os.environ:
        return os.environ[INSIDE]
    command, why = unshare()
    if command is None:
        return None, why
    folder = tempfile.mkdtemp(prefix='signalbox-cluster-')
    child = subprocess.Popen([*command, sys.executable, *sys.argv], env={**os.environ, INSIDE: folder},
                             start_new_session=True, preexec_fn=die_with_parent)
    stop = lambda *_: os.killpg(child.pid, signal.SIGINT)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    code = 1
    try:
        code = child.wait()
    finally:
        if keep or code not in (0, 130):
            print(f'logs: {folder}')
        else:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(code if code >= 0 else 128 - code)


class Pod:
    """A network namespace with an address of its own on the bridge."""

    def __init__(self, name, number, address):
        self.name, self.number, self.address = name, number, address

    def command(self, *command):
        return ['ip', 'netns', 'exec', self.name, *command]

    def set_link(self, up):
        """Down: packets to and from it vanish without a word."""
        run('ip', 'link', 'set', f'pod{self.number}', 'up' if up else 'down')


class Network:
    def __init__(self, folder, family):
        self.family = family
        self.number = 1
        self.prefix = 64 if family == 6 else 16
        run('mount', '-t', 'tmpfs', 'tmpfs', '/run')
        os.mkdir('/run/netns')
        run('ip', 'link', 'set', 'lo', 'up')
        run('ip', 'link', 'add', 'pods', 'type', 'bridge')
        run('ip', 'link', 'set', 'pods', 'up')
        self.gateway = self.address_of(1)
        run('ip', 'address', 'add', f'{self.gateway}/{self.prefix}', 'dev', 'pods', *self.at_once())
        # What kubelet writes for a pod. The mount is seen by every namespace of the run and by nothing else.
        self.dns_address = self.address_of(2)
        resolv = os.path.join(folder, 'resolv.conf')
        with open(resolv, 'w') as file:
            file.write(f'search sb.svc.cluster.local svc.cluster.local cluster.local\nnameserver {self.dns_address}\noptions ndots:5\n')
        run('mount', '--bind', resolv, '/etc/resolv.conf')

    def at_once(self):
        return ['nodad'] if self.family == 6 else []  # no wait for duplicate address detection

    def address_of(self, number):
        return f'fd00:244::{number:x}' if self.family == 6 else f'10.244.{number >> 8}.{number & 255}'

    def add(self, name):
        """A new pod; addresses are never used twice."""
        self.number += 1
        number = self.number
        pod = Pod(name, number, self.address_of(number))
        run('ip', 'netns', 'add', name)
        run('ip', 'link', 'add', f'pod{number}', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
        run('ip', 'link', 'set', f'pod{number}', 'master', 'pods', 'up')
        run('ip', '-n', name, 'address', 'add', f'{pod.address}/{self.prefix}', 'dev', 'eth0', *self.at_once())
        run('ip', '-n', name, 'link', 'set', 'lo', 'up')
        run('ip', '-n', name, 'link', 'set', 'eth0', 'up')
        return pod

    def remove(self, pod):
        run('ip', 'netns', 'delete', pod.name)
