"""A member that is no `grange`: speaks the protocol between members (docs/formats/wire.md), and says what it likes."""

import contextlib
import os
import socket
import ssl
import struct
import threading

from Cluster.keys import varint
from Cluster.stranger import MEMBER, Stranger

HELLO, OPEN, DATA, CREDIT, RESET, PING, CLOSE = range(1, 8)
END, ANSWER = 1, 2
HEAD = struct.Struct(">HBBQ")
PAYLOAD_MAX = 16372
WINDOW = 64 << 10
ANSWER_LIMIT = 15
UNKNOWN_ENDPOINT = 2


class Reset(Exception):
    """The other side ended a stream, or all of them: code and text."""


class Reader:
    """The binary coding of what we ask for."""

    def __init__(self, data):
        self.data, self.place = data, 0

    def take(self, count):
        piece = self.data[self.place:self.place + count]
        assert len(piece) == count
        self.place += count
        return piece

    def varint(self):
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def bytes(self):
        return self.take(self.varint())


class Secured:
    """TLS over a socket, of which one thread reads while others write: Python's own may not be used so."""

    def __init__(self, context, plain, **options):
        self.plain, self.turn = plain, threading.Lock()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.engine = context.wrap_bio(self.incoming, self.outgoing, **options)
        self.attempt(self.engine.do_handshake)

    def attempt(self, action):
        """Does it once enough has come; what it leaves to be sent is sent."""
        while True:
            with self.turn:
                try:
                    done = action()
                    missing = False
                except ssl.SSLWantReadError:
                    missing = True
                if self.outgoing.pending:
                    self.plain.sendall(self.outgoing.read())
            if not missing:
                return done
            piece = self.plain.recv(65536)
            if not piece:
                raise ConnectionError("the node has hung up")
            self.incoming.write(piece)

    def sendall(self, data):
        self.attempt(lambda: self.engine.write(data))

    def recv(self, count):
        return self.attempt(lambda: self.engine.read(count))

    def close(self):
        with contextlib.suppress(OSError):
            self.plain.shutdown(socket.SHUT_RDWR)
        self.plain.close()


class Member:
    """A control connection to `node` under the key of `seed`. A thread of its own answers pings."""

    def __init__(self, folder, node, cluster, seed, source="127.0.0.1"):
        folder.mkdir(exist_ok=True)
        stranger = Stranger(folder, node, source=source, seed=seed)
        plain = stranger.plain()
        self.link = Secured(stranger.context(MEMBER), plain)
        self.turn, self.news = threading.Lock(), threading.Condition()
        self.next, self.credit, self.answers, self.ended = 1, {}, {}, None
        self.say(HELLO, b"\x01" + b"\0\x01\0\x01" + cluster + os.urandom(16) + b"\0"
                 + varint(256) + varint(WINDOW) + b"\0")
        kind, _, _, said = self.frame()
        assert kind == HELLO, (kind, said)
        plain.settimeout(None)
        threading.Thread(target=self.listen, daemon=True).start()

    def say(self, kind, payload=b"", stream=0, flags=0):
        with self.turn:
            self.link.sendall(HEAD.pack(len(payload), kind, flags, stream) + payload)

    def exactly(self, count):
        out = b""
        while len(out) < count:
            piece = self.link.recv(count - len(out))
            if not piece:
                raise ConnectionError("the node has hung up")
            out += piece
        return out

    def frame(self):
        length, kind, flags, stream = HEAD.unpack(self.exactly(HEAD.size))
        return kind, flags, stream, self.exactly(length)

    def listen(self):
        try:
            while True:
                kind, flags, stream, payload = self.frame()
                if kind == PING and not flags & ANSWER:
                    self.say(PING, payload[:8], flags=ANSWER)
                elif kind == OPEN:
                    # What it tells us or asks is taken by nobody here.
                    self.say(RESET, bytes([UNKNOWN_ENDPOINT, 0]), stream)
                elif kind == CLOSE:
                    raise ConnectionError(payload)
                with self.news:
                    self.note(kind, flags, stream, payload)
                    self.news.notify_all()
        except (OSError, ValueError) as error:
            with self.news:
                self.ended = error
                self.news.notify_all()

    def note(self, kind, flags, stream, payload):
        if kind == CREDIT:
            self.credit[stream] = self.credit.get(stream, 0) + int.from_bytes(payload, "big")
        elif kind == DATA and stream in self.answers:
            data, _, reset = self.answers[stream]
            self.answers[stream] = data + payload, flags & END, reset
            self.say(CREDIT, len(payload).to_bytes(4, "big"), stream)
        elif kind == RESET and stream in self.answers:
            self.answers[stream] = b"", END, (payload[0], payload[2:].decode())

    def wait(self, what):
        with self.news:
            assert self.news.wait_for(lambda: self.ended or what(), ANSWER_LIMIT), "no answer"
            if self.ended and not what():
                raise Reset(self.ended)

    def ask(self, endpoint, message):
        """The answer to `message`."""
        head = b"\x01" + varint(len(endpoint)) + endpoint.encode() + varint(10_000)
        head = varint(len(head)) + head
        body = varint(len(message)) + message
        stream, self.next = self.next, self.next + 2
        self.answers[stream], self.credit[stream] = (b"", 0, None), WINDOW
        kind, first = OPEN, head
        while True:
            room = min(PAYLOAD_MAX - len(first), self.credit[stream], len(body))
            piece, body = body[:room], body[room:]
            self.credit[stream] -= room
            self.say(kind, first + piece, stream, 0 if body else END)
            kind, first = DATA, b""
            if not body:
                break
            self.wait(lambda: self.credit[stream] > 0 or self.answers[stream][1])
            if self.answers[stream][1]:
                break
        self.wait(lambda: self.answers[stream][1])
        data, _, reset = self.answers.pop(stream)
        if reset:
            raise Reset(*reset)
        return Reader(data).bytes()

    def push(self, *records):
        """Gives records to the node; returns once it has looked at them."""
        listed = b"".join(varint(len(record)) + record for record in records)
        assert self.ask("cluster/push", b"\x01" + varint(len(records)) + listed) == b""

    def records(self):
        """All records that the node holds."""
        answer = Reader(self.ask("cluster/compare", b"\x01" + bytes(8) + varint(0)))
        answer.take(1)
        told, named = Reader(answer.bytes()), Reader(answer.bytes())
        told.take(1)
        records = {told.bytes() for _ in range(told.varint())}
        # It holds nothing else: behind version and salt the short IDs are counted.
        named.take(1 + 8)
        assert named.varint() == len(records)
        return records

    def close(self):
        self.link.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
