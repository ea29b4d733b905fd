"""Damaged block files: wrong bytes are never served, and storing the object again heals it."""

import contextlib
import http.client

import pytest

from harness.names import MEBIBYTE, content
from harness.server import BUCKET

DAMAGES = {
    "a flipped bit": lambda data: flip(data, len(data) // 2),
    "a flipped bit in the header": lambda data: flip(data, 5),
    "a flipped last byte": lambda data: flip(data, len(data) - 1),
    "a lost end": lambda data: data[: len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
    "nothing left": lambda data: b"",
    "bytes behind the end": lambda data: data + b"x",
    "no file": lambda data: None,
}


def flip(data, place):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1:]


def block_files(server):
    return [
        path for path in sorted((server.folder / "data").rglob("*"))
        if path.is_file() and path.stat().st_size > 100_000]


def damage_all(server, damage):
    files = block_files(server)
    assert files, "no block files were found"
    for path in files:
        changed = damage(path.read_bytes())
        path.unlink()
        if changed is not None:
            path.write_bytes(changed)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_block_is_not_served_and_can_be_stored_again(node, name):
    server = node().start()
    client = server.client()
    data = content(3 * MEBIBYTE, name)
    assert client.request("PUT", BUCKET, "object", body=data).status == 200
    assert client.request("PUT", BUCKET, "small", body=b"inline").status == 200
    server.stop()
    damage_all(server, DAMAGES[name])
    server.start()
    client = server.client()
    for _ in range(2):
        # Bytes in front of the damage may have been sent; then only an early end can tell.
        with contextlib.suppress(http.client.IncompleteRead):
            response = client.request("GET", BUCKET, "object")
            assert (response.status, response.code) == (500, "InternalError")
    assert client.request("GET", BUCKET, "small").body == b"inline"
    assert client.request("PUT", BUCKET, "object", body=data).status == 200
    assert client.request("GET", BUCKET, "object").body == data
    assert server.stop() == 0


def test_damage_behind_the_first_block_cuts_the_answer_short(node):
    """The head is gone by then: only an end that comes too early can tell the client."""
    server = node().start()
    client = server.client()
    for number in range(8):
        data = content(8 * MEBIBYTE, number)
        assert client.request("PUT", BUCKET, f"object {number}", body=data).status == 200
    server.stop()
    files = block_files(server)
    for path in files[::4]:
        path.write_bytes(flip(path.read_bytes(), 300_000))
    server.start()
    outcomes = set()
    for number in range(8):
        client = server.client()
        try:
            response = client.request("GET", BUCKET, f"object {number}")
        except http.client.IncompleteRead:
            outcomes.add("cut short")
            continue
        outcomes.add(response.status)
        if response.status == 200:
            assert response.body == content(8 * MEBIBYTE, number)
    assert "cut short" in outcomes
    assert outcomes <= {"cut short", 200, 500}
    assert server.stop() == 0
