"""Servers that strangers do their worst to."""

import os
import resource
import shutil

import pytest

from Hostile.processes import raise_file_limit
from Hostile.service import Measure
from harness.server import ACCESS_KEY, Server

# Little beside what the attacks are about, so that a leak cannot hide behind it.
CONFIGURATION = 'block_ram_buffer_max = "32M"'


@pytest.fixture(scope="session")
def file_limit():
    """Open files that this process and its children, the server among them, may have."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield raise_file_limit()
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def running(folder, files=None, **options):
    wrapper = ["prlimit", f"--nofile={files}"] if files else []
    server = Server(folder, extra_configuration=CONFIGURATION, **options).start(wrapper=wrapper)
    try:
        server.command("key", "allow", ACCESS_KEY, "--create-bucket")
        yield server
        assert server.process.poll() is None, f"the server died\n{server.log_tail()}"
        assert server.stop() == 0, f"unclean stop\n{server.log_tail()}"
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def victim(run_folder, file_limit):
    yield from running(run_folder / "victim")


@pytest.fixture
def tls_victim(run_folder, file_limit, authority):
    certificate, key = authority.issue("victim", ["127.0.0.1"])
    yield from running(
        run_folder / "tls-victim", tls=(certificate, key, authority.certificate))


@pytest.fixture
def measure(pytestconfig, record_property):
    """Compares what a normal client gets with and without an attack; `--rounds` takes it more exactly."""
    return Measure(pytestconfig.getoption("--rounds"), record_property)


@pytest.fixture(scope="session", autouse=True)
def processors():
    """The figures mean little on another number of processors; they are printed with it."""
    print(f"processors: {len(os.sched_getaffinity(0))}")
