"""The largest upload that S3 allows is completed: 10,000 parts, 50,000 blocks, every reference written anew."""

import hashlib
import threading
import time

from Hostile.documents import completion
from Hostile.processes import Memory
from Hostile.requests import upload_id
from Hostile.service import NormalClient, p99
from harness.server import BUCKET

MEBIBYTE = 1 << 20
PART_BYTES = 5 * MEBIBYTE
KEY = "large"
SENDERS = 4

# 50 GB to send and 10 GB of disk when `--rounds` asks for exactness.
USUAL_PARTS = 150
ALL_PARTS = 10_000

# The rows of 50,000 references, some at a time.
MEMORY_MAX = 64 * MEBIBYTE
# What a client waits for at most, as SDKs are set up.
ANSWER_SECONDS_MAX = 60


def body_of(number, filler):
    """Its first block is the part's own; the others are the same in all parts, and stored once."""
    return number.to_bytes(8, "big") + filler[8:]


def send(server, upload, numbers, etags):
    client = server.client()
    filler = hashlib.shake_256(b"large").digest(PART_BYTES)
    for number in numbers:
        query = [("uploadId", upload), ("partNumber", str(number))]
        response = client.request("PUT", BUCKET, KEY, query, body=body_of(number, filler))
        assert response.status == 200, response.body
        etags[number] = response.headers["etag"].strip('"')
    client.close()


def uploaded(server, upload, count):
    """The ETags of `count` parts, which several clients have sent."""
    etags = {}
    senders = [
        threading.Thread(target=send, args=(server, upload, range(first, count + 1, SENDERS), etags))
        for first in range(1, SENDERS + 1)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len(etags) == count
    return [etags[number] for number in range(1, count + 1)]


def test_a_large_upload_is_completed_while_others_are_served(victim, pytestconfig, record_property):
    count = ALL_PARTS if pytestconfig.getoption("--rounds") else USUAL_PARTS
    upload = upload_id(victim, KEY)
    etags = uploaded(victim, upload, count)
    document = completion(enumerate(etags, 1))
    client = victim.client()
    with NormalClient(victim) as normal:
        normal.during(0.5)
        quiet = normal.during(3)
        memory = Memory(victim)
        began = time.monotonic()
        answer = client.request("POST", BUCKET, KEY, [("uploadId", upload)], body=document.encode())
        took = time.monotonic() - began
        attacked = normal.take()
    assert answer.status == 200, answer.body
    # A short completion may be over before the client has sent one of each kind.
    figures = ", ".join(
        f"{kind} {p99(quiet.get(kind)):.1f} -> {p99(times):.1f} ms" for kind, times in attacked.items())
    said = f"{count} parts: {took:.1f} s, memory +{memory.peak_above / MEBIBYTE:.1f} MiB; p99 {figures}"
    print(said)
    record_property("measured", said)
    assert took < ANSWER_SECONDS_MAX
    assert memory.peak_above <= MEMORY_MAX
    digest = hashlib.md5(b"".join(bytes.fromhex(etag) for etag in etags)).hexdigest()
    head = client.request("HEAD", BUCKET, KEY)
    assert head.headers["content-length"] == str(count * PART_BYTES)
    assert head.headers["etag"] == f'"{digest}-{count}"'
    # The seam between the last two parts.
    first = (count - 1) * PART_BYTES
    headers = {"range": f"bytes={first - 8}-{first + 7}"}
    seam = client.request("GET", BUCKET, KEY, headers=headers).body
    filler = hashlib.shake_256(b"large").digest(PART_BYTES)
    assert seam == filler[-8:] + count.to_bytes(8, "big")
    client.close()
