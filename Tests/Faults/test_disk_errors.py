"""A disk that fails under a running node: EIO on writes, syncs and reads; read-only; slow.

`failing.c` makes the C library's calls fail for the files that a test names. strace makes the system calls
themselves fail, whoever makes them.
"""

import contextlib
import errno
import shutil
import signal
import subprocess
import time

import pytest

from Faults.rounds import wait_for_quiet
from harness import load
from harness.journal import Journal
from harness.names import MEBIBYTE, content
from harness.server import BUCKET

DATABASE, BLOCKS = "metadata.sqlite", "/data/"
STOPPED = "A disk of this node failed: it takes no changes until its operator has looked at it."


def loaded(server, seed, begin, end=None, seconds=1.0, bytes_max=200 * MEBIBYTE):
    """A node under load while a fault begins and, with `end`, ends. Returns the journal and the load."""
    journal = Journal()
    running = load.Load(server, journal, seed, bytes_max=bytes_max).start()
    time.sleep(0.3)
    running.fault_begins()
    begin()
    time.sleep(seconds)
    if end:
        end()
    running.stop().check()
    return journal, running


def assert_works(server, journal, seed):
    """Everything acknowledged is there, and a load meets no error."""
    load.verify(server, journal)
    load.Load(server, journal, f"{seed} after", bytes_max=10 * MEBIBYTE).start().stop().check()
    load.verify(server, journal)


def assert_takes_no_changes(server, journal):
    """As after a sync that failed: reads are served, and everyone is told."""
    client = server.client()
    for method in ("PUT", "DELETE"):
        response = client.request(method, BUCKET, "later")
        assert (response.status, response.code) == (503, "ServiceUnavailable")
        assert STOPPED in response.body.decode()
    load.verify(server, journal, is_over=False)
    assert server.log_path.read_text().count("No more metadata is written") == 1
    status = server.command_json("status")
    assert status["health"] == "unavailable"
    assert any("check the disk, then restart the node" in line for line in status["attention"])
    assert server.command("status", "--health", check=False).returncode == 1


@pytest.mark.parametrize("call", ["write", "sync"])
def test_a_database_whose_disk_failed_serves_reads_until_it_is_started_again(
        node, failing, seed, call):
    server = node(environment=failing.environment).start()
    journal, running = loaded(
        server, seed, lambda: failing.set((call, DATABASE, errno.EIO, 0)), failing.clear)
    assert set(running.refusals) <= {"InternalError", "ServiceUnavailable"}, running.refusals
    assert_takes_no_changes(server, journal)
    server.stop()
    server.start()
    assert_works(server, journal, seed)
    wait_for_quiet(server)


@contextlib.contextmanager
def injected(server, *words):
    """strace, attached to the server, that does to its system calls what `words` say."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    tracing = subprocess.Popen(
        ["strace", "-f", "-q", "-o", "/dev/null", *words, "-p", str(server.process.pid)],
        stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 10
        while not is_traced(server):
            assert tracing.poll() is None, tracing.stderr.read()
            assert time.monotonic() < deadline, "strace does not attach"
            time.sleep(0.01)
        yield
    finally:
        tracing.send_signal(signal.SIGINT)
        tracing.wait(20)


def is_traced(server):
    tasks = list((server.proc / "task").iterdir())
    return all("TracerPid:\t0" not in (task / "status").read_text() for task in tasks)


def test_no_sync_of_the_kernel_succeeds(node, seed):
    """Whatever way a sync is asked for, what depends on it is not acknowledged."""
    server = node().start()
    journal = Journal()
    running = load.Load(server, journal, seed, bytes_max=100 * MEBIBYTE).start()
    time.sleep(0.3)
    running.fault_begins()
    with injected(server, "-e", "inject=fsync,fdatasync,syncfs,sync_file_range,msync:error=EIO"):
        before = journal.acknowledged_count()
        time.sleep(0.5)
        # What was synced before the tracer came may have been answered after.
        settled = journal.acknowledged_count()
        time.sleep(1)
        assert journal.acknowledged_count() == settled <= before + 2 * len(running.threads)
    running.stop().check()
    assert_takes_no_changes(server, journal)
    server.kill()
    server.start()
    assert_works(server, journal, seed)


@pytest.mark.parametrize("call", ["open", "write", "sync"])
def test_blocks_that_cannot_be_written_fail_until_the_disk_takes_them_again(
        node, failing, seed, call):
    server = node(environment=failing.environment).start()
    client = server.client()

    def check_status():
        response = client.request("PUT", BUCKET, "a block", body=content(20_000, seed))
        assert (response.status, response.code) == (500, "InternalError")
        # Small objects lie in the database.
        assert client.request("PUT", BUCKET, "small", body=b"x").status == 200
        status = server.command_json("status")
        assert status["health"] == "unavailable", status
        assert any("cannot be written" in line and "smartctl" in line for line in status["attention"])
        failing.clear()

    journal, running = loaded(
        server, seed, lambda: failing.set((call, BLOCKS, errno.EIO, 0)), check_status)
    assert set(running.refusals) == {"InternalError"}, running.refusals
    assert "Input/output error; look at the disk's health (smartctl, dmesg)" in server.log_tail()
    assert_works(server, journal, seed)
    # The next block that is written says that the directory works; the load may have been too short for one.
    assert client.request("PUT", BUCKET, "a block", body=content(20_000, seed)).status == 200
    assert server.command_json("status")["health"] == "healthy"
    # A file that could not be removed again is found by the next start.
    server.kill()
    server.start()
    wait_for_quiet(server)
    assert server.stop() == 0


def test_a_data_directory_that_fails_leaves_its_work_to_the_others(node, folder, failing, seed):
    server = node(data=[folder / "one", folder / "two"], environment=failing.environment).start()
    failing.set(("write", "/one/", errno.EIO, 0))
    journal = Journal()
    load.Load(server, journal, seed, bytes_max=30 * MEBIBYTE).start().stop().check()
    status = server.command_json("status")
    assert status["health"] == "degraded"
    assert any(f"{folder / 'one'} cannot be written" in line for line in status["attention"])
    load.verify(server, journal)
    assert server.stop() == 0


@pytest.mark.parametrize("path", [DATABASE, BLOCKS])
def test_what_cannot_be_read_now_is_there_when_it_can(node, failing, seed, path):
    server = node(environment=failing.environment).start()
    journal, _ = loaded(
        server, seed, lambda: failing.set(("read", path, errno.EIO, 0)), failing.clear)
    assert "errno 5" in server.log_path.read_text() or "Input/output error" in server.log_tail()
    assert "is damaged" not in server.log_path.read_text()
    assert_works(server, journal, seed)
    server.kill()
    server.start()
    wait_for_quiet(server)
    assert server.stop() == 0


def test_a_disk_that_becomes_read_only(node, disk_of, seed):
    """As ext4 makes it after an error, while files are open for writing."""
    disk = disk_of("600M")
    server = node(disk.place).start()
    journal, running = loaded(server, seed, disk.stop_writing)
    assert running.refusals
    load.verify(server, journal, is_over=False)
    status = server.command_json("status")
    assert status["health"] == "unavailable", status
    server.kill()
    disk.unmount()
    disk.mount()
    server.start()
    assert_works(server, journal, seed)
    wait_for_quiet(server)


@pytest.mark.parametrize("milliseconds", [100])
def test_a_slow_disk_slows_and_refuses_nobody(node, failing, seed, milliseconds):
    server = node(environment=failing.environment).start()
    failing.set(("sync", "/node/", 0, milliseconds))
    journal = Journal()
    running = load.Load(server, journal, seed, bytes_max=100 * MEBIBYTE).start()
    # What needs no disk is answered meanwhile: within the time of one sync, as a rule.
    client = server.client()
    waits = []
    for _ in range(50):
        began = time.monotonic()
        assert client.request("HEAD", BUCKET).status == 200
        waits.append(time.monotonic() - began)
    assert sorted(waits)[len(waits) // 2] < milliseconds / 1000
    time.sleep(1)
    running.stop().check()
    failing.clear()
    assert running.operations
    assert_works(server, journal, seed)
    assert server.stop() == 0
