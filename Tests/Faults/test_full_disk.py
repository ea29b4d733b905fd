"""Full disks: writes are refused and say why, reads and deletes go on, and nothing acknowledged is lost."""

import errno
import os
import time

import pytest

from harness import load
from harness.journal import Journal
from harness.names import MEBIBYTE, content
from harness.server import BUCKET


class Ballast:
    """What another program keeps on a disk."""

    def __init__(self, place):
        self.path = place / "ballast"

    def fill(self, left=0):
        """Takes all of the disk but `left` bytes."""
        with open(self.path, "ab") as file:
            for size in (MEBIBYTE, 4096, 512):
                while True:
                    room = os.statvfs(self.path)
                    if room.f_bavail * room.f_frsize < left + size:
                        break
                    try:
                        file.write(bytes(size))
                        file.flush()
                    except OSError as error:
                        assert error.errno == errno.ENOSPC
                        break
            os.fsync(file.fileno())

    def free(self):
        self.path.unlink()


def put_until_refused(client, size, limit=4000):
    """Stores objects of `size` bytes until one is refused. Returns {key: seed of its bytes}, the refusal."""
    stored = {}
    for number in range(limit):
        key = f"{size}/{number}"
        response = client.request("PUT", BUCKET, key, body=content(size, key))
        if response.status != 200:
            return stored, response
        stored[key] = size
    raise AssertionError(f"{limit} objects of {size} bytes were taken")


def check(client, stored):
    for key, size in stored.items():
        response = client.request("GET", BUCKET, key)
        assert (response.status, response.body == content(size, key)) == (200, True), key


def assert_refused(response):
    assert (response.status, response.code) == (507, "InsufficientStorage"), response.body


def test_clients_alone_cannot_fill_a_disk_so_that_nothing_can_be_deleted(node, disk_of):
    disk = disk_of("96M")
    server = node(disk.place).start()
    client = server.client()
    large, refusal = put_until_refused(client, 3 * MEBIBYTE)
    assert_refused(refusal)
    # Small objects lie in the database, on the same disk.
    small, refusal = put_until_refused(client, 8000)
    assert_refused(refusal)
    check(client, {**large, **small})
    status = server.command_json("status")
    assert any("full" in line for line in status["attention"])
    assert status["health"] == "degraded"
    for key in [*large, *small]:
        assert client.request("DELETE", BUCKET, key).status == 204, key
    assert listed(client) == []
    assert server.stop() == 0
    assert server.start().stop() == 0


def listed(client):
    response = client.request("GET", BUCKET, query=[("list-type", "2")])
    assert response.status == 200
    return [entry.text for entry in response.xml.findall("Contents/Key")]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
def test_a_block_that_does_not_fit_is_refused_and_no_fault_of_the_disk(node, failing, code):
    """Others took the room since it was measured, or a quota leaves less."""
    server = node(environment=failing.environment).start()
    client = server.client()
    failing.set(("write", "/data/", code, 0))
    assert_refused(client.request("PUT", BUCKET, "a block", body=content(20_000, 1)))
    assert server.command_json("status")["health"] == "healthy"
    failing.clear()
    assert client.request("PUT", BUCKET, "a block", body=content(20_000, 1)).status == 200
    assert server.stop() == 0


@pytest.mark.parametrize("left", [0, 40_000])
def test_a_disk_that_others_fill_under_load_loses_nothing(node, disk_of, seed, left):
    disk = disk_of("600M")
    server = node(disk.place).start()
    journal, ballast = Journal(), Ballast(disk.place)
    running = load.Load(server, journal, seed, bytes_max=300 * MEBIBYTE).start()
    time.sleep(0.3)
    running.fault_begins()
    ballast.fill(left)
    time.sleep(2)
    running.stop().check()
    assert running.refusals, "the disk was not full"
    assert set(running.refusals) == {"InsufficientStorage"}, running.refusals
    # While it is full, everything can be read, and deleted as far as others left the log any room.
    load.verify(server, journal)
    client = server.client()
    for key in load.listed(server)[:10]:
        attempt = journal.begin(key, "delete")
        response = client.request("DELETE", BUCKET, key)
        if response.status == 204:
            journal.acknowledge(attempt)
        else:
            assert_refused(response)
    load.verify(server, journal)
    ballast.free()
    # Without a restart.
    load.Load(server, journal, f"{seed} again", bytes_max=20 * MEBIBYTE).start().stop().check()
    load.verify(server, journal)
    server.kill()
    server.start()
    load.verify(server, journal)
    assert server.stop() == 0
