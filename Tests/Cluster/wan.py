"""The emulated WAN of Tests/Tools/wan, under names of this run."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from Cluster.namespace import enter

TOOL = Path(__file__).resolve().parents[1] / "Tools" / "wan" / "wan"
# Not the tool's own: somebody may use that one.
NETWORK, NAMESPACE = "10.98.77", f"grange{os.getpid() % 10000}w"


def is_available():
    return os.geteuid() == 0 and Path("/dev/net/tun").exists() and shutil.which("ip") is not None


class Wan:
    """Hosts 1 to `count`, `milliseconds` of round trip apart."""

    def __init__(self, folder, count, milliseconds, namespace=NAMESPACE):
        self.count, self.namespace = count, namespace
        self.environment = {**os.environ, "WAN_DIR": str(folder / "wan"), "WAN_NET": NETWORK,
                            "WAN_NS": namespace}
        self("up", count, milliseconds)

    def __call__(self, *arguments):
        return subprocess.run(
            [TOOL, *map(str, arguments)], env=self.environment, check=True, capture_output=True,
            text=True, timeout=60).stdout

    def address(self, host):
        return f"{NETWORK}.{host}"

    def inside(self, host):
        """What begins a command that runs there."""
        return ["ip", "netns", "exec", f"{self.namespace}{host}"]

    @contextlib.contextmanager
    def within(self, host):
        """What this thread, and threads that it starts, do with the network meanwhile, they do there."""
        with open("/proc/thread-self/ns/net") as before, open(f"/run/netns/{self.namespace}{host}") as there:
            enter(there)
            try:
                yield
            finally:
                enter(before)

    def name(self, name, host):
        """Makes `name` mean `host`, for programs that start from now on."""
        for place in range(1, self.count + 1):
            folder = Path("/etc/netns") / f"{self.namespace}{place}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "hosts").write_text(f"127.0.0.1 localhost\n{self.address(host)} {name}\n")

    def end(self):
        self("down")
        for place in range(1, self.count + 1):
            shutil.rmtree(Path("/etc/netns") / f"{self.namespace}{place}", ignore_errors=True)
