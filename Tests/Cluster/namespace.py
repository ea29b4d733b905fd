"""A network namespace with a few addresses of its own, from which nothing leads anywhere else."""

import contextlib
import ctypes
import os
import subprocess
from pathlib import Path

NETWORK = "10.98.79"
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def is_available():
    return os.geteuid() == 0 and Path("/sbin/ip").exists()


class Namespace:
    """Hosts 1 to `count` of `NETWORK`, all of them this machine; the others are silent."""

    def __init__(self, count):
        self.name = f"hall{os.getpid()}"
        run("ip", "netns", "add", self.name)
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "link", "add", "silent", "type", "veth", "peer", "name", "nobody")
        for end in ("silent", "nobody"):
            self.run("ip", "link", "set", end, "up")
        for host in range(1, count + 1):
            self.run("ip", "addr", "add", f"{self.address(host)}/24", "dev", "silent")

    def run(self, *arguments):
        run(*self.wrapper, *arguments)

    def address(self, host):
        return f"{NETWORK}.{host}"

    @property
    def wrapper(self):
        """What begins a command that runs inside."""
        return ["ip", "netns", "exec", self.name]

    @contextlib.contextmanager
    def inside(self):
        """Sockets that this thread makes meanwhile are inside."""
        with open("/proc/thread-self/ns/net") as before, open(f"/run/netns/{self.name}") as other:
            enter(other)
            try:
                yield
            finally:
                enter(before)

    def end(self):
        run("ip", "netns", "del", self.name)


def enter(namespace):
    if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def run(*arguments):
    subprocess.run(arguments, check=True, capture_output=True, timeout=20)
