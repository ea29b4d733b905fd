"""Out of descriptors, out of memory: who is served goes on being served, and the node stays alive."""

import errno
import os
import socket
import threading
import time

import pytest

from harness import load
from harness.journal import Journal
from harness.names import MEBIBYTE, content
from harness.server import BUCKET


def processor_seconds(server):
    with open(f"/proc/{server.process.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def connect(server, count):
    """Connections that say nothing; those that are not taken or not kept are left out."""
    made = []
    for _ in range(count):
        try:
            made.append(socket.create_connection((server.host, server.port), timeout=2))
        except OSError:
            break
    return made


@pytest.mark.parametrize("descriptors", [48, 160])
def test_a_node_without_descriptors_goes_on_serving(node, seed, descriptors):
    """Fewer descriptors than connections: nothing spins, and clients that come back go on. (Newcomers take the place of who
    waits longest, and that may be a client between two requests.)"""
    server = node().start(wrapper=("prlimit", f"--nofile={descriptors}:{descriptors}"))
    journal = Journal()
    running = load.Load(server, journal, seed, workers=6, bytes_max=200 * MEBIBYTE).start()
    time.sleep(0.3)
    running.fault_begins()
    before = running.operations
    idle = connect(server, 400)
    time.sleep(1)
    # Without load: what is left is a node with a queue of connections that it cannot take.
    running.stop().check()
    assert running.operations > before + 10, "nobody was served beside the crowd"
    assert set(running.refusals) <= {"SlowDown", 503}, running.refusals
    began = processor_seconds(server)
    time.sleep(1.5)
    assert processor_seconds(server) - began < 0.3, "it spins"
    for connection in idle:
        connection.close()
    time.sleep(0.3)
    load.verify(server, journal)
    load.Load(server, journal, f"{seed} again", bytes_max=20 * MEBIBYTE).start().stop().check()
    assert server.stop() == 0


def test_a_node_that_gets_no_further_thread_goes_on_with_those_it_has(node, failing, seed):
    """As with a limit of processes or of addresses: disks are waited for by fewer threads."""
    server = node(environment=failing.environment).start()
    failing.set(("thread", "-", errno.EAGAIN, 0))
    before = thread_count(server)
    journal = Journal()
    serve_load(server, journal, seed)
    load.verify(server, journal)
    assert thread_count(server) == before
    failing.clear()
    serve_load(server, journal, f"{seed} again")
    assert thread_count(server) > before
    assert server.stop() == 0


def serve_load(server, journal, seed):
    running = load.Load(server, journal, seed, workers=8, bytes_max=200 * MEBIBYTE).start()
    time.sleep(1.5)
    running.stop().check()


def thread_count(server):
    return len(os.listdir(f"/proc/{server.process.pid}/task"))


def test_more_than_fits_into_memory_is_slowed_down(node, seed):
    """48 uploads and downloads of 8 MiB at once, with buffers of 16 MiB and little memory beside them."""
    server = node(extra_configuration='block_ram_buffer_max = "16M"').start(
        wrapper=("prlimit", f"--data={96 * MEBIBYTE}"))
    body = content(8 * MEBIBYTE, seed)
    failures = []

    def work(number):
        client = server.client(timeout=120)
        key = f"large {number}"
        response = client.request("PUT", BUCKET, key, body=body)
        if response.status != 200:
            failures.append((response.status, response.code))
        elif client.request("GET", BUCKET, key).body != body:
            failures.append("other bytes")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(48)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(failures) <= {(503, "SlowDown")}, failures
    assert server.process.poll() is None
    assert server.stop() == 0
