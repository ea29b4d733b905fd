"""What measures, and what is measured beside the server: grange-bench (ours), s3bench (Go), nginx."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field

from . import state
from .server import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, free_port, program


@dataclass
class Load:
    """One figure: what is asked for, of what size, how many at a time, and for how long."""

    operation: str
    size: int = 1024
    concurrency: int = 1
    seconds: float = 5
    objects: int = 1000
    prefix: str = "bench/"
    per_folder: int = 0
    delimiter: str = ""
    page: int = 1000
    ours_only: list = field(default_factory=list)


def grange_bench():
    return program().parent / "grange-bench"


def ours(server, load):
    words = [
        grange_bench(), load.operation, "--json", "--endpoint", f"{server.host}:{server.port}",
        "--bucket", BUCKET, "--prefix", load.prefix, "--size", load.size,
        "--concurrency", load.concurrency, "--seconds", load.seconds, "--objects", load.objects,
        "--per-folder", load.per_folder, "--page", load.page, *load.ours_only,
        "--server-pid", ",".join(map(str, process_ids(server)))]
    if load.delimiter:
        words += ["--delimiter", load.delimiter]
    if isinstance(server, Nginx):
        words += ["--no-signature"]
    else:
        words += ["--region", REGION, "--access", server.credentials.access_key]
    secret = "" if isinstance(server, Nginx) else server.credentials.secret_key
    return run(words, {"GRANGE_BENCH_SECRET": secret})


def theirs(server, load):
    """The same by s3bench: it makes the same names, but not the same bytes, so puts have a prefix of their own."""
    words = [
        s3bench(), "-json", "-op", load.operation, "-endpoint", server.endpoint, "-region", REGION,
        "-bucket", BUCKET, "-access", ACCESS_KEY, "-secret", SECRET_KEY, "-c", load.concurrency,
        "-duration", f"{load.seconds}s"]
    if load.operation == "list":
        words += ["-maxkeys", load.page, "-listprefix", load.prefix]
        if load.delimiter:
            words += ["-delimiter", load.delimiter]
        return run(words, {})
    prefix = load.prefix
    if load.operation in ("put", "delete"):
        prefix = f"theirs-{prefix}"
    if load.operation != "put":
        words += ["-objects", load.objects]
    return run([*words, "-size", load.size, "-prefix", prefix], {})


def process_ids(server):
    return server.process_ids() if isinstance(server, Nginx) else [server.process.pid]


def run(words, environment):
    done = subprocess.run(
        list(map(str, words)), capture_output=True, text=True, env={**os.environ, **environment})
    lines = done.stdout.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        raise SystemExit(f"{words[0]}: {done.stdout}{done.stderr}")
    result = json.loads(lines[-1])
    if result.get("errors"):
        raise SystemExit(f"{' '.join(map(str, words[:2]))}: {result['errors']} errors: "
                         f"{result.get('first_error')}")
    return result


def s3bench():
    """The Go program, built once; None without a Go compiler."""
    folder = state.folder("s3bench")
    binary = folder / "s3bench"
    if not binary.exists():
        if not shutil.which("go"):
            return None
        subprocess.run(
            ["go", "build", "-o", binary, "."], check=True,
            cwd=state.ROOT / "Tests" / "Tools" / "s3bench",
            env={**os.environ, "GOCACHE": str(folder / "cache"), "GOFLAGS": "-mod=mod"})
    return binary


def disk_rate(folder, seconds):
    return run([grange_bench(), "disk", folder, seconds], {})


def hash_rates(seconds=1):
    return run([grange_bench(), "hash", seconds], {})


class Nginx:
    """nginx with files of its own on 127.0.0.1: what a server can do that neither signs nor syncs.

    It takes the objects by PUT (its DAV module), so that the same program writes the same bytes to it.
    """

    PROGRAM = "/usr/sbin/nginx"
    host = "127.0.0.1"

    def __init__(self, folder):
        self.folder = folder
        (folder / "files").mkdir(parents=True)
        self.port = free_port()
        self.configuration = folder / "nginx.conf"
        self.configuration.write_text(f"""\
daemon off;
master_process on;
worker_processes 2;
{"user root;" if os.getuid() == 0 else ""}
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  keepalive_timeout 3600;
  client_max_body_size 0;
  client_body_temp_path {folder}/client_body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{self.port};
    root {folder}/files;
    location / {{ dav_methods PUT DELETE; create_full_put_path on; }}
  }}
}}
""")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [self.PROGRAM, "-p", self.folder, "-c", self.configuration, "-e",
             self.folder / "error.log"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        state.record_process(self.process.pid)
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            time.sleep(0.01)
        raise SystemExit(f"nginx did not start: {(self.folder / 'error.log').read_text()}")

    def process_ids(self):
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(children) as file:
            return [self.process.pid, *map(int, file.read().split())]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        state.forget_process(self.process.pid)
