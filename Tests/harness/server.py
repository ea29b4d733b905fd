"""A grange server as a process of its own, from the build that is under test."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from . import state
from .s3 import Client
from .signing import Credentials

# Other servers know no region of ours.
REGION = "us-east-1" if os.environ.get("GRANGE_TEST_ENDPOINT") else "grange"
ROOT_DOMAIN = ".s3.grange.localhost"
BUCKET = "first"
ACCESS_KEY = "GK0123456789abcdef01234567"
SECRET_KEY = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

# A node with its files on a slow, busy disk and a core for itself and the client.
START_LIMIT = 30
STOP_LIMIT = 10


def program():
    """The program under test: GRANGE_PROGRAM, or the release build of this checkout."""
    given = os.environ.get("GRANGE_PROGRAM")
    return Path(given) if given else state.ROOT / ".build" / "release" / "grange"


GIVEN_PORTS = set()


def free_port():
    """A port on which nothing listens, and that nobody here was given: the system may name one twice."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in GIVEN_PORTS:
            GIVEN_PORTS.add(port)
            return port


class DidNotStart(AssertionError):
    """The process ended, or answered nothing, before it was ready."""


class Server:
    """One node: its folders, its configuration, and the process while it runs."""

    def __init__(self, folder, tls=None, extra_configuration="", environment=None, own=None,
                 data=None):
        """`folder` is the node's; `own` is where this object keeps its files, if not there as well.

        `data` are the data directories, if they are not `folder`/data.
        """
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = [Path(path) for path in data or [self.folder / "data"]]
        own = Path(own or folder)
        self.tls = tls
        self.environment = environment or {}
        self.process = None
        self.host = "127.0.0.1"
        self.port = free_port()
        self.admin_port = free_port()
        self.log_path = own / "server.log"
        self.configuration = own / "grange.toml"
        self.credentials = Credentials(ACCESS_KEY, SECRET_KEY, REGION)
        self.write_configuration(extra_configuration)

    @property
    def program(self):
        return program()

    @property
    def proc(self):
        """What the kernel tells of the process."""
        return Path(f"/proc/{self.process.pid}")

    @property
    def scheme(self):
        return "https" if self.tls else "http"

    @property
    def endpoint(self):
        return f"{self.scheme}://{self.host}:{self.port}"

    def write_configuration(self, extra):
        tls = ""
        if self.tls:
            certificate, key, _ = self.tls
            tls = f'tls_cert = "{certificate}"\ntls_key = "{key}"\n'
        self.configuration.write_text(f"""\
metadata_dir = "{self.folder}/meta"
data_dir = [{", ".join(f'{{ path = "{path}" }}' for path in self.data)}]
{extra}
[rpc]
bind = "127.0.0.1:{free_port()}"
[s3]
bind = "127.0.0.1:{self.port}"
region = "{REGION}"
root_domain = "{ROOT_DOMAIN}"
{tls}[web]
bind = "127.0.0.1:{free_port()}"
[admin]
bind = "127.0.0.1:{self.admin_port}"
[k2v]
bind = "127.0.0.1:{free_port()}"
[discovery]
lan = false
[nat]
enabled = false
""")

    def start(self, wait=True, wrapper=()):
        """Starts the process; with `wait`, returns once S3 answers."""
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder),
            "GRANGE_DEFAULT_ACCESS_KEY": ACCESS_KEY, "GRANGE_DEFAULT_SECRET_KEY": SECRET_KEY,
            "GRANGE_DEFAULT_BUCKET": BUCKET, **self.environment}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*wrapper, self.program, "server", "--config", self.configuration, "--quickstart"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                start_new_session=True)
        state.record_process(self.process.pid)
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self):
        deadline = time.monotonic() + START_LIMIT
        last = "no connection"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise DidNotStart(
                    f"the server ended with {self.process.returncode}\n{self.log_tail()}")
            client = self.client(timeout=5)
            try:
                response = client.request("HEAD", BUCKET)
                if response.status == 200:
                    return
                last = f"HEAD of the bucket: {response.status}"
            except OSError as error:
                last = str(error)
            finally:
                client.close()
            time.sleep(0.005)
        raise DidNotStart(f"not ready in {START_LIMIT} s: {last}\n{self.log_tail()}")

    def client(self, timeout=60, credentials=None):
        host = self.host
        authority = self.tls[2] if self.tls else None
        return Client(host, self.port, credentials or self.credentials, authority, timeout)

    def kill(self):
        """SIGKILL: whatever the kernel has, it keeps; whatever was in memory is gone."""
        self._end(signal.SIGKILL)

    def stop(self):
        """SIGTERM, which the server obeys within 5 s. Returns the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number):
        process = self.process
        if process is None:
            return None
        self.process = None
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            code = process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(
                f"still running {STOP_LIMIT} s after signal {number}\n{self.log_tail()}") from None
        finally:
            state.forget_process(process.pid)
        return code

    def command(self, *arguments, check=True, input=None):
        """Runs `grange ARGUMENTS` against this server."""
        return subprocess.run(
            [self.program, *arguments, "--config", self.configuration], check=check, text=True,
            capture_output=True, input=input, timeout=60,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)})

    def command_json(self, *arguments):
        return json.loads(self.command(*arguments, "--json").stdout)

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0

    def log_tail(self, lines=30):
        with contextlib.suppress(OSError):
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
        return ""


class ForeignServer:
    """Another S3 server, named by GRANGE_TEST_ENDPOINT: to find mistakes of the tests themselves."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.scheme, _, rest = endpoint.partition("://")
        self.host, _, port = rest.partition(":")
        self.port = int(port)
        self.tls = None
        self.credentials = Credentials(ACCESS_KEY, SECRET_KEY, REGION)

    def client(self, timeout=60, credentials=None):
        return Client(self.host, self.port, credentials or self.credentials, None, timeout)

    def stop(self):
        return 0

    def log_tail(self, lines=30):
        return ""
