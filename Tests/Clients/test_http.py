"""Hostile and unusual HTTP on the wire: refused whole, never read in two ways, never fatal.

A front proxy and the server that disagree about where a request ends let an attacker put a request
inside another's body. So whatever RFC 9112 leaves no single reading for is answered 400 and the
connection is closed; the bytes behind it are never taken for a request.
"""

import random
import time

import pytest

from Clients.wire import Wire
from harness import signing
from harness.server import BUCKET

# Behind every attack: if it is answered too, the body was taken for a request.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

REFUSALS = {400, 411, 413, 414, 431, 501, 505}


def head(*lines, request=b"POST /first HTTP/1.1"):
    return b"\r\n".join([request, b"Host: x", *lines, b"", b""])


ATTACKS = {
    "two lengths": head(b"Content-Length: 5", b"Content-Length: 6") + b"hello",
    "two equal lengths": head(b"Content-Length: 5", b"Content-Length: 5") + b"hello",
    "a list of lengths": head(b"Content-Length: 5, 5") + b"hello",
    "length and chunked": head(b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "chunked and length": head(b"Transfer-Encoding: chunked", b"Content-Length: 5") + b"0\r\n\r\n",
    "signed length": head(b"Content-Length: +5") + b"hello",
    "negative length": head(b"Content-Length: -5") + b"hello",
    "hexadecimal length": head(b"Content-Length: 0x5") + b"hello",
    "length with a space": head(b"Content-Length: 5 5") + b"hello",
    "length of letters": head(b"Content-Length: five") + b"hello",
    "empty length": head(b"Content-Length: ") + b"hello",
    "length beyond 64 bits": head(b"Content-Length: 18446744073709551621") + b"hello",
    "unknown coding": head(b"Transfer-Encoding: xchunked") + b"0\r\n\r\n",
    "coding behind chunked": head(b"Transfer-Encoding: chunked, identity") + b"0\r\n\r\n",
    "chunked twice": head(b"Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n",
    "two codings": head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity") + b"0\r\n\r\n",
    "coding with a tab": head(b"Transfer-Encoding:\x0bchunked") + b"0\r\n\r\n",
    "chunked in HTTP/1.0": head(b"Transfer-Encoding: chunked", request=b"POST /first HTTP/1.0")
    + b"0\r\n\r\n",
    "space before the colon": head(b"Content-Length : 5") + b"hello",
    "folded header": head(b"X-Folded: one", b" two"),
    "header that begins with a space": b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    "header without a colon": head(b"Nothing"),
    "header without a name": head(b": nothing"),
    "header name with a bracket": head(b"X(a): b"),
    "NUL in a value": head(b"X-A: b\x00c"),
    "bare CR in a value": head(b"X-A: b\rContent-Length: 5") + b"hello",
    "bare LF line ends": b"GET / HTTP/1.1\nHost: x\n\n",
    "bare LF inside": b"GET / HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\nX-A: b\r\n\r\n",
    "two hosts": head(b"Host: y"),
    "a host with a path": b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET /\r\nHost: x\r\n\r\n",
    "version 2": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "version in small letters": b"GET / http/1.1\r\nHost: x\r\n\r\n",
    "version with more digits": b"GET / HTTP/1.11\r\nHost: x\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tab for a space": b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in the target": b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "raw bytes in the target": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "method of symbols": b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
    "long target": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "long header": head(b"X-A: " + b"a" * 70_000),
    "many headers": head(*[b"X-%d: y" % number for number in range(2000)]),
    "endless first line": b"A" * 100_000,
    "a TLS greeting": bytes.fromhex("16030100a5010000a10303") + bytes(160),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "random bytes": random.Random(1).randbytes(5000),
}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", ATTACKS)
def test_an_ambiguous_request_is_refused_and_the_connection_closed(endpoints, scheme, name):
    server = endpoints(scheme)
    answer = Wire(server).send(ATTACKS[name] + SMUGGLED).answer()
    assert answer.closed, answer
    assert len(answer.statuses) == 1 and answer.statuses[0] in REFUSALS, answer
    assert b"smuggled" not in answer.data


def chunked(server, body, *headers):
    """A signed PUT whose body is sent in chunks of HTTP, so that the body is really read."""
    path = f"/{BUCKET}/chunked"
    signed = server.credentials.sign("PUT", path, [], {"host": f"{server.host}:{server.port}"})
    lines = [f"{name}: {value}".encode() for name, value in signed.items()]
    return b"\r\n".join(
        [f"PUT {path} HTTP/1.1".encode(), *lines, b"Transfer-Encoding: chunked", *headers, b"", body])


BAD_CHUNKS = {
    "size of letters": b"xyz\r\nhello\r\n0\r\n\r\n",
    "signed size": b"+5\r\nhello\r\n0\r\n\r\n",
    "negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size with a space before": b" 5\r\nhello\r\n0\r\n\r\n",
    "size with a space inside": b"5 5\r\nhello\r\n0\r\n\r\n",
    "empty size": b"\r\nhello\r\n0\r\n\r\n",
    "size beyond 64 bits": b"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    "size of 64 bits": b"FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    "size with many zeros": b"0" * 70_000 + b"5\r\nhello\r\n0\r\n\r\n",
    "no line end behind the data": b"5\r\nhelloX\r\n0\r\n\r\n",
    "bare LF behind the size": b"5\nhello\r\n0\r\n\r\n",
    "bare LF behind the data": b"5\r\nhello\n0\r\n\r\n",
    "bare CR behind the size": b"5\rhello\r\n0\r\n\r\n",
    "endless extension": b"5;" + b"a" * 70_000 + b"\r\nhello\r\n0\r\n\r\n",
    "NUL in an extension": b"5;a=\x00\r\nhello\r\n0\r\n\r\n",
    "bare LF in an extension": b"5;a\n=b\r\nhello\r\n0\r\n\r\n",
    "bad trailer": b"5\r\nhello\r\n0\r\nbad trailer\r\n\r\n",
    "endless trailers": b"5\r\nhello\r\n0\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n",
}


@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_a_bad_chunk_stores_nothing(server, name):
    client = server.client()
    client.request("DELETE", BUCKET, "chunked")
    answer = Wire(server).send(chunked(server, BAD_CHUNKS[name]) + SMUGGLED).answer()
    assert answer.closed, answer
    assert len(answer.statuses) == 1 and answer.statuses[0] in REFUSALS, answer
    assert client.request("GET", BUCKET, "chunked").status == 404


def test_a_bad_chunk_of_a_body_without_a_digest_is_the_clients_fault(server):
    """Such a body (of a curl before version 8) is read before the signature can be checked."""
    path, date, host = f"/{BUCKET}/chunked", signing.timestamp(), f"{server.host}:{server.port}"
    credentials = server.credentials
    code, scope, names = credentials.signature(
        "PUT", path, [], {"host": host, "x-amz-date": date}, "0" * 64, date)
    head = (
        f"PUT {path} HTTP/1.1\r\nHost: {host}\r\nX-Amz-Date: {date}\r\n"
        f"Authorization: AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={code}\r\nTransfer-Encoding: chunked\r\n\r\n")
    answer = Wire(server).send(head.encode() + BAD_CHUNKS["size of letters"]).answer()
    assert answer.statuses == [400], answer
    assert b"<Code>InvalidRequest</Code>" in answer.data, answer


def test_a_body_in_chunks_is_taken(server):
    body = b"5\r\nhello\r\n00006;ext=\"a b\"\r\n world\r\n0\r\nX-Trailer: y\r\n\r\n"
    answer = Wire(server).send(chunked(server, body)).answer()
    assert answer.statuses in ([200], [411], [501]), answer
    if answer.statuses == [200]:
        assert server.client().request("GET", BUCKET, "chunked").body == b"hello world"


def signed_get(server, path):
    headers = server.credentials.sign("GET", path, [], {"host": f"{server.host}:{server.port}"})
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode()


def test_pipelined_requests_are_answered_in_order(server):
    client = server.client()
    for number in range(20):
        client.request("PUT", BUCKET, f"pipelined-{number}", body=f"<{number}>".encode() * 500)
    requests = b"".join(signed_get(server, f"/{BUCKET}/pipelined-{n}") for n in range(20))
    answer = Wire(server).send(requests).answer()
    assert answer.statuses == [200] * 20
    places = [answer.data.index(f"<{number}>".encode()) for number in range(20)]
    assert places == sorted(places)


def test_one_byte_at_a_time_is_the_same_request(server):
    server.client().request("PUT", BUCKET, "slow", body=b"slowly")
    wire = Wire(server)
    for byte in signed_get(server, f"/{BUCKET}/slow"):
        wire.send(bytes([byte]))
    answer = wire.answer()
    assert answer.statuses == [200] and answer.data.endswith(b"slowly")


def test_an_absent_client_does_not_hold_an_answer(server):
    """Connections that are opened and dropped at every point leave the server as it was."""
    request = signed_get(server, f"/{BUCKET}/slow")
    for cut in range(0, len(request), 7):
        Wire(server).send(request[:cut]).close()
    assert server.client().request("HEAD", BUCKET).status == 200


def test_a_body_that_ends_early_stores_nothing(server):
    client = server.client()
    client.request("DELETE", BUCKET, "cut")
    path = f"/{BUCKET}/cut"
    headers = server.credentials.sign(
        "PUT", path, [], {"host": client.host, "content-length": "3000000"})
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    for sent in (0, 1, 1_500_000, 2_999_999):
        request = f"PUT {path} HTTP/1.1\r\n{lines}\r\n".encode() + b"x" * sent
        Wire(server).send(request).half_close().answer()
        assert client.request("GET", BUCKET, "cut").status == 404


def expecting_put(server, bucket, length):
    """The head of a signed PUT whose client waits for 100 Continue."""
    path = f"/{bucket}/expected"
    headers = server.credentials.sign(
        "PUT", path, [], {"host": f"{server.host}:{server.port}", "content-length": str(length)})
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"PUT {path} HTTP/1.1\r\n{lines}Expect: 100-continue\r\n\r\n".encode()


def test_a_client_that_waits_to_be_asked_is_asked(server):
    wire = Wire(server).send(expecting_put(server, BUCKET, 5))
    assert wire.answer().statuses == [100]
    assert wire.send(b"hello").answer().statuses == [200]


@pytest.mark.parametrize("bucket, status", [(BUCKET, 200), ("no-such-bucket", 404)])
def test_a_client_that_waits_with_nothing_to_send_is_asked_too(server, bucket, status):
    """HTTP does not want it, but botocore 1.43, which awscli brings, gives a status that it finds in place of 100
    to the next request on the connection as well, which then waits a minute for what it thinks is missing."""
    answer = Wire(server).send(expecting_put(server, bucket, 0)).answer()
    assert answer.statuses == [100, status] or answer.statuses == [status] and answer.closed


def test_a_refused_client_is_not_asked_for_its_body(server):
    wire = Wire(server).send(
        b"PUT /first/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
    assert wire.answer().statuses == [403]


def test_an_unknown_expectation_is_ignored(server):
    answer = Wire(server).send(head(b"Expect: miracles", b"Content-Length: 0")).answer()
    assert answer.statuses == [403], answer


def test_head_has_no_body_and_the_connection_goes_on(server):
    server.client().request("PUT", BUCKET, "head", body=b"x" * 20_000)
    path = f"/{BUCKET}/head"
    headers = server.credentials.sign("HEAD", path, [], {"host": f"{server.host}:{server.port}"})
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    wire = Wire(server).send(f"HEAD {path} HTTP/1.1\r\n{lines}\r\n".encode())
    answer = wire.answer()
    assert answer.statuses == [200] and answer.data.endswith(b"\r\n\r\n")
    assert b"20000" in answer.data
    assert wire.send(signed_get(server, path)).answer().statuses == [200]


def test_http_1_0_and_close_end_the_connection(server):
    answer = Wire(server).send(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n").answer()
    assert answer.closed and answer.statuses == [403]
    answer = Wire(server).send(head(b"Connection: close", request=b"GET / HTTP/1.1")).answer()
    assert answer.closed and answer.statuses == [403]


def test_many_idle_connections_do_not_stop_the_others(server):
    idle = [Wire(server) for _ in range(400)]
    started = time.monotonic()
    assert server.client().request("HEAD", BUCKET).status == 200
    assert time.monotonic() - started < 2
    for wire in idle:
        wire.close()


def test_the_server_is_still_the_same(server):
    """Last in this file: nothing above may have cost it its life or its senses."""
    data = b"still here"
    client = server.client()
    assert client.request("PUT", BUCKET, "after", body=data).status == 200
    assert client.request("GET", BUCKET, "after").body == data
