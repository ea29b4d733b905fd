"""Requests of strangers and of clients gone bad, as text."""

import socket
from concurrent.futures import ThreadPoolExecutor

from harness.server import BUCKET


def host(server):
    return f"{server.host}:{server.port}"


def presigned(server, method, key, query=(), headers="", body=""):
    """A request with a right signature, which covers neither the body nor `headers`."""
    path = f"/{BUCKET}/{key}" if key else f"/{BUCKET}"
    signed = server.credentials.presign(method, host(server), path, query)
    return f"{method} {path}?{signed} HTTP/1.1\r\nHost: {host(server)}\r\n{headers}\r\n{body}"


def badly_signed(server, count):
    """Presigned requests, each with another wrong signature."""
    right = presigned(server, "GET", "normal")
    before, _, rest = right.partition("X-Amz-Signature=")
    return [f"{before}X-Amz-Signature={number:064x}{rest[64:]}" for number in range(count)]


def upload_id(server, key):
    client = server.client()
    response = client.request("POST", BUCKET, key, query=[("uploads", "")])
    client.close()
    assert response.status == 200, response.body
    return response.xml.findtext("UploadId")


def document(server, method, key, query, body):
    """A signed request with `body` for a document."""
    return presigned(
        server, method, key, query, headers=f"Content-Length: {len(body)}\r\n", body=body)


# As many as fit into what the kernel keeps of answers that are not read yet.
AHEAD = 40


def answered(server, requests, connections=16):
    """Sends all of `requests`, many at a time, and returns how many were answered by 200."""
    def send(share):
        with socket.create_connection((server.host, server.port), 60) as link:
            count = 0
            for start in range(0, len(share), AHEAD):
                batch = share[start:start + AHEAD]
                link.sendall("".join(batch).encode("latin-1"))
                data = b""
                while data.count(b"HTTP/1.1 ") < len(batch) or not data.endswith(b"\r\n\r\n"):
                    piece = link.recv(65536)
                    assert piece, data
                    data += piece
                count += data.count(b"HTTP/1.1 200 ")
            return count

    with ThreadPoolExecutor(connections) as pool:
        return sum(pool.map(send, [requests[n::connections] for n in range(connections)]))
