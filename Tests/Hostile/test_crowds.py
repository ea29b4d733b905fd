"""Connections that do nothing: as many as you like, and nobody is kept out."""

import http.client
import time

import pytest

from Hostile.conftest import running
from Hostile.processes import AttackProcess, Memory
from Hostile.service import NormalClient

MEBIBYTE = 1 << 20

# The demand: 10,000 connections that do nothing cost at most this.
IDLE_COUNT = 10_000
IDLE_BYTES_MAX = 60 * MEBIBYTE
# With TLS there is the state of OpenSSL besides, 14 KiB. (10,000 when `--rounds` asks for exactness: the client is slow.)
TLS_IDLE_COUNT = 2000
TLS_IDLE_BYTES_MAX = 24 << 10


def held(server, count, record_property):
    """What `count` idle connections cost, while a client goes on as if they were not there."""
    with NormalClient(server) as client:
        client.during(1)
    memory = Memory(server)
    with NormalClient(server) as client, AttackProcess(
            server, "hold", count=count, again=False) as attack:
        client.during(1)
        taken = memory.above
        counts = attack.end()
    assert counts["open"] == count, counts
    record_property("measured", f"{taken / count:.0f} bytes each")
    print(f"{taken / MEBIBYTE:.1f} MiB, {taken / count:.0f} bytes each")
    return taken


def test_ten_thousand_idle_connections_are_kept(victim, file_limit, record_property):
    if file_limit < IDLE_COUNT + 5000:
        pytest.skip(f"{IDLE_COUNT} connections need more open files than {file_limit}")
    assert held(victim, IDLE_COUNT, record_property) <= IDLE_BYTES_MAX


def test_idle_tls_connections_cost_little(tls_victim, pytestconfig, record_property):
    count = IDLE_COUNT if pytestconfig.getoption("--rounds") else TLS_IDLE_COUNT
    assert held(tls_victim, count, record_property) <= count * TLS_IDLE_BYTES_MAX


# Far more than a node with few open files takes.
FEW_FILES = 1024


@pytest.fixture
def small_victim(run_folder, file_limit):
    yield from running(run_folder / "small", files=FEW_FILES)


def test_a_server_that_is_full_still_serves(small_victim, measure):
    """Who comes later gets the place of those that have waited the longest, not a refusal."""
    comparison = measure(
        small_victim, ("hold", {"count": 3 * FEW_FILES, "period": 0.05}), memory_max=16 * MEBIBYTE)
    assert comparison.counts[-1][0]["closed"] > FEW_FILES


def test_a_full_admin_port_still_answers(victim):
    admin = {"host": victim.host, "port": victim.admin_port, "tls": None}
    with AttackProcess(victim, "hold", count=500, period=0.05, at=admin):
        for _ in range(5):
            began = time.monotonic()
            assert health(victim) == 200
            assert time.monotonic() - began < 2
            time.sleep(0.1)


def health(server):
    connection = http.client.HTTPConnection(server.host, server.admin_port, timeout=5)
    connection.request("GET", "/health")
    try:
        return connection.getresponse().status
    finally:
        connection.close()
