"""Certificates that are replaced while the server runs."""

import hashlib
import shutil
import signal
import time

import pytest

from harness.server import BUCKET, Server

LIMIT = 10


def shown(client):
    """The fingerprint of the certificate that a connection was made with."""
    assert client.request("HEAD", BUCKET).status == 200
    return hashlib.sha256(client.connection.sock.getpeercert(binary_form=True)).hexdigest()


def shown_to_new(server):
    client = server.client()
    try:
        return shown(client)
    finally:
        client.close()


def reload(server, expected):
    """SIGHUP, until the log says what came of it."""
    start = server.log_path.stat().st_size
    server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        new = server.log_path.read_text()[start:]
        for line in new.splitlines():
            if "TLS certificate" in line:
                assert expected in line, line
                return line
        time.sleep(0.01)
    raise AssertionError(f"nothing in the log\n{server.log_tail()}")


@pytest.fixture
def replaceable(run_folder, authority):
    """A server whose certificate is `first`, in files that can be replaced; and the pairs to do so with."""
    folder = run_folder / "certificates"
    folder.mkdir()
    pairs = [authority.issue(name, ["127.0.0.1"]) for name in ("first", "second")]
    files = folder / "certificate.pem", folder / "key.pem"
    put(pairs[0], files)
    server = Server(folder / "node", tls=(*files, authority.certificate))
    server.start()
    try:
        yield server, files, pairs
        assert server.stop() == 0
    finally:
        server.kill()
        shutil.rmtree(folder)


def put(pair, files):
    for source, target in zip(pair, files):
        shutil.copy(source, target)


def test_sighup_takes_a_new_certificate_for_new_connections(replaceable):
    server, files, pairs = replaceable
    old = server.client()
    first = shown(old)
    put(pairs[1], files)
    assert shown_to_new(server) == first, "nobody asked for it yet"
    reload(server, "was read again")
    second = shown_to_new(server)
    assert second != first
    # A connection that exists goes on, with what it was made with.
    number = old.connection.sock.fileno()
    assert shown(old) == first and old.connection.sock.fileno() == number

    # What cannot be used leaves everything as it is, and the log says which file.
    files[0].write_text("no certificate\n")
    assert str(files[0]) in reload(server, "stays as it was")
    assert shown_to_new(server) == second
    put((pairs[0][0], pairs[1][1]), files)
    line = reload(server, "stays as it was")
    assert str(files[1]) in line and "mismatch" in line
    files[1].unlink()
    assert str(files[1]) in reload(server, "stays as it was")
    assert shown_to_new(server) == second and shown(old) == first

    put(pairs[0], files)
    reload(server, "was read again")
    assert shown_to_new(server) == first
    old.close()
