"""Nodes of one cluster as processes, told from each other by their ports."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time

from harness import state
from harness.server import DidNotStart, Server, free_port, program

# A start takes a fraction of a second; a debug build on a busy machine takes longer.
READY_LIMIT = 20
# The design's: who dies is noticed within 10 s. Half a second is for asking.
NOTICE_LIMIT = 10.5


def eventually(what, limit, pause=0.05):
    """Waits until `what` returns something true; returns that, and the seconds it took."""
    began = time.monotonic()
    while True:
        value = what()
        if value:
            return value, time.monotonic() - began
        if time.monotonic() - began > limit:
            raise AssertionError(f"not within {limit} s: {getattr(what, '__doc__', '') or what}")
        time.sleep(pause)


class AdminSocket(http.client.HTTPConnection):
    """HTTP over the socket that commands use: asking so costs no process."""

    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        # Longer than the system allows; the folder is reached through its descriptor.
        folder = os.open(os.path.dirname(self.path), os.O_PATH)
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/{os.path.basename(self.path)}")
        finally:
            os.close(folder)


class Node(Server):
    """A node of a cluster. `wrapper` begins every start: a network namespace, say. `public` is its configured public
    address; where it listens unless given, None for none. `program` is another build of it; `s3_host` is where clients reach it;
    `environment` holds variables of every start."""

    def __init__(self, folder, name, host="127.0.0.1", wrapper=(), bootstrap=(), public="", program=None,
                 s3_host="127.0.0.1", environment=None):
        self.build = program
        self.name, self.bootstrap, self.public = name, list(bootstrap), public
        self.rpc_host, self.rpc_port, self.wrapper = host, free_port(), list(wrapper)
        self.s3_host = s3_host
        super().__init__(folder, environment=environment)

    @property
    def program(self):
        return self.build or super().program

    def write_configuration(self, extra=""):
        peers = ", ".join(f'"{peer}"' for peer in self.bootstrap)
        public = f"{self.rpc_host}:{self.rpc_port}" if self.public == "" else self.public
        self.configuration.write_text(f"""\
metadata_dir = "{self.folder}/meta"
data_dir = "{self.folder}/data"
node_name = "{self.name}"
{extra}
[rpc]
bind = "{self.rpc_host}:{self.rpc_port}"
public_addresses = {[public] if public else []}
[s3]
bind = "{self.s3_host}:{self.port}"
[web]
bind = "127.0.0.1:{free_port()}"
[admin]
bind = "127.0.0.1:{self.admin_port}"
[k2v]
bind = "127.0.0.1:{free_port()}"
[discovery]
lan = false
bootstrap_peers = [{peers}]
[nat]
enabled = false
""")

    def move(self, host="127.0.0.1", wrapper=()):
        """Gives the node another RPC address, from its next start on."""
        self.rpc_host, self.rpc_port, self.wrapper = host, free_port(), list(wrapper)
        self.write_configuration()
        return self

    def start(self, *arguments, wait=True, **variables):
        """Starts the process; with `wait`, returns once it answers commands."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.environment, **variables}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, self.program, "server", "--config", self.configuration, *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                start_new_session=True)
        state.record_process(self.process.pid)
        return self.ready() if wait else self

    def ready(self):
        deadline = time.monotonic() + READY_LIMIT
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise DidNotStart(f"ended with {self.process.returncode}\n{self.log_tail()}")
            try:
                self.status()
                return self
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)
        raise DidNotStart(f"no answer in {READY_LIMIT} s\n{self.log_tail()}")

    def signal(self, number):
        self.process.send_signal(number)

    def restart(self, *arguments, **variables):
        self.stop()
        return self.start(*arguments, **variables)

    # What it says

    def admin(self, method, path, body=None):
        link = AdminSocket(self.folder / "meta" / "admin.sock")
        try:
            link.request(method, path, body=None if body is None else json.dumps(body))
            answer = link.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            link.close()

    def status(self):
        code, body = self.admin("GET", "/v2/GetClusterStatus")
        assert code == 200, body
        return body

    @property
    def id(self):
        return self.own["id"]

    @property
    def own(self):
        return self.status()["nodes"][0]

    def sees(self):
        """The host names of the members that it is connected to, its own among them."""
        return {node["hostname"] for node in self.status()["nodes"] if node["isUp"]}

    def seen(self, other):
        """What it says of the node called `other`; None if it does not know it."""
        return next((n for n in self.status()["nodes"] if n["hostname"] == other.name), None)

    @property
    def attention(self):
        return "\n".join(self.status()["attention"])

    def log(self):
        return self.log_path.read_text(errors="replace")

    # What it is told

    def token(self, *arguments):
        return self.command("invite", *arguments).stdout.strip()

    def refused(self, *arguments, input=None):
        """The one line of a command that fails."""
        result = self.command(*arguments, check=False, input=input)
        assert result.returncode == 1, (result.returncode, result.stdout, result.stderr)
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr
        return result.stderr

    def wait_joined(self, limit=15):
        def joined():
            """a member"""
            return self.own["state"] == "up" and len(self.status()["nodes"]) > 1
        try:
            return eventually(joined, limit)[1]
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.attention}\n{self.log_tail()}") from None

    def waits(self, *words, limit=15):
        """Waits until it says why it has not joined, in these words."""
        def said():
            text = self.attention
            return text if all(word in text for word in words) else None
        try:
            return eventually(said, limit)[0]
        except AssertionError:
            raise AssertionError(f"{words} not in: {self.attention}\n{self.log_tail()}") from None


def mesh(nodes, limit=10):
    """Waits until each of `nodes` is connected to all; returns the seconds."""
    names = {node.name for node in nodes}
    try:
        return eventually(lambda: all(node.sees() == names for node in nodes), limit)[1]
    except AssertionError:
        views = "\n".join(f"{n.name}: {sorted(n.sees())} {n.status()['attention']}" for n in nodes)
        raise AssertionError(f"no full mesh within {limit} s\n{views}") from None


class Nodes:
    """Makes nodes in one folder, and ends them."""

    def __init__(self, folder):
        self.folder, self.all = folder, []

    def make(self, name, **options):
        node = Node(self.folder / name, name, **options)
        self.all.append(node)
        return node

    def founder(self, name="founder"):
        return self.make(name).start("--quickstart")

    def cluster(self, *names):
        """A founder and members, all connected."""
        founder = self.founder()
        token = founder.token("--uses", str(len(names)))
        members = [self.make(name).start("--join", token) for name in names]
        for member in members:
            member.wait_joined()
        mesh([founder, *members])
        return [founder, *members]

    def end(self):
        for node in self.all:
            if node.process:
                # One that is stopped by a signal does not end otherwise.
                node.process.send_signal(signal.SIGCONT)
                node.kill()
