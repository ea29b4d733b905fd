"""Damaged metadata: the database, its log, the node's key, the markers of folders.

What is damaged is refused, by name, and left as it is; what is whole is served; nothing wrong ever is.
"""

import contextlib
import http.client
import os
import random
import re

import pytest

from harness.names import MEBIBYTE, content
from harness.server import BUCKET, DidNotStart

PAGE = 8192
FRAME = 24 + PAGE
LOG_HEADER = 32


def flip(path, place, bit=0):
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ (1 << bit)]))


def database(server):
    return server.folder / "meta" / "metadata.sqlite"


def log(server):
    return server.folder / "meta" / "metadata.sqlite-wal"


def frames_of(data):
    """How many frames the log has; behind them there may be room for more."""
    places = range(LOG_HEADER, len(data) - FRAME + 1, FRAME)
    return next((number for number, place in enumerate(places)
                 if data[place + 8:place + 16] != data[16:24]), len(places))


def fill(server, count=60, size=6000):
    """Objects that lie in the database. Returns {key: bytes}."""
    client = server.client()
    stored = {}
    for number in range(count):
        key = f"object {number:03}"
        stored[key] = content(size, key)
        assert client.request("PUT", BUCKET, key, body=stored[key]).status == 200
    return stored


def assert_refuses_to_start(server, path, *words):
    """The node does not start, twice, and says why; the file at `path` stays as it is."""
    before = path.read_bytes() if path.exists() else None
    for _ in range(2):
        with pytest.raises(DidNotStart) as refusal:
            server.start()
        lines = [line for line in server.log_tail().splitlines() if "grange: " in line]
        assert lines and all(word in lines[-1] for word in words), str(refusal.value)
        server.kill()
    assert (path.read_bytes() if path.exists() else None) == before


def read_all(server, stored):
    """Reads everything: right, or refused with an error. Returns how many were refused."""
    client = server.client()
    refused = 0
    for key, data in stored.items():
        with contextlib.suppress(http.client.IncompleteRead):
            response = client.request("GET", BUCKET, key)
            assert response.status in (200, 500), (key, response.status)
            if response.status == 200:
                assert response.body == data, key
            refused += response.status == 500
    return refused


def listed(client):
    response = client.request("GET", BUCKET, query=[("list-type", "2")])
    if response.status != 200:
        assert (response.status, response.code) == (500, "InternalError")
        return None
    return [entry.text for entry in response.xml.findall("Contents/Key")]


def test_a_flipped_bit_anywhere_in_the_database_is_never_served(node, seed):
    server = node().start()
    stored = fill(server)
    server.stop()
    whole = database(server).read_bytes()
    source = random.Random(seed)
    outcomes = {"refused to start": 0, "refused a request": 0, "not met": 0}
    pages = list(range(len(whole) // PAGE))
    source.shuffle(pages)
    for page in pages[:24]:
        flip(database(server), page * PAGE + source.randrange(PAGE), source.randrange(8))
        try:
            server.start()
        except DidNotStart:
            assert "is damaged" in server.log_tail(3), server.log_tail()
            outcomes["refused to start"] += 1
        else:
            refused = read_all(server, stored)
            keys = listed(server.client())
            assert keys is None or keys == list(stored), f"seed {seed}, page {page}"
            outcomes["refused a request" if refused or keys is None else "not met"] += 1
        server.kill()
        log(server).unlink(missing_ok=True)
        database(server).write_bytes(whole)
    print(outcomes)
    assert outcomes["refused a request"] >= 5, outcomes
    server.start()
    assert read_all(server, stored) == 0
    assert server.stop() == 0


def test_a_database_that_is_missing_is_not_made_anew(node):
    """An empty node would look healthy, and who mirrors from it would delete what they have."""
    server = node().start()
    stored = fill(server, 5)
    server.stop()
    away = server.folder / "away"
    away.mkdir()
    moved = [path for path in (database(server), log(server)) if path.exists()]
    for path in moved:
        path.rename(away / path.name)
    assert_refuses_to_start(server, database(server), "is missing", "restore the folder")
    for path in moved:
        (away / path.name).rename(path)
    server.start()
    assert read_all(server, stored) == 0
    assert server.stop() == 0


def test_the_rest_of_a_damaged_database_is_served(node):
    """One object's page is damaged: the others are read, and objects are written and deleted."""
    server = node().start()
    stored = fill(server)
    server.stop()
    place = database(server).read_bytes().index(stored["object 030"][2000:2100])
    flip(database(server), place)
    server.start()
    client = server.client()
    response = client.request("GET", BUCKET, "object 030")
    assert (response.status, response.code) == (500, "InternalError")
    assert "is damaged" in server.log_tail() and "checksum" in server.log_tail()
    # A page holds the ends of a few objects.
    assert 1 <= read_all(server, stored) <= 6
    assert client.request("PUT", BUCKET, "another", body=b"x").status == 200
    assert client.request("DELETE", BUCKET, "object 001").status == 204
    assert server.stop() == 0


@pytest.mark.parametrize("left", [0, 100, PAGE, 0.5, 0.9])
def test_a_database_that_was_cut_short_is_refused(node, left):
    server = node().start()
    fill(server)
    server.stop()
    size = database(server).stat().st_size
    with open(database(server), "r+b") as file:
        file.truncate(int(size * left) // PAGE * PAGE if isinstance(left, float) else left)
    assert_refuses_to_start(
        server, database(server), str(database(server)), "is damaged", "restore")


@pytest.mark.parametrize("place", ["head", "page", "frame header"])
def test_a_log_that_is_damaged_before_its_end_is_refused(node, place):
    server = node().start()
    stored = fill(server)
    server.kill()
    whole = log(server).read_bytes()
    frames = frames_of(whole)
    offset = {
        "head": 17, "page": LOG_HEADER + frames // 3 * FRAME + 2000,
        "frame header": LOG_HEADER + frames // 3 * FRAME + 9}[place]
    flip(log(server), offset)
    assert_refuses_to_start(server, log(server), str(database(server)), "is damaged", "log")
    # What docs/formats/metadata-database.md says to do without a backup.
    if place != "head":
        frame = int(re.search(r"frame (\d+) of the", server.log_tail(3)).group(1))
        assert frame == frames // 3 + 1
        os.truncate(log(server), LOG_HEADER + (frame - 1) * FRAME)
        server.start()
        keys = listed(server.client())
        assert keys == list(stored)[:len(keys)] and 0 < len(keys) < len(stored)
        assert read_all(server, {key: stored[key] for key in keys}) == 0
        assert server.stop() == 0


@pytest.mark.parametrize("lost", [1, FRAME, 5 * FRAME, "all"])
def test_a_log_that_was_cut_short_is_as_a_crash_before_its_end(node, lost):
    """Nobody can tell: what is left must be a state that was, with nothing wrong in it."""
    server = node().start()
    stored = fill(server)
    server.kill()
    end = LOG_HEADER + frames_of(log(server).read_bytes()) * FRAME
    os.truncate(log(server), 0 if lost == "all" else end - lost)
    try:
        server.start()
    except DidNotStart:
        assert lost == "all" and "is damaged" in server.log_tail(3), server.log_tail()
        return
    client = server.client()
    keys = listed(client)
    assert keys == list(stored)[:len(keys)]
    assert read_all(server, {key: stored[key] for key in keys}) == 0
    assert server.command("repair", "blocks", "--check", check=False).returncode == 0
    assert server.stop() == 0


SMALL_FILES = {
    "meta/node_key": "node_key is damaged: restore it from a backup",
    "data/grange-data": "grange-data is damaged: restore it",
}


@pytest.mark.parametrize("name", SMALL_FILES)
@pytest.mark.parametrize("damage", ["a flipped bit", "a lost end", "nothing left"])
def test_a_damaged_key_or_marker_is_refused(node, name, damage):
    server = node().start()
    fill(server, 3)
    server.stop()
    path = server.folder / name
    whole = path.read_bytes()
    if damage == "a flipped bit":
        flip(path, 3, 7)
    else:
        path.write_bytes(whole[:20] if damage == "a lost end" else b"")
    assert_refuses_to_start(server, path, SMALL_FILES[name])
    path.write_bytes(whole)
    assert server.start().stop() == 0


def test_a_lost_key_is_not_replaced(node):
    """A new key would be another node, and the data directories belong to the old one."""
    server = node().start()
    assert server.client().request("PUT", BUCKET, "block", body=content(MEBIBYTE, 1)).status == 200
    server.stop()
    key = server.folder / "meta" / "node_key"
    kept = key.rename(server.folder / "kept")
    assert_refuses_to_start(server, key, "node_key is missing: restore it from a backup")
    kept.rename(key)
    assert server.start().stop() == 0


def test_damage_in_the_log_of_a_running_node_is_not_served(node):
    """Its pages come from the page cache, so this is memory gone bad as much as the disk."""
    server = node().start()
    stored = fill(server)
    place = log(server).read_bytes().rindex(stored["object 030"][2000:2100])
    flip(log(server), place)
    assert read_all(server, stored) >= 1
    assert "checksum" in server.log_tail()
    server.kill()
