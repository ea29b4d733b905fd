"""Options and servers that all tests of the running program share."""

import os
import shutil

import pytest

from harness import hosts, state
from harness.authority import Authority
from harness.server import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, ForeignServer, Server, program


def pytest_addoption(parser):
    parser.addoption("--rounds", type=int, help="rounds of each fault test")
    parser.addoption("--minutes", type=float, help="time that a fault test may take")
    parser.addoption("--keep", help="a folder to keep what a failed fault test leaves")
    parser.addoption("--seed", type=int, help="seed of random choices; printed by a failure")


def pytest_report_header(config):
    return f"grange: {os.environ.get('GRANGE_TEST_ENDPOINT') or program()}"


@pytest.fixture(scope="session")
def run_folder():
    """Files of this run, on a disk like the one that a node uses; removed at the end."""
    path = state.folder("run", str(os.getpid()))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def authority(run_folder):
    folder = run_folder / "authority"
    folder.mkdir()
    return Authority(folder)


@pytest.fixture(scope="session")
def server(run_folder):
    """The server that answers over HTTP."""
    yield from running(Server(run_folder / "http") if not foreign() else foreign())


@pytest.fixture(scope="session")
def tls_server(run_folder, authority):
    """The server that answers over HTTPS."""
    if foreign():
        pytest.skip("the foreign server has no HTTPS")
    certificate, key = authority.issue(
        "server", ["localhost", "127.0.0.1", "s3.grange.localhost", "*.s3.grange.localhost"])
    yield from running(
        Server(run_folder / "https", tls=(certificate, key, authority.certificate)))


@pytest.fixture
def endpoints(request):
    """The server of a scheme, started when the first test asks for it."""
    return lambda scheme: request.getfixturevalue("tls_server" if scheme == "https" else "server")


def foreign():
    endpoint = os.environ.get("GRANGE_TEST_ENDPOINT")
    return ForeignServer(endpoint) if endpoint else None


def running(server):
    if not isinstance(server, ForeignServer):
        server.start()
        server.command("key", "allow", ACCESS_KEY, "--create-bucket")
    else:
        server.client().request("PUT", BUCKET)
    try:
        yield server
        if not isinstance(server, ForeignServer):
            assert server.process.poll() is None, f"the server died\n{server.log_tail()}"
            assert server.stop() == 0, f"unclean stop\n{server.log_tail()}"
    finally:
        if getattr(server, "process", None):
            server.kill()


@pytest.fixture
def client_environment(server, tmp_path):
    """Environment of a client program: our keys, and nothing of the user's own settings."""
    return {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION, "AWS_CONFIG_FILE": str(tmp_path / "aws-config"),
        "AWS_EC2_METADATA_DISABLED": "true",
        # A second attempt would hide an answer that was not understood.
        "AWS_MAX_ATTEMPTS": "1",
    }


@pytest.fixture
def needs_hosts():
    if not hosts.is_available():
        pytest.skip("names of virtual hosts need root (a private /etc/hosts)")
