"""The log: its forms, and the line that each request gets."""

import json
import os
import re
import signal
import socket
import struct
import time

import pytest

from Clients.wire import Wire
from harness.server import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server
from harness.signing import Credentials

LIMIT = 10

FORMS = {
    "plain": rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info    (node|s3.access): .+",
    "journald": rb"<6>(node|s3.access): .+",
    "json": rb'\{"time":".+","level":"info","label":"(node|s3.access)","message":.+\}',
}


def started(folder, form, **environment):
    """Starts a server whose log has `form`, with the access log unless `environment` says otherwise."""
    server = Server(folder, extra_configuration=f'log_format = "{form}"',
                    environment={"GRANGE_S3_ACCESS_LOG": "true", **environment})
    return server.start()


def lines(server):
    """Those of the log; what is printed for a person, with --quickstart, is no part of it."""
    return [line for line in server.log_path.read_bytes().splitlines()
            if b"node: " in line or b"s3.access" in line or line.startswith(b"{")]


@pytest.mark.parametrize("setting, in_journal, form", [
    ("plain", True, "plain"), ("journald", False, "journald"), ("json", True, "json"),
    ("auto", True, "journald"), ("auto", False, "plain")])
def test_the_form_is_what_is_set(setting, in_journal, form, tmp_path):
    (tmp_path / "node").mkdir()
    log = tmp_path / "node" / "server.log"
    log.touch()
    # systemd names the stream that it gave; a child whose output goes elsewhere inherits the variable.
    place = os.stat(log) if in_journal else os.stat(tmp_path)
    server = started(
        tmp_path / "node", setting, JOURNAL_STREAM=f"{place.st_dev}:{place.st_ino}")
    try:
        assert server.stop() == 0
    finally:
        server.kill()
    found = lines(server)
    assert any(b"the node is ready" in line for line in found)
    assert any(b"s3.access" in line for line in found)
    for line in found:
        assert re.fullmatch(FORMS[form], line), line
        if form == "json":
            json.loads(line)


@pytest.fixture(scope="module")
def proxied(run_folder):
    """A server that believes 127.0.0.1 and 10.0.0.0/8 about who its clients are."""
    server = started(run_folder / "log", "json", GRANGE_S3_TRUSTED_PROXIES="127.0.0.1,10.0.0.0/8")
    try:
        yield server
        assert server.stop() == 0
    finally:
        server.kill()


def access(server, path, count=1):
    """The lines of requests for `path`, of which there must be `count`: each comes after its response."""
    deadline = time.monotonic() + LIMIT
    while True:
        found = [json.loads(line) for line in lines(server)]
        found = [line for line in found
                 if line["label"] == "s3.access" and line["path"] == path]
        if len(found) >= count or time.monotonic() > deadline:
            assert len(found) == count, server.log_tail()
            return found
        time.sleep(0.01)


def test_a_request_gets_one_line(proxied):
    client = proxied.client()
    client.request("PUT", BUCKET, "one line", body=b"12345")
    response = client.request("GET", BUCKET, "one line")
    client.close()
    put, get = access(proxied, f"/{BUCKET}/one%20line", 2)
    assert (put["message"], put["status"], put["received"], put["sent"]) == (
        "PutObject", "200", "5", "0")
    assert (get["message"], get["status"], get["received"], get["sent"]) == (
        "GetObject", "200", "0", "5")
    assert get["key"] == ACCESS_KEY and get["client"] == "127.0.0.1"
    assert get["request"] == response.headers["x-amz-request-id"]
    assert float(get["ms"]) > 0


def test_what_nobody_can_be_named_for_is_not_done(proxied):
    """A connection that was reset before it was accepted has no address, and its bytes are still there."""
    client = proxied.client()
    client.request("PUT", BUCKET, "nobody", body=b"12345")
    path, host = f"/{BUCKET}/nobody", f"{proxied.host}:{proxied.port}"
    headers = proxied.credentials.sign("DELETE", path, [], {"host": host})
    lines_of_it = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    proxied.process.send_signal(signal.SIGSTOP)
    with socket.create_connection((proxied.host, proxied.port), 5) as reset:
        reset.sendall(f"DELETE {path} HTTP/1.1\r\n{lines_of_it}\r\n".encode())
        reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    proxied.process.send_signal(signal.SIGCONT)
    time.sleep(0.5)
    assert client.request("GET", BUCKET, "nobody").status == 200
    assert [line["message"] for line in access(proxied, path, 2)] == ["PutObject", "GetObject"]


def test_no_signature_is_in_the_log(proxied):
    credentials = Credentials(ACCESS_KEY, SECRET_KEY, REGION)
    host = f"{proxied.host}:{proxied.port}"
    path = f"/{BUCKET}/presigned"
    query = credentials.presign("GET", host, path)
    signature = re.search("X-Amz-Signature=([0-9a-f]{64})", query).group(1)
    for suffix in ("", "&x=y"):
        wire = Wire(proxied).send(
            f"GET {path}?{query}{suffix} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert wire.answer().statuses == [403 if suffix else 404]
        wire.close()
    assert [line["status"] for line in access(proxied, path, 2)] == ["404", "403"]
    assert signature.encode() not in proxied.log_path.read_bytes()


@pytest.mark.parametrize("field, client", [
    ("203.0.113.9", "203.0.113.9"), ("6.6.6.6, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
    ("2001:db8::9", "2001:db8::9"), ("unknown", "127.0.0.1")])
def test_a_trusted_proxy_says_who_the_client_is(proxied, field, client):
    key = f"from-{re.sub('[^0-9a-z]', '-', field)}"
    connection = proxied.client()
    connection.request("HEAD", BUCKET, key, headers={"X-Forwarded-For": field})
    connection.close()
    assert [line["client"] for line in access(proxied, f"/{BUCKET}/{key}")] == [client]


def test_nobody_else_is_believed(tmp_path):
    server = started(tmp_path / "node", "json", GRANGE_S3_TRUSTED_PROXIES="10.0.0.0/8")
    try:
        client = server.client()
        client.request("HEAD", BUCKET, "k", headers={"X-Forwarded-For": "203.0.113.9"})
        client.close()
        assert [line["client"] for line in access(server, f"/{BUCKET}/k")] == ["127.0.0.1"]
    finally:
        server.kill()


def test_without_being_asked_for_there_is_no_access_log(tmp_path):
    server = Server(tmp_path / "node", extra_configuration='log_format = "json"').start()
    try:
        assert server.stop() == 0
    finally:
        server.kill()
    assert lines(server) and not any(b"s3.access" in line for line in lines(server))
