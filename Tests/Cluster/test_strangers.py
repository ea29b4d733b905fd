"""Strangers at the RPC port: they get nothing, cost little, and keep nobody out."""

import contextlib
import os
import socket
import ssl
import struct
import threading
import time

import pytest

from Cluster.nodes import eventually, mesh
from Cluster.stranger import JOINER, MEMBER, PKCS8, Recorder, Stranger, framed, openssl
from Cluster.tokens import Token
from Hostile.processes import Memory, close_at_once, raise_file_limit

# The limit of a handshake and of a question, and a second for a busy machine.
PATIENCE = 11.5
WRONG_PROOF = 5
MEMORY_LIMIT = 24 << 20
FLOOD_SECONDS = 5
# Less than a stranger's handshake may take, after which his place is free anyway.
JOIN_LIMIT = 8


@pytest.fixture(scope="module")
def cluster(shared):
    return shared.cluster("member")


@pytest.fixture
def stranger(cluster, tmp_path):
    return Stranger(tmp_path, cluster[0], source="127.0.0.50")


def cut_off(link, began=None):
    """The seconds until the other side ends the connection, and what it had said."""
    began = began or time.monotonic()
    link.settimeout(PATIENCE)
    said = b""
    try:
        while piece := link.recv(65536):
            said += piece
    except TimeoutError:
        raise AssertionError(f"still open after {PATIENCE} s") from None
    except OSError:
        pass
    return time.monotonic() - began, said


def test_a_strangers_key_gets_nothing_as_a_member(stranger):
    for shows_key in (True, False):
        with pytest.raises((ssl.SSLError, OSError)):
            with stranger.tls(MEMBER, shows_key=shows_key) as link:
                # A client of TLS 1.3 learns of its refusal by its first read.
                link.sendall(b"\x00" * 200)
                got = link.recv(1)
                raise AssertionError(f"got {got!r}") if got else ConnectionError


def test_a_joiner_without_a_key_gets_nothing(stranger):
    with pytest.raises((ssl.SSLError, OSError)):
        with stranger.tls(JOINER, shows_key=False) as link:
            got = link.recv(1)
            raise AssertionError(f"got {got!r}") if got else ConnectionError


def test_old_or_other_protocols_get_nothing(stranger):
    for protocol in (None, "h2", "grange/2"):
        with pytest.raises((ssl.SSLError, OSError)):
            with stranger.tls(protocol) as link:
                got = link.recv(1)
                raise AssertionError(f"got {got!r}") if got else ConnectionError
    context = stranger.context(MEMBER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, OSError)), stranger.plain() as link:
        context.wrap_socket(link)
    with stranger.plain() as link:
        link.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        seconds, said = cut_off(link)
    assert seconds < 2 and b"HTTP" not in said


GARBAGE = {
    "garbage": os.urandom(600), "a length of 4 GiB": b"\xff\xff\xff\xff" + b"x" * 100,
    "a length of 2049": framed(b"\x01" * 2049)[:100], "a record of nothing": framed(b""),
    "a record of zeros": framed(bytes(300)),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_at_the_joiners_door(cluster, stranger, name):
    memory = Memory(cluster[0])
    with stranger.tls(JOINER) as link:
        link.sendall(GARBAGE[name])
        seconds, said = cut_off(link)
    # At once: a length that lies is not waited for. No cluster ID, no secret, at most a sentence.
    assert seconds < 2, seconds
    assert len(said) < 200
    assert memory.peak_above < 4 << 20


def test_silence_is_cut_off(cluster, stranger, figure):
    """Before TLS, in its middle, after it, in the middle of a question, a byte at a time."""
    found = {}

    def silent(name, link, began):
        found[name] = round(cut_off(link, began)[0], 1)

    def drip(link):
        with contextlib.suppress(OSError):
            while True:
                link.sendall(b"\x00" if link.fileno() >= 0 else b"")
                time.sleep(0.5)

    with contextlib.ExitStack() as stack:
        threads = []

        def begin(name, link):
            threads.append(threading.Thread(target=silent, args=(name, link, time.monotonic())))
            threads[-1].start()

        begin("nothing", stack.enter_context(stranger.plain()))
        half = stack.enter_context(stranger.plain())
        half.sendall(client_hello(stranger)[:100])
        begin("half a greeting", half)
        greeted = stack.enter_context(stranger.plain())
        greeted.sendall(client_hello(stranger))
        begin("a greeting", greeted)
        begin("after TLS", stack.enter_context(stranger.tls(JOINER)))
        asked = stack.enter_context(stranger.tls(JOINER))
        asked.sendall(b"\x00\x00\x01\x00" + bytes(40))
        begin("in a question", asked)
        dripping = stack.enter_context(stranger.plain())
        dripping.sendall(b"\x16\x03\x01\x3f\xff")
        begin("a byte at a time", dripping)
        threading.Thread(target=drip, args=(dripping,), daemon=True).start()
        for thread in threads:
            thread.join(2 * PATIENCE)
    figure("seconds until silence was cut off", found)
    assert len(found) == 6, found
    assert all(seconds <= PATIENCE for seconds in found.values())


def client_hello(stranger, protocol=JOINER):
    """The first record of a handshake, as Python's TLS would send it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    engine = stranger.context(protocol).wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        engine.do_handshake()
    return outgoing.read()


def test_a_recorded_question_is_worth_nothing(cluster, nodes, tmp_path):
    """Somebody gets a joiner to ask him, and asks a member with that: even with the joiner's own key he fails."""
    founder = cluster[0]
    token = Token(founder.token("--uses", "2"))
    folder = tmp_path / "thief"
    folder.mkdir()
    seed = os.urandom(32)
    thief = Stranger(folder, founder, source="127.0.0.60", seed=seed)
    with Recorder(thief) as recorder:
        forged = Token(token.text).naming(public_key(seed), f"127.0.0.1:{recorder.port}")
        joiner = nodes.make("joiner").start("--join", forged.text)
        question = recorder.question()
    assert question[5:37] == token.cluster and question[37:53] == token.invite
    own_key = bytes.fromhex((joiner.folder / "meta" / "node_key").read_text().strip())
    folder = tmp_path / "joiner"
    folder.mkdir()
    for key in (seed, own_key):
        code, text = Stranger(folder, founder, source="127.0.0.61", seed=key).ask(question)
        assert code == WRONG_PROOF, (code, text)
    assert joiner.id not in {n["id"] for n in founder.status()["nodes"]}
    # The joiner itself gets in where the token says so.
    joiner.command("join", token.text)
    joiner.wait_joined()


def public_key(seed):
    made = openssl("pkey", "-inform", "DER", "-pubout", "-outform", "DER", input=PKCS8 + seed)
    return made.stdout[-32:].hex()


def test_a_member_of_another_cluster_and_a_revoked_one(nodes, cluster, tmp_path):
    """Their keys are proved, and get as little as a stranger's."""
    founder = cluster[0]
    other = nodes.founder("elsewhere")
    gone = nodes.make("gone").start("--join", founder.token())
    gone.wait_joined()
    founder.command("node", "remove", gone.id, "--yes")
    for node in (other, gone):
        seed = bytes.fromhex((node.folder / "meta" / "node_key").read_text().strip())
        node.stop()
        folder = tmp_path / node.name
        folder.mkdir()
        stranger = Stranger(folder, founder, source="127.0.0.62", seed=seed)
        with pytest.raises((ssl.SSLError, OSError)):
            with stranger.tls(MEMBER) as link:
                link.sendall(bytes(100))
                got = link.recv(1)
                raise AssertionError(f"got {got!r}") if got else ConnectionError


class Flood:
    """Threads that do something to a port again and again, each time from another address."""

    def __init__(self, body, threads=4):
        self.body, self.ended, self.count = body, threading.Event(), 0
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(threads)]

    def run(self, number):
        turn = 0
        while not self.ended.is_set():
            turn += 1
            place = number << 12 | turn & 0xFFF
            with contextlib.suppress(OSError):
                self.body(f"127.9.{place >> 8 & 255}.{place & 255 or 1}")
            self.count += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def test_half_open_handshakes_keep_nobody_out(nodes, cluster, stranger, figure):
    """A thousand at once, from one address and from a thousand; members go on, and one more joins."""
    raise_file_limit()
    founder, member = cluster
    hello = client_hello(stranger)
    memory = Memory(founder)
    with contextlib.ExitStack() as stack:
        for number in range(1000):
            source = "127.0.0.51" if number % 2 else f"127.8.{number >> 8}.{number & 255 or 1}"
            link = stranger.plain(source)
            stack.callback(close_at_once, link)
            link.sendall(hello if number % 4 < 2 else hello[:50])
        member.restart()
        figure("half-open: seconds until a member was back", round(mesh([founder, member]), 2))
        friend = nodes.make("friend").start("--join", token_for(founder))
        figure("half-open: seconds until one more joined", round(friend.wait_joined(JOIN_LIMIT), 2))
        mesh([founder, member, friend])
        figure("half-open: MiB above the quiet", round(memory.peak_above / 2**20, 1))
    assert memory.peak_above < MEMORY_LIMIT
    leave(founder, friend)


def token_for(node):
    """A token that names nobody else, whose door may be free."""
    return Token(node.token()).naming(node.id, f"{node.rpc_host}:{node.rpc_port}").text


def leave(founder, node):
    founder.command("node", "remove", node.id, "--yes")
    eventually(lambda: node.own["state"] == "ended", 5)


FLOODS = ["handshakes that are not finished", "handshakes of strangers", "garbage", "resets"]


@pytest.mark.parametrize("kind", FLOODS)
def test_floods_keep_nobody_out(nodes, cluster, stranger, figure, kind):
    founder, member = cluster
    hello, context = client_hello(stranger), stranger.context(MEMBER)

    def attack(source):
        link = stranger.plain(source)
        try:
            if kind == FLOODS[0]:
                link.sendall(hello)
                link.recv(100)
            elif kind == FLOODS[1]:
                with context.wrap_socket(link) as secured:
                    secured.recv(1)
            elif kind == FLOODS[2]:
                link.sendall(os.urandom(2000))
                link.recv(100)
        finally:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            link.close()

    memory = Memory(founder)
    with Flood(attack) as flood:
        began = time.monotonic()
        friend = nodes.make("friend").start("--join", token_for(founder))
        joined = friend.wait_joined(JOIN_LIMIT)
        mesh([founder, member, friend])
        while time.monotonic() - began < FLOOD_SECONDS:
            assert founder.sees() >= {"founder", "member", "friend"}
            time.sleep(0.2)
        seconds = time.monotonic() - began
    figure(f"{kind}: connections a second", round(flood.count / seconds))
    figure(f"{kind}: seconds until one more joined", round(joined, 2))
    figure(f"{kind}: MiB above the quiet", round(memory.peak_above / 2**20, 1))
    assert flood.count > 100
    assert memory.peak_above < MEMORY_LIMIT
    leave(founder, friend)
