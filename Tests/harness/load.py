"""Load for fault tests: many clients that write, overwrite, delete and read the same few keys.

Each body names its attempt, so that a read tells which write it shows; some bodies are shared by
several keys, so that blocks have several references. Reads during the load are checked too: after an
acknowledgement no read may show anything older.
"""

import collections
import hashlib
import random
import re
import threading
import time

from .journal import ABSENT
from .names import MEBIBYTE
from .server import BUCKET

# Around what the server does differently: nothing, inline, one block, several.
SIZES = [0, 1, 100, 5000, 8191, 8192, 8193, 100_000, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 3 * MEBIBYTE]
LARGE = 20 * MEBIBYTE
PART = 5 * MEBIBYTE
SHARED_SIZES = [40_000, 2 * MEBIBYTE + 99]

BASE = random.Random("load").randbytes(LARGE + MEBIBYTE + 1)


class Content:
    """The bytes of one attempt, made again whenever they are needed."""

    def __init__(self, size, shared=None):
        self.size = size
        self.shared = shared

    def bytes(self, number):
        if self.shared is not None:
            return BASE[self.shared:self.shared + self.size]
        name = b"%016d" % number
        offset = number * 7919 % MEBIBYTE
        if self.size < len(name):
            return name[:self.size]
        return name + BASE[offset:offset + self.size - len(name)]

    def __repr__(self):
        return f"{self.size} bytes{'' if self.shared is None else ' shared'}"


class Failure(AssertionError):
    """The server broke a promise."""


class Load:
    """Workers that run until told to stop, or until they have sent `bytes_max`."""

    def __init__(self, server, journal, seed, workers=8, keys=40, bytes_max=150 * MEBIBYTE):
        self.server = server
        self.journal = journal
        self.keys = [f"load/{number:03} \u00e9" for number in range(keys)]
        self.bytes_left = bytes_max
        self.stopping = threading.Event()
        self.fault_began = None
        self.failures = []
        # How often a change was refused with which code.
        self.refusals = collections.Counter()
        self.operations = 0
        self.lock = threading.Lock()
        self.threads = [
            threading.Thread(target=self._work, args=(random.Random(f"{seed} {number}"),), daemon=True)
            for number in range(workers)
        ]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def fault_begins(self):
        """From now on errors are expected."""
        self.fault_began = time.monotonic()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
        if any(thread.is_alive() for thread in self.threads):
            self.failures.append("a request got neither an answer nor an end within a minute")
        return self

    def check(self):
        if self.failures:
            raise Failure("\n".join(self.failures[:10]))

    def _work(self, source):
        client = self.server.client(timeout=30)
        while not self.stopping.is_set():
            try:
                self._one(client, source)
            except Failure as failure:
                self.failures.append(str(failure))
                break
            except OSError as error:
                if self.fault_began is None:
                    self.failures.append(f"connection lost without a fault: {error!r}")
                    break
                client.close()
                time.sleep(0.05)
            except Exception as error:  # http.client has many for one thing: a broken answer
                if self.fault_began is None:
                    self.failures.append(f"broken answer without a fault: {error!r}")
                    break
                client.close()
                time.sleep(0.05)
        client.close()

    def _one(self, client, source):
        key = source.choice(self.keys)
        kind = source.choices(
            ["put", "read", "delete", "large", "multipart"], [60, 20, 14, 1, 3])[0]
        if kind == "read":
            read(client, self.journal, key)
        elif kind == "delete":
            self._attempt(client, key, "delete", None, delete)
        elif kind == "put" and source.random() < 0.15:
            shared = source.randrange(4)
            content = Content(source.choice(SHARED_SIZES), shared * 1000)
            self._attempt(client, key, "put", content, put)
        elif kind == "multipart":
            self._attempt(client, key, "multipart", Content(PART + source.randrange(MEBIBYTE)), upload)
        else:
            size = LARGE if kind == "large" else source.choice(SIZES)
            self._attempt(client, key, "put", Content(size), put)
        with self.lock:
            self.operations += 1

    def _attempt(self, client, key, kind, content, send):
        size = content.size if content else 0
        with self.lock:
            if self.bytes_left < size:
                self.stopping.set()
                return
            self.bytes_left -= size
        attempt = self.journal.begin(key, kind, content)
        status, detail = send(client, attempt)
        if status in (200, 204):
            self.journal.acknowledge(attempt)
            return
        code = re.search(rb"<Code>([^<]+)</Code>", detail)
        self.refusals[code.group(1).decode() if code else status] += 1
        if self.fault_began is None:
            raise Failure(f"{status} without a fault: {attempt} {detail}")


def marks(attempt):
    return {"x-amz-meta-attempt": str(attempt.number), "content-type": "application/x-load"}


def put(client, attempt):
    body = attempt.content.bytes(attempt.number)
    response = client.request("PUT", BUCKET, attempt.key, headers=marks(attempt), body=body)
    if response.status == 200 and response.headers["etag"].strip('"') != hashlib.md5(body).hexdigest():
        raise Failure(f"wrong ETag for {attempt}")
    return response.status, response.body


def delete(client, attempt):
    response = client.request("DELETE", BUCKET, attempt.key)
    return response.status, response.body


def upload(client, attempt):
    """A multipart upload of two parts; acknowledged by its completion alone."""
    body = attempt.content.bytes(attempt.number)
    created = client.request(
        "POST", BUCKET, attempt.key, query=[("uploads", "")], headers=marks(attempt))
    if created.status != 200:
        return created.status, created.body
    upload_id = created.xml.findtext("UploadId")
    parts = ""
    for number, piece in ((1, body[:PART]), (2, body[PART:])):
        query = [("partNumber", str(number)), ("uploadId", upload_id)]
        sent = client.request("PUT", BUCKET, attempt.key, query=query, body=piece)
        if sent.status != 200:
            return sent.status, sent.body
        parts += f"<Part><PartNumber>{number}</PartNumber><ETag>{sent.headers['etag']}</ETag></Part>"
    xml = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    done = client.request(
        "POST", BUCKET, attempt.key, query=[("uploadId", upload_id)], body=xml)
    # A completion may begin with 200 and end with an error.
    return (500 if re.search(rb"<Error>", done.body) else done.status), done.body


def read(client, journal, key):
    """Reads one key and checks that it shows an allowed state, whole. Returns that state."""
    began = time.monotonic()
    response = client.request("GET", BUCKET, key)
    ended = time.monotonic()
    if response.status == 404:
        effect = ABSENT
    elif response.status == 200:
        effect = int(response.headers.get("x-amz-meta-attempt", "0"))
    else:
        raise OSError(f"GET answered {response.status} {response.body[:300]!r}")
    allowed = journal.allowed(key, began, ended)
    if effect not in allowed:
        shown = journal.by_number.get(effect, effect)
        raise Failure(
            f"{key!r} shows {shown}; allowed: {sorted(map(str, allowed))}; "
            f"attempts: {journal.attempts.get(key)}")
    if effect != ABSENT:
        attempt = journal.by_number[effect]
        if response.body != attempt.content.bytes(attempt.number):
            raise Failure(f"{key!r}: the bytes of {attempt} are not what was written "
                          f"({len(response.body)} bytes came)")
    return effect


def verify(server, journal, threads=4, is_over=True):
    """After a fault: reads every key, settles the journal on what it shows, compares the listing.

    While the fault is not over, what was not acknowledged may still take effect, and nothing is settled.
    """
    keys = journal.keys()
    effects, failures = {}, []

    def work(part):
        client = server.client(timeout=60)
        for key in part:
            try:
                effects[key] = read(client, journal, key)
            except Exception as error:
                failures.append(str(error) if isinstance(error, Failure) else f"{key!r}: {error!r}")
        client.close()

    workers = [threading.Thread(target=work, args=(keys[n::threads],)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise Failure("\n".join(failures[:10]))
    present = sorted(key for key in keys if effects[key] != ABSENT)
    if listed(server) != present:
        raise Failure(f"the listing differs from the objects: "
                      f"{sorted(set(listed(server)) ^ set(present))}")
    for key in keys if is_over else ():
        journal.settle(key, effects[key])
    return len(present)


def listed(server):
    client = server.client()
    response = client.request("GET", BUCKET, query=[("list-type", "2"), ("prefix", "load/")])
    client.close()
    if response.status != 200:
        raise Failure(f"the listing answered {response.status} {response.body[:300]!r}")
    return [entry.text for entry in response.xml.findall("Contents/Key")]
