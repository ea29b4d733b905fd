"""Three storage nodes and a gateway, 20 ms from each other, on which everything is done that can be done to them, under
a load of small objects through all of them: nothing acknowledged is lost or comes back, and all show the same.

`--minutes` says for how long (5), `--rounds` for how many rounds; `scripts/campaign rows ROUNDS` for long ones.
"""

import math
import random
import shutil
import threading
import time
from pathlib import Path

import pytest

from Cluster.faults import Faults
from Cluster.nodes import Nodes, eventually
from Cluster.storing import EXPERIMENTAL, Tenant, serves, storing, wait_healthy
from Cluster.wan import Wan, is_available
from harness import load
from harness.clock import SteppedClock
from harness.journal import Journal
from harness.preload import compiled
from harness.server import BUCKET
from harness.signing import Credentials

ROUND_TRIP = 20
NAMES = ("one", "two", "three", "gateway")
STORING = 3
# Clients have a host of their own: no cut separates them from a node.
CLIENT_HOST = len(NAMES) + 1
WORKERS, KEYS = 24, 100
# Of a client. A node that is stopped keeps one waiting for so long.
PATIENCE = 6
# Pauses between dials grow to a minute.
HEAL_LIMIT = 100
MINUTES = 5.0
# How much of the time belongs to the rounds in which one node is away.
AWAY_SHARE = 0.3


class FarCluster:
    """The nodes, what happens to them, and what they owe their clients."""

    def __init__(self, folder, wan, seed):
        self.folder, self.wan, self.seed = folder, wan, seed
        self.source = random.Random(seed)
        self.nodes, self.journal = Nodes(folder), Journal(keeps_reads=True)
        self.rounds = 0
        self.done, self.refusals = {}, {}
        library = compiled(folder, "stepped_clock")
        clocks = {name: SteppedClock(library, folder / f"clock-{name}") for name in NAMES}
        everyone = storing(self.nodes, NAMES[:STORING], NAMES[STORING:], **{
            name: {"host": wan.address(host), "s3_host": wan.address(host), "wrapper": wan.inside(host),
                   "environment": {**EXPERIMENTAL, **clocks[name].environment}}
            for host, name in enumerate(NAMES, start=1)})
        tenant = Tenant(everyone[0], BUCKET)
        for node in everyone:
            # Clients of a node follow its clock.
            node.host = node.s3_host
            node.credentials = Credentials(tenant.access_key, tenant.credentials.secret_key)
        self.everyone, self.storing = everyone, everyone[:STORING]
        eventually(lambda: all(self.is_known(node) for node in everyone), 10)
        self.faults = Faults(wan, dict(zip(everyone, range(1, len(NAMES) + 1))),
                             {node: clocks[node.name] for node in everyone}, self.source)

    def is_known(self, node):
        """the bucket is known"""
        client = node.client()
        try:
            return client.request("HEAD", BUCKET).status == 200
        finally:
            client.close()

    def round(self):
        """Load, at first without a fault; then all that can be read is read through every node."""
        first, *others = self.faults.nodes
        running = load.Load(
            first, self.journal, f"{self.seed} {self.rounds}", WORKERS, KEYS, math.inf, others, load.ROWS, PATIENCE)
        running.start()
        try:
            time.sleep(self.source.uniform(0.5, 2))
            running.fault_begins()
            self.faults.go_on(self.source.uniform(4, 15))
            self.faults.heal()
            time.sleep(self.source.uniform(0, 2))
        finally:
            running.stop()
        running.check()
        self.count(running)
        self.verify()
        self.rounds += 1

    def count(self, running):
        for total, more in ((self.done, running.done), (self.refusals, running.refusals)):
            for name, count in more.items():
                total[name] = total.get(name, 0) + count

    def verify(self):
        nodes = self.faults.nodes
        try:
            if self.faults.away:
                eventually(lambda: all(sees_all(node, nodes) and serves(node) for node in nodes), HEAL_LIMIT)
            else:
                wait_healthy(nodes, HEAL_LIMIT)
        except AssertionError as error:
            raise AssertionError(f"{error}\n" + "\n".join(map(self.view, nodes))) from None
        # What clients gave up on may still be under way.
        time.sleep(1)
        first, *others = nodes
        load.verify(first, self.journal, threads=8, others=others)

    def view(self, node):
        """What a node says of all."""
        status = node.status()
        seen = {other["hostname"]: other["state"] for other in status["nodes"]}
        return f"{node.name}: {status['health']}, {seen}, {status['attention']}, serves: {serves(node)}"

    def report(self):
        return (f"{self.rounds} rounds, {self.journal.acknowledged_count()} acknowledged changes; seed {self.seed}; "
                f"operations {self.done}; refusals {self.refusals}; faults {dict(self.faults.counts)}")

    def explain(self):
        logs = "\n".join(f"{node.name}:\n{node.log_tail(12)}" for node in self.everyone)
        return "\n".join(self.faults.history[-60:]) + "\n" + logs


def sees_all(node, others):
    names = {other.name for other in others}
    return all(seen["state"] == "up" for seen in node.status()["nodes"] if seen["hostname"] in names)


@pytest.fixture(scope="module")
def far(run_folder, pytestconfig):
    if not is_available():
        pytest.skip("the emulated WAN needs root and /dev/net/tun")
    given, keep = pytestconfig.getoption("--seed"), pytestconfig.getoption("--keep")
    seed = random.randrange(1 << 32) if given is None else given
    folder = run_folder / f"far-{time.monotonic_ns()}"
    folder.mkdir()
    wan = Wan(folder, CLIENT_HOST, ROUND_TRIP)
    cluster = None
    try:
        with wan.within(CLIENT_HOST):
            cluster = FarCluster(folder, wan, seed)
            yield cluster
            print(cluster.report())
    finally:
        if cluster:
            cluster.nodes.end()
        wan.end()
        if keep:
            shutil.copytree(folder, Path(keep) / folder.name, ignore_dangling_symlinks=True,
                            ignore=shutil.ignore_patterns("admin.sock", "wan"))
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def play(far, pytestconfig):
    """Plays rounds for a share of the time, or of the rounds: those in which all nodes are there, or one is away."""
    def go(away):
        rounds = pytestconfig.getoption("--rounds")
        minutes = pytestconfig.getoption("--minutes") or (math.inf if rounds else MINUTES)
        late = max(1, round((rounds or 0) * AWAY_SHARE))
        left = math.inf if rounds is None else late if away else rounds - late
        deadline = time.monotonic() + minutes * 60 * (AWAY_SHARE if away else 1 - AWAY_SHARE)
        while left > 0 and time.monotonic() < deadline:
            with explained(far):
                far.round()
            left -= 1
    return go


class explained:
    """Adds to a failure what is needed to look for its cause."""

    def __init__(self, far):
        self.far = far

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if isinstance(error, AssertionError):
            raise AssertionError(f"{self.far.report()}\n{error}\n{self.far.explain()}") from None


def test_nothing_acknowledged_is_lost(far, play):
    play(away=False)


def test_one_node_is_away_all_the_time_and_comes_back(far, play):
    away = far.source.choice(far.storing)
    stayed = [node for node in far.storing if node is not away]
    away.kill()
    far.faults.away.add(away)
    play(away=True)
    with explained(far):
        far.faults.away.clear()
        away.start()
        far.verify()
        # What it holds counts now: without one of those that stayed, too.
        other = far.source.choice(stayed)
        other.kill()
        far.faults.away.add(other)
        far.verify()
        other.start()
        far.faults.away.clear()
        far.verify()


def test_two_writers_of_a_key_that_is_ahead_of_their_clocks(far):
    """With one node away both of them need both replicas, and the next timestamp is the same for both."""
    one, two, three = far.storing
    far.faults.set_clock(one, 10 * 60)
    assert put(far, one, "ahead") == 200
    far.faults.set_clock(one, 0)
    three.kill()
    eventually(lambda: all(put(far, node, f"through {node.name}") == 200 for node in (one, two)), 10)
    together, statuses = threading.Barrier(2), []

    def write(node):
        for _ in range(10):
            together.wait(30)
            statuses.append(put(far, node, "ahead"))
    writers = [threading.Thread(target=write, args=(node,)) for node in (one, two)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    three.start()
    assert statuses == [200] * 20


def put(far, node, key):
    client = node.client()
    try:
        return client.request("PUT", BUCKET, key, body=node.name.encode()).status
    finally:
        client.close()
