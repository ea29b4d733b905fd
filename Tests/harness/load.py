"""Load for fault tests: many clients that write, overwrite, delete and read the same few keys.

Each body names its attempt, so that a read tells which write it shows; some bodies are shared by
several keys, so that blocks have several references. Reads during the load are checked too: after an
acknowledgement no read may show anything older. The load may go through several nodes of one cluster.
"""

import collections
import hashlib
import random
import re
import threading
import time
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Mix:
    """What a load does: how often which operation, and of what sizes."""

    kinds: dict
    sizes: list
    # How many of the PUTs have bytes that other keys have too.
    shared: float = 0.0
    # With which codes a fault may refuse what was asked for; None for any.
    refusals: frozenset | None = None


EVERYTHING = Mix({"put": 60, "read": 20, "delete": 14, "large": 1, "multipart": 3}, SIZES, shared=0.15)
# What fits in a row. A listing is checked as a read of each key.
ROWS = Mix({"put": 45, "read": 30, "delete": 15, "list": 10}, [0, 1, 16, 100, 1024, 5000, 8191, 8192],
           refusals=frozenset(["RequestTimeTooSkewed"]))


class Failure(AssertionError):
    """The server broke a promise."""


class Load:
    """Workers that run until told to stop, or until they have sent `bytes_max`. `others` are more nodes of the same
    cluster: each request goes to any one of all."""

    def __init__(self, server, journal, seed, workers=8, keys=40, bytes_max=150 * MEBIBYTE, others=(), mix=EVERYTHING,
                 patience=30):
        self.servers = [server, *others]
        self.journal = journal
        self.mix = mix
        self.patience = patience
        self.keys = [f"load/{number:03} \u00e9" for number in range(keys)]
        self.bytes_left = bytes_max
        self.stopping = threading.Event()
        self.fault_began = None
        self.failures = []
        # How often a change was refused with which code.
        self.refusals = collections.Counter()
        # How often what was done, reads and listings too.
        self.done = collections.Counter()
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
        clients = [server.client(timeout=self.patience) for server in self.servers]
        while not self.stopping.is_set():
            client = source.choice(clients)
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
        for client in clients:
            client.close()

    def _one(self, client, source):
        key = source.choice(self.keys)
        kinds = self.mix.kinds
        kind = source.choices(list(kinds), list(kinds.values()))[0]
        if kind == "read":
            read(client, self.journal, key)
        elif kind == "list":
            self._list(client, source)
        elif kind == "delete":
            self._attempt(client, key, "delete", None, delete)
        elif kind == "put" and source.random() < self.mix.shared:
            shared = source.randrange(4)
            content = Content(source.choice(SHARED_SIZES), shared * 1000)
            self._attempt(client, key, "put", content, put)
        elif kind == "multipart":
            self._attempt(client, key, "multipart", Content(PART + source.randrange(MEBIBYTE)), upload)
        else:
            size = LARGE if kind == "large" else source.choice(self.mix.sizes)
            self._attempt(client, key, "put", Content(size), put)
        with self.lock:
            self.operations += 1
            self.done[kind] += 1

    def _list(self, client, source):
        """Lists all keys, or those with a part of a key as their prefix; in pages of all or of ten."""
        name = source.choice(self.keys)
        prefix = name[:source.choice([len("load/"), len("load/0"), len("load/00")])]
        listing(client, self.journal, self.keys, prefix, source.choice([1000, 10]))

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
        code = code.group(1).decode() if code else status
        self.refusals[code] += 1
        if self.fault_began is None:
            raise Failure(f"{status} without a fault: {attempt} {detail}")
        # What may have taken effect is answered 5xx.
        if self.mix.refusals is not None and status < 500 and code not in self.mix.refusals:
            raise Failure(f"{status}, which no fault explains: {attempt} {detail}")


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
    if response.status == 404 and response.code == "NoSuchKey":
        effect = ABSENT
    elif response.status == 200:
        effect = int(response.headers.get("x-amz-meta-attempt", "0"))
    elif response.status == 404:
        raise Failure(f"GET of {key!r} answered {response.body[:300]!r}")
    else:
        raise OSError(f"GET answered {response.status} {response.body[:300]!r}")
    allowed = journal.allowed(key, began, ended)
    if effect not in allowed:
        shown = journal.by_number.get(effect, effect)
        raise Failure(
            f"{key!r} through {client.host} shows {shown} from {began:.3f} to {ended:.3f}; "
            f"allowed: {sorted(map(str, allowed))}; before: {journal.before.get(key)}; "
            f"attempts: {journal.attempts.get(key)}; reads: {journal.reads.get(key, [])[-20:]}")
    if effect != ABSENT:
        attempt = journal.by_number[effect]
        if response.body != attempt.content.bytes(attempt.number):
            raise Failure(f"{key!r}: the bytes of {attempt} are not what was written "
                          f"({len(response.body)} bytes came)")
    journal.saw(key, effect, began, ended)
    return effect


def listing(client, journal, keys, prefix, page=1000):
    """Lists the keys with `prefix`, in pages of so many, and checks it as a read of each of them."""
    began = time.monotonic()
    found, token = {}, None
    while True:
        query = [("list-type", "2"), ("prefix", prefix), ("max-keys", str(page))]
        query += [("continuation-token", token)] if token else []
        response = client.request("GET", BUCKET, query=sorted(query))
        if response.status == 404:
            raise Failure(f"a listing answered {response.body[:300]!r}")
        if response.status != 200:
            raise OSError(f"a listing answered {response.status} {response.body[:300]!r}")
        document = response.xml
        for entry in document.findall("Contents"):
            found[entry.findtext("Key")] = entry.findtext("ETag").strip('"')
        token = document.findtext("NextContinuationToken")
        if not token:
            break
    ended = time.monotonic()
    if list(found) != sorted(found):
        raise Failure(f"a listing is not in order: {list(found)}")
    if strange := set(found) - {key for key in keys if key.startswith(prefix)}:
        raise Failure(f"a listing of {prefix!r} shows {sorted(strange)}")
    for key in keys:
        if key.startswith(prefix):
            check_entry(client, journal, key, found.get(key), began, ended)
    return found


def check_entry(client, journal, key, etag, began, ended):
    """Whether a listing may show `key` with `etag`, or not at all (None)."""
    allowed = journal.allowed(key, began, ended)
    shown = [effect for effect in allowed if etag == etag_of(journal, effect)]
    if not shown:
        raise Failure(
            f"a listing through {client.host} from {began:.3f} to {ended:.3f} shows {key!r} with {etag}; "
            f"allowed: {sorted(map(str, allowed))}; before: {journal.before.get(key)}; "
            f"attempts: {journal.attempts.get(key)}; reads: {journal.reads.get(key, [])[-20:]}")
    # Bodies that are too short to name their attempt may be of several.
    if etag is None or len(shown) == 1 and names_itself(journal, shown[0]):
        journal.saw(key, shown[0], began, ended)


def names_itself(journal, effect):
    return journal.by_number[effect].content.size >= 16


def etag_of(journal, effect):
    if effect == ABSENT:
        return None
    attempt = journal.by_number[effect]
    return hashlib.md5(attempt.content.bytes(attempt.number)).hexdigest()


def verify(server, journal, threads=4, is_over=True, others=()):
    """After a fault: reads every key, settles the journal on what it shows, compares the listing; through each of
    `others` too.

    While the fault is not over, what was not acknowledged may still take effect, and nothing is settled.
    """
    keys = journal.keys()
    settled = None
    for one in (server, *others):
        effects = read_all(one, journal, keys, threads)
        present = sorted(key for key in keys if effects[key] != ABSENT)
        if listed(one) != present:
            raise Failure(f"the listing differs from the objects: "
                          f"{sorted(set(listed(one)) ^ set(present))}")
        if is_over and settled is not None and effects != settled:
            raise Failure(f"two nodes show different states: "
                          f"{[(key, settled[key], effects[key]) for key in keys if settled[key] != effects[key]]}")
        settled = effects
    for key in keys if is_over else ():
        journal.settle(key, settled[key])
    return len(present)


def read_all(server, journal, keys, threads):
    """What each key shows."""
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
    return effects


def listed(server):
    client = server.client()
    response = client.request("GET", BUCKET, query=[("list-type", "2"), ("prefix", "load/")])
    client.close()
    if response.status != 200:
        raise Failure(f"the listing answered {response.status} {response.body[:300]!r}")
    return [entry.text for entry in response.xml.findall("Contents/Key")]
