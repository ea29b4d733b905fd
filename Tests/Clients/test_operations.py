"""The program as an operator meets it: commands, exit codes, what it refuses and what it says then."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest
from awscrt import checksums

from harness import names
from harness.server import ACCESS_KEY, BUCKET, SECRET_KEY, Server, program
from harness.signing import Credentials


@pytest.fixture
def node(run_folder, request):
    """Makes servers in folders of their own and ends them."""
    made = []

    def make(name="node", **options):
        path = run_folder / "operations" / f"{abs(hash(request.node.name)) % 10**8}-{name}"
        made.append(Server(path, **options))
        return made[-1]

    yield make
    for server in made:
        server.kill()


def grange(*words, environment=None, input=None):
    return subprocess.run(
        [program(), *map(str, words)], capture_output=True, text=True, timeout=30, input=input,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(environment or {})})


def refused(done, *says):
    """Exit 1, and one line that says why."""
    assert done.returncode == 1, done
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for text in says:
        assert text in done.stderr, done.stderr


def test_the_version_is_printed():
    done = grange("--version")
    assert done.returncode == 0 and re.fullmatch(r"grange \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize("words", [["statsu"], [], ["bucket"], ["status", "--nonsense"],
                                   ["bucket", "info"], ["bucket", "info", "a", "b"]])
def test_wrong_usage_is_exit_2(words):
    done = grange(*words)
    assert done.returncode == 2 and "grange" in done.stderr


def test_status_says_what_scripts_rely_on(server):
    status = server.command_json("status")
    assert status["health"] == "healthy"
    (node,) = status["nodes"]
    assert set(node) >= {"id", "hostname", "addresses", "zone", "capacity", "tags", "isUp"}
    assert re.fullmatch("[0-9a-f]{64}", node["id"]) and node["isUp"] is True
    assert server.command("status", "--health").stdout == ""
    assert node["id"][:16] in server.command("status").stdout


def test_without_a_node_commands_say_so(node):
    server = node()
    for words in (["status"], ["status", "--health"], ["key", "list"]):
        refused(server.command(*words, check=False), "no node is running")


def test_keys_and_buckets_by_command(server):
    created = server.command_json("key", "create", "by command")
    key, secret = created["accessKeyId"], created["secretAccessKey"]
    assert re.fullmatch("GK[0-9a-f]{24}", key) and re.fullmatch("[0-9a-f]{64}", secret)
    assert secret not in server.command("key", "info", key).stdout
    assert secret in server.command("key", "info", key, "--show-secret").stdout
    assert key in server.command("key", "list").stdout
    server.command("bucket", "create", "by-command")
    server.command("bucket", "allow", "by-command", "--key", key, "--read", "--write")
    assert "by-command" in server.command("bucket", "list").stdout
    assert key in server.command("bucket", "info", "by-command").stdout
    credentials = Credentials(key, secret)
    client = server.client(credentials=credentials)
    assert client.request("PUT", "by-command", "x", body=b"x").status == 200
    refused(server.command("bucket", "delete", "by-command", "--yes", check=False), "objects")
    assert client.request("DELETE", "by-command", "x").status == 204
    server.command("bucket", "deny", "by-command", "--key", key, "--write")
    assert client.request("PUT", "by-command", "x", body=b"x").status == 403
    server.command("bucket", "delete", "by-command", "--yes")
    server.command("key", "delete", key, "--yes")
    assert client.request("GET").code == "InvalidAccessKeyId"
    refused(server.command("bucket", "info", "by-command", check=False), "by-command")


def test_a_key_from_elsewhere_is_taken(server):
    server.command("key", "import", "AKIAIOSFODNN7EXAMPLE", "-", "--yes", "--name", "elsewhere",
                   input="wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY\n", check=True)
    assert "AKIAIOSFODNN7EXAMPLE" in server.command("key", "list").stdout
    server.command("key", "delete", "AKIAIOSFODNN7EXAMPLE", "--yes")


@pytest.mark.parametrize("text, says", [
    ("data_dri = '/x'", "did you mean 'data_dir'"),
    ("[s3]\nregoin = 'x'", "did you mean 's3.region'"),
    ("block_size = '1X'", "block_size"),
    ("replication = 4", "replication"),
    ("[s3]\nbind = 'everywhere'", "bind"),
    ("metadata_dir = ", "line 1"),
    ("metadata_dir = 'a'\nmetadata_dir = 'b'", "metadata_dir"),
])
def test_a_wrong_configuration_is_named(tmp_path, text, says):
    (tmp_path / "grange.toml").write_text(text + "\n")
    for command in (["config", "check"], ["server"]):
        done = grange(*command, "--config", tmp_path / "grange.toml")
        assert done.returncode == 1 and says in done.stderr, done
    assert grange("config", "check", "--config", tmp_path / "none.toml").returncode == 1


def test_the_configuration_in_effect_is_shown(tmp_path):
    (tmp_path / "grange.toml").write_text("[s3]\nregion = 'from-file'\n")
    shown = grange("config", "check", "--config", tmp_path / "grange.toml").stdout
    assert "from-file" in shown
    shown = grange("config", "check", "--config", tmp_path / "grange.toml",
                   environment={"GRANGE_S3_REGION": "from-environment"}).stdout
    assert "from-environment" in shown and "from-file" not in shown


def test_keys_of_later_work_are_accepted(tmp_path):
    (tmp_path / "grange.toml").write_text("""\
zone = "home"
[discovery]
bootstrap_peers = []
[discovery.consul]
address = "http://127.0.0.1:8500"
service_name = "grange"
api = "catalog"
[nat]
enabled = true
ports = ["rpc", "s3"]
lease = "1h"
""")
    done = grange("config", "check", "--config", tmp_path / "grange.toml")
    assert done.returncode == 0, done.stderr


def test_a_secret_that_others_can_read_is_refused(node, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(SECRET_KEY)
    secret.chmod(0o644)
    server = node()
    environment = {
        "GRANGE_DEFAULT_ACCESS_KEY": ACCESS_KEY, "GRANGE_DEFAULT_SECRET_KEY_FILE": str(secret)}
    done = grange(
        "server", "--quickstart", "--config", server.configuration, environment=environment)
    refused(done, str(secret))


def test_one_process_for_each_folder(node):
    server = node().start()
    refused(grange("server", "--config", server.configuration), str(server.folder))
    assert server.client().request("HEAD", BUCKET).status == 200


def test_a_port_in_use_is_said(node):
    first = node("first").start()
    second = node("second")
    second.configuration.write_text(
        second.configuration.read_text().replace(str(second.port), str(first.port)))
    refused(grange("server", "--config", second.configuration), str(first.port))


def set_format(path, version):
    """Writes the format's number into the database's first page, with the page's checksum, as a program of that
    format would (docs/formats/metadata-database.md)."""
    with open(path, "r+b") as file:
        page = bytearray(file.read(8192))
        page[60:64] = version.to_bytes(4, "big")
        page[8188:] = checksums.crc32c(b"\0\0\0\1" + bytes(page[:8184])).to_bytes(4, "big")
        file.seek(0)
        file.write(page)


def test_a_newer_or_older_database_is_refused(node):
    server = node().start()
    server.stop()
    (path,) = (server.folder / "meta").glob("*.sqlite")
    set_format(path, 4)
    refused(grange("server", "--config", server.configuration), "newer")
    set_format(path, 2)
    refused(grange("server", "--config", server.configuration), "development version")
    set_format(path, 3)
    server.start()


def test_everything_is_there_after_a_stop(node):
    server = node().start()
    client = server.client()
    objects = {f"key {size}": names.content(size, size) for size in (0, 5, 9000, 3_000_000)}
    for key, data in objects.items():
        client.request("PUT", BUCKET, key, body=data)
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 5
    server.start()
    client = server.client()
    for key, data in objects.items():
        assert client.request("GET", BUCKET, key).body == data


def test_a_stop_waits_for_the_upload_that_runs(node):
    server = node().start()
    client = server.client()
    path = f"/{BUCKET}/slow"
    headers = server.credentials.sign(
        "PUT", path, [], {"host": client.host, "content-length": "100000"})
    connection = client.connection
    connection.putrequest("PUT", path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(b"x" * 50_000)
    time.sleep(0.2)
    server.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 5
    with pytest.raises(OSError):
        while time.monotonic() < deadline:
            socket.create_connection((server.host, server.port), 1).close()
            time.sleep(0.02)
    connection.send(b"x" * 50_000)
    assert connection.getresponse().status == 200
    assert server.process.wait(5) == 0


def test_the_first_start_makes_a_key_once(node):
    server = node()
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    words = [program(), "server", "--quickstart", "--config", server.configuration]
    keys = []
    for _ in range(2):
        process = subprocess.Popen(
            words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            text = ""
            while "Bucket" not in text:
                line = process.stdout.readline()
                assert line, text
                text += line
            keys.append(re.search(r"GK[0-9a-f]{24}", text).group(0))
            # A pipe is a log that others may read: the secret is not in it.
            assert not re.search(r"\b[0-9a-f]{64}\b", text)
            info = server.command_json("key", "info", keys[-1], "--show-secret")
            assert re.fullmatch("[0-9a-f]{64}", info["secretAccessKey"])
        finally:
            process.terminate()
            process.wait(10)
            process.stdout.close()
    assert keys[0] == keys[1]


def test_a_key_that_was_deleted_is_not_made_again(node):
    """There is a bucket: this is no first start."""
    server = node().start()
    server.command("key", "delete", ACCESS_KEY, "--yes")
    assert server.stop() == 0
    server.start(wait=False)
    while server.command("status", check=False).returncode:
        assert server.process.poll() is None, server.log_tail()
        time.sleep(0.05)
    assert server.command_json("key", "list") == []
    assert server.client().request("GET", BUCKET).status == 403
    assert server.stop() == 0


def test_the_environment_counts_where_proc_does_not_tell_it():
    """As for a program with a capability of its own, whose environ file is root's."""
    answer = subprocess.run(
        ["unshare", "--mount", "sh", "-c",
         'mount --bind /dev/null /proc/$$/environ && exec "$0" config check', program()],
        capture_output=True, text=True, timeout=30,
        env={"PATH": os.environ["PATH"], "GRANGE_S3_BIND": "nonsense"})
    assert answer.returncode != 0 and "GRANGE_S3_BIND" in answer.stderr, answer


def test_a_folder_deeper_than_a_socket_path_works(node):
    server = node("x" * 120)
    server.start()
    assert server.command_json("status")["health"] == "healthy"


def test_files_of_a_node_are_its_own(node):
    server = node().start()
    meta = server.folder / "meta"
    for path in [meta, *meta.iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert (meta / "admin.sock").stat().st_mode & 0o777 == 0o600


def test_a_malformed_body_to_the_admin_interface_is_refused(node):
    server = node().start()
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(10)
        admin.connect(str(server.folder / "meta" / "admin.sock"))
        admin.sendall(
            b"POST /v2/CreateBucket HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        assert admin.recv(4096).startswith(b"HTTP/1.1 400 ")


def get(server, path, token=None):
    request = urllib.request.Request(f"http://127.0.0.1:{server.admin_port}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_health_and_metrics_are_served(server):
    assert get(server, "/health")[0] == 200
    status, text = get(server, "/metrics")
    assert status == 200
    samples = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(samples) > 20
    for line in samples:
        assert re.fullmatch(r"[a-z_:][a-z0-9_:]*(\{[^}]*\})? [-+0-9.eE]+(Inf)?", line), line


def test_metrics_can_have_a_token(node):
    server = node()
    server.configuration.write_text(
        server.configuration.read_text().replace("[admin]\n", '[admin]\nmetrics_token = "s3same"\n'))
    server.configuration.chmod(0o600)
    server.start()
    assert get(server, "/metrics")[0] in (401, 403)
    assert get(server, "/metrics", "wrong")[0] in (401, 403)
    assert get(server, "/metrics", "s3same")[0] == 200
    assert get(server, "/health")[0] == 200


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(node, authority, tmp_path):
    """Also on a machine whose settings of OpenSSL allow it: usual ones would refuse it for us."""
    settings = tmp_path / "openssl.cnf"
    settings.write_text(
        "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = any\n"
        "[any]\nMinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n")
    certificate, key = authority.issue("old-tls", ["localhost", "127.0.0.1"])
    tls_server = node(
        tls=(certificate, key, authority.certificate),
        environment={"OPENSSL_CONF": str(settings)}).start()
    context = ssl.create_default_context(cafile=str(tls_server.tls[2]))
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection((tls_server.host, tls_server.port), 5) as plain:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            context.wrap_socket(plain, server_hostname="localhost")


def test_the_log_can_be_json(node):
    server = node(extra_configuration='log_format = "json"\nlog_level = "debug"').start()
    server.client().request("GET", BUCKET, "missing")
    server.stop()
    lines = [line for line in server.log_path.read_text().splitlines() if line.startswith("{")]
    assert lines
    for line in lines:
        assert {"time", "level", "message"} <= set(json.loads(line))


def test_memory_stays_bounded_while_large_bodies_pass(node):
    """Forty uploads of 40 MB at a time: what is under way waits outside, not in memory."""
    server = node(extra_configuration='block_ram_buffer_max = "32M"').start()
    data = names.content(40_000_000, "memory")
    statuses = []

    def work(number):
        client = server.client(timeout=120)
        statuses.append(client.request("PUT", BUCKET, f"large {number}", body=data).status)
        statuses.append(client.request("GET", BUCKET, f"large {number}").status)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 80
    with open(f"/proc/{server.process.pid}/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024
    assert peak < 300, f"{peak:.0f} MiB"
