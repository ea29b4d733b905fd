"""A million keys that differ in what a listing must get right, and a fast way to write them.

Keys are bytes here: their order is the order of a listing.
"""

import random
import selectors
import socket
import time

from .signing import UNSIGNED, encode_key

# What follows the name of a family, so that its keys are prefixes of each other, equal a common prefix, have
# bytes right before and right behind the delimiters "/", "::" and U+2192, and sort otherwise in UTF-16 than in
# UTF-8 (U+FFFF, U+10000).
TAILS = [
    "", "/", "//", "/a", "/a/", "/a//b", "/\u00e9", ".", ".a/b", "-", "0", "0/", "!", "\0", "\u0001", " ",
    ":", "::", "::x", "::x/y", ";", "\u2191", "\u2192a", "\u2192a\u2192b/c", "\u2193", "\u00e9", "e\u0301",
    "\U0001f600/x", "\uffff", "\U00010000", "/\uffff", "/\U0010ffff",
]
FOLDER_NAMES = ["a", "b", "ab", "a b", "\u00e9", "e\u0301", "0", "..", "%2F", "\U0001f600"]

# Of a thousand keys: in one folder; in no folder; in paths; each in a folder of its own; the rest in families.
IN_ONE_FOLDER, IN_NO_FOLDER, IN_PATHS, ALONE = 450, 250, 140, 10

# More than the server's writer needs to share each commit among many.
CONNECTIONS = 64


def make_keys(count, seed):
    """`count` different keys in random order."""
    source = random.Random(f"keys {seed}")
    keys = {b"/", b"//", b"long/" + b"k" * 1019, "\U0001f600".encode() * 256}
    while len(keys) < count:
        kind = source.randrange(1000)
        number = f"{source.randrange(1 << 40):010x}"
        if kind < IN_ONE_FOLDER:
            keys.add(f"flat/{number}".encode())
        elif kind < IN_ONE_FOLDER + IN_NO_FOLDER:
            keys.add(number.encode())
        elif kind < IN_ONE_FOLDER + IN_NO_FOLDER + IN_PATHS:
            path = [source.choice(FOLDER_NAMES) for _ in range(source.randint(0, 4))]
            keys.add("/".join(["paths", *path, number[:6]]).encode())
        elif kind < IN_ONE_FOLDER + IN_NO_FOLDER + IN_PATHS + ALONE:
            keys.add(f"wide/{number}/x".encode())
        elif kind % len(TAILS) == 0:
            name = f"family/{number[:2]}/{number}"
            keys.update(f"{name}{tail}".encode() for tail in TAILS)
    keys = sorted(keys)
    source.shuffle(keys)
    return keys[:count]


def put_all(server, bucket, keys):
    """Writes each key with one byte, over many connections from one thread. Returns the seconds."""
    began = time.monotonic()
    waiting = iter(keys)
    selector = selectors.DefaultSelector()
    for _ in range(min(CONNECTIONS, len(keys))):
        connection = socket.create_connection((server.host, server.port), 60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(put_request(server, bucket, next(waiting)))
        selector.register(connection, selectors.EVENT_READ)
    while selector.get_map():
        ready = selector.select(60)
        if not ready:
            raise AssertionError("a PUT got no answer within a minute")
        for entry, _ in ready:
            connection = entry.fileobj
            answer = connection.recv(65536)
            if not answer.startswith(b"HTTP/1.1 200 ") or not answer.endswith(b"\r\n\r\n"):
                raise AssertionError(f"a PUT was answered {answer!r}")
            key = next(waiting, None)
            if key is None:
                selector.unregister(connection)
                connection.close()
            else:
                connection.sendall(put_request(server, bucket, key))
    return time.monotonic() - began


def put_request(server, bucket, key):
    path = f"/{bucket}/{encode_key(key)}"
    headers = server.credentials.sign("PUT", path, (), {"host": f"{server.host}:{server.port}"}, UNSIGNED)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"PUT {path} HTTP/1.1\r\n{lines}content-length: 1\r\n\r\nx".encode()
