"""Processes beside the server: what attackers and the normal client share, and the server's own memory."""

import json
import os
import resource
import socket
import struct
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
START_LIMIT = 60


def raise_file_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def close_at_once(link):
    """Closes with a reset, and leaves no port in TIME_WAIT."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


def described(server):
    """A server, as a process of ours needs to know it."""
    return {"host": server.host, "port": server.port,
            "tls": str(server.tls[2]) if server.tls else None}


class Child:
    """A Python module of ours, which reads its arguments, one line of JSON, and runs until its standard input ends."""

    def __init__(self, module, arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, cwd=TESTS, env={"PATH": os.environ["PATH"]})
        # Longer than a command line may be.
        self.say(json.dumps(arguments))

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def line(self):
        text = self.process.stdout.readline()
        assert text, f"{self.process.args}: ended with {self.process.wait(10)}"
        return text.strip()

    def end(self):
        """What it printed last."""
        try:
            out, _ = self.process.communicate(timeout=START_LIMIT)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        assert self.process.returncode == 0, f"{self.process.args}: {self.process.returncode}"
        return json.loads(out.splitlines()[-1]) if out.strip() else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class AttackProcess(Child):
    """An attack at its full strength, from the beginning of the `with` block to its end."""

    def __init__(self, server, name, at=None, **arguments):
        target = at or described(server)
        super().__init__("Hostile.attacks", {"attack": name, "target": target, **arguments})

    def __enter__(self):
        assert self.line() == "ready"
        return self


class Memory:
    """The memory of a server from now on."""

    def __init__(self, server):
        self.path = Path(f"/proc/{server.process.pid}")
        # Resets VmHWM, the peak (proc(5)).
        (self.path / "clear_refs").write_text("5")
        self.before = self.now

    def _field(self, name):
        for line in (self.path / "status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {name}")

    @property
    def now(self):
        return self._field("VmRSS")

    @property
    def peak_above(self):
        """How many bytes the peak was above the beginning."""
        return self._field("VmHWM") - self.before

    @property
    def above(self):
        return self.now - self.before
