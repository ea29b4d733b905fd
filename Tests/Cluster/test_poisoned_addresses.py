"""A member that says it is where it is not: at home, at other members, at somebody else's, in ten thousand places."""

import contextlib
import socket
import threading
import time

import pytest

from Cluster.keys import ANNOUNCEMENT, CONFIGURED, LAN, Key, announcement, now
from Cluster.namespace import Namespace, is_available
from Cluster.nodes import Nodes, eventually, mesh
from Cluster.tokens import Token
from Cluster.wire import Member
from Hostile.processes import Memory

FOUNDER, MEMBER, BAD, FRIEND, OTHER = range(1, 6)
ADDRESSES_MAX = 16
MEMORY_LIMIT = 24 << 20
# A node that looks for one dials at once, and again after 0.5, 1 and 2 s and so on: five times in the first 8 s.
TRIES_MIN, TRIES_MAX, LOOK_SECONDS = 3, 8, 5
JOIN_LIMIT = 8


@pytest.fixture(scope="module")
def place():
    if not is_available():
        pytest.skip("network namespaces need root")
    place = Namespace(OTHER)
    try:
        yield place
    finally:
        place.end()


class Cluster:
    """Two nodes, and a member whose program was replaced by us."""

    def __init__(self, nodes, place, folder):
        self.place, self.folder, self.all = place, folder, nodes
        self.founder = self.make("founder", FOUNDER).start(
            "--quickstart", GRANGE_LOG_LEVEL="debug")
        self.token = Token(self.founder.token("--uses", "3"))
        self.member, bad = self.make("member", MEMBER), self.make("bad", BAD)
        for node in (self.member, bad):
            node.start("--join", self.token.text, GRANGE_LOG_LEVEL="debug")
            node.wait_joined()
        mesh([self.founder, self.member, bad])
        bad.stop()
        self.key, self.nodes = Key.of(bad), [self.founder, self.member]
        mesh(self.nodes)

    def make(self, name, host):
        return self.all.make(name, host=self.place.address(host), wrapper=self.place.wrapper)

    def to(self, node):
        with self.place.inside():
            return Member(self.folder, node, self.token.cluster, self.key.seed,
                          source=self.place.address(BAD))

    def says(self, *addresses, **options):
        return announcement(
            self.token.cluster, self.key.public, self.key, addresses, **options)

    def seen(self, node):
        return next(n for n in node.status()["nodes"] if n["id"] == self.key.id)


@pytest.fixture(scope="module")
def cluster(place, run_folder, tmp_path_factory):
    nodes = Nodes(run_folder / f"poisoned-{time.monotonic_ns()}")
    try:
        yield Cluster(nodes, place, tmp_path_factory.mktemp("bad"))
        assert all(not n.process or n.process.poll() is None for n in nodes.all)
    finally:
        nodes.end()


class Bait:
    """Listens, and counts who comes and what he says first."""

    def __init__(self, host, port=0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, port), family=family)
        self.port = self.listener.getsockname()[1]
        self.said, self.began = [], time.monotonic()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        with contextlib.suppress(OSError):
            while True:
                link, _ = self.listener.accept()
                with link:
                    link.settimeout(2)
                    with contextlib.suppress(OSError):
                        self.said.append(link.recv(65536))

    @property
    def rate(self):
        return len(self.said) / (time.monotonic() - self.began)

    def close(self):
        self.listener.close()


def test_nobody_dials_where_nobody_can_be(cluster, place, figure):
    """Loopback, link-local, multicast and such are passed over, under names too; somebody else's host is dialled."""
    with place.inside():
        other = Bait(place.address(OTHER))
        port = other.port
        baits = [Bait("127.0.0.1", port), Bait("::1", port), Bait("127.0.0.9", port)]
    hosts = ["127.0.0.1", "127.0.0.9", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]",
             "localhost", "localhost.localdomain", "169.254.1.1", "[fe80::1]", "224.0.0.1",
             "[ff02::1]", "255.255.255.255"]
    # Other members' too: who answers there has another key, and goes on with his own connections.
    addresses = [f"{host}:{port}" for host in (*hosts, place.address(OTHER))]
    addresses += [f"{node.rpc_host}:{node.rpc_port}" for node in cluster.nodes]
    assert len(addresses) == ADDRESSES_MAX
    with cluster.to(cluster.founder) as link:
        link.push(cluster.says(*((CONFIGURED, address) for address in addresses)))

    eventually(lambda: len(other.said) >= 2 * TRIES_MIN, 20)
    assert [bait.said for bait in baits] == [[], [], []]
    # The greeting of TLS, which says nothing of who dials or where he belongs.
    for said in other.said:
        assert said[0] == 0x16 and cluster.key.public not in said
        assert cluster.token.cluster not in said and len(said) < 1000
    # Less and less often: without a pause there would be hundreds.
    time.sleep(LOOK_SECONDS)
    figure("connections a second to somebody else's host, of two nodes", round(other.rate, 2))
    assert len(other.said) <= 2 * TRIES_MAX
    mesh(cluster.nodes)
    for bait in (other, *baits):
        bait.close()


@pytest.mark.parametrize("count", [ADDRESSES_MAX + 1, 40_000])
def test_too_many_at_once_are_refused(cluster, count):
    before = cluster.seen(cluster.founder)["addresses"]
    place = len(cluster.founder.log())
    many = [(LAN, f"10.98.79.{n % 200 + 50}:{n % 60000 + 1}") for n in range(count)]
    record = cluster.says(*many)
    with cluster.to(cluster.founder) as link:
        if count < 1000:
            link.push(record)
        else:
            # Longer than any record: the message itself is refused.
            with pytest.raises(Exception, match="the message cannot be read"):
                link.push(record)
        assert record not in link.records()
    if count < 1000:
        assert "a record was refused" in cluster.founder.log()[place:]
    assert cluster.seen(cluster.founder)["addresses"] == before
    mesh(cluster.nodes)


def test_ten_thousand_one_after_the_other(cluster, figure):
    """Each replaces those before; meanwhile one member comes back, and another one joins."""
    founder, member = cluster.nodes
    memory, ended, said = Memory(founder), threading.Event(), 0
    at_once = 20

    def addresses(turn):
        return [(LAN, f"10.98.79.{50 + turn % 200}:{(turn * ADDRESSES_MAX + n) % 65535 + 1}")
                for n in range(ADDRESSES_MAX)]

    link, first = cluster.to(founder), now()
    began = time.monotonic()

    def flood():
        nonlocal said
        while not ended.is_set():
            turns = range(said + 1, said + at_once + 1)
            link.push(*(cluster.says(*addresses(turn), sequence=first + turn) for turn in turns))
            said += at_once

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        member.restart(GRANGE_LOG_LEVEL="debug")
        back = eventually(lambda: "member" in founder.sees() and "founder" in member.sees(), 10)[1]
        friend = cluster.make("friend", FRIEND).start(
            "--join", Token(founder.token()).naming(
                founder.id, f"{founder.rpc_host}:{founder.rpc_port}").text)
        joined = friend.wait_joined(JOIN_LIMIT)
        eventually(lambda: said * ADDRESSES_MAX >= 10_000, 60)
    finally:
        ended.set()
        thread.join()
    seconds = time.monotonic() - began
    figure("poisoned: addresses a second", round(said * ADDRESSES_MAX / seconds))
    figure("poisoned: seconds until a member was back", round(back, 2))
    figure("poisoned: seconds until one more joined", round(joined, 2))
    figure("poisoned: MiB above the quiet", round(memory.peak_above / 2**20, 1))
    own = [r for r in link.records() if r[1] == ANNOUNCEMENT and cluster.key.public in r[:70]]
    link.close()
    assert len(own) == 1
    last = {address for _, address in addresses(said)}
    for node in (founder, member, friend):
        eventually(lambda: set(cluster.seen(node)["addresses"]) == last, 20)
    assert memory.peak_above < MEMORY_LIMIT
    everyone = {"founder", "member", "friend"}
    eventually(lambda: all(n.sees() == everyone for n in (founder, member, friend)), 10)
