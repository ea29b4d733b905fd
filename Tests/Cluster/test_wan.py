"""Seven nodes, 100 ms from each other: how long it takes them to find and to miss each other."""

import time

import pytest

from Cluster.nodes import NOTICE_LIMIT, READY_LIMIT, Nodes, eventually, mesh
from Cluster.wan import Wan, is_available

COUNT, ROUND_TRIP = 7, 100
MESH_LIMIT = 5
# A line that was cut for some seconds is tried again within the pause that had grown meanwhile, and its jitter.
HEAL_LIMIT = 45
NAME = "meet.grange.test"


@pytest.fixture(scope="module")
def wan(run_folder):
    if not is_available():
        pytest.skip("the emulated WAN needs root and /dev/net/tun")
    folder = run_folder / f"wan-{time.monotonic_ns()}"
    folder.mkdir()
    wan = Wan(folder, COUNT, ROUND_TRIP)
    try:
        yield wan
    finally:
        wan.end()


@pytest.fixture(scope="module")
def far(wan, run_folder):
    """Seven members, and the seconds from the last one's join to the full mesh."""
    nodes = Nodes(run_folder / "far")
    try:
        everyone = [nodes.make(f"n{k}", host=wan.address(k), wrapper=wan.inside(k))
                    for k in range(1, COUNT + 1)]
        founder = everyone[0].start("--quickstart")
        token = founder.token("--uses", str(COUNT - 1))
        for node in everyone[1:]:
            node.start("--join", token)
        for node in everyone[1:]:
            node.wait_joined()
        yield everyone, mesh(everyone, 30)
    finally:
        nodes.end()


def test_full_mesh(far, figure):
    everyone, seconds = far
    figure("WAN: seconds from the last join to full mesh", round(seconds, 2))
    assert seconds < MESH_LIMIT

    def measured():
        """every round trip is known"""
        times = [n["roundTripMilliseconds"] for node in everyone
                 for n in node.status()["nodes"][1:]]
        return times if all(times) else None
    times, _ = eventually(measured, 15)
    figure("WAN: round trips as shown, ms", f"{min(times):.0f} to {max(times):.0f}")
    assert ROUND_TRIP * 0.9 < min(times) and max(times) < ROUND_TRIP * 2


def test_one_more_joins_a_mesh(far, figure):
    """As a friend does it: the rest is there, and the last one comes."""
    everyone, _ = far
    founder, last = everyone[0], everyone[-1]
    last.command("leave", "--yes")
    eventually(lambda: founder.seen(last) is None, 10)
    began = time.monotonic()
    last.command("join", founder.token(), "--discard-data")
    eventually(lambda: joined(last), READY_LIMIT)
    since = time.monotonic()
    mesh(everyone, MESH_LIMIT)
    figure("WAN: seconds from the command to a member, and from there to full mesh",
           f"{since - began:.2f}, {time.monotonic() - since:.2f}")


def joined(node):
    """it is a member again"""
    try:
        return node.own["state"] == "up" and len(node.status()["nodes"]) > 1
    except (OSError, ValueError, AssertionError):
        return False


def missed(node, watchers):
    """The seconds until all of `watchers` have noticed that `node` is away."""
    return round(eventually(
        lambda: not any(watcher.seen(node)["isUp"] for watcher in watchers), NOTICE_LIMIT)[1], 2)


def test_a_kill_is_noticed(far, figure):
    everyone, _ = far
    *rest, last = everyone
    last.kill()
    figure("WAN: seconds until all noticed a kill", missed(last, rest))
    began = time.monotonic()
    last.start()
    mesh(everyone, MESH_LIMIT)
    figure("WAN: seconds from its start to full mesh", round(time.monotonic() - began, 2))


def test_a_cut_is_noticed_and_heals(wan, far, figure):
    everyone, _ = far
    *rest, last = everyone
    wan("partition", COUNT)
    figure("WAN: seconds until all noticed a cut", missed(last, rest))
    assert eventually(lambda: last.sees() == {last.name}, NOTICE_LIMIT)
    assert last.status()["health"] == "unavailable"
    wan("heal", COUNT)
    figure("WAN: seconds from healing to full mesh", round(mesh(everyone, HEAL_LIMIT), 2))


def test_a_cut_of_one_way(wan, far, figure):
    """Both sides of the pair notice it; everybody else goes on with both."""
    everyone, _ = far
    first, second = everyone[1], everyone[2]
    wan("oneway", 2, 3)
    # Who hears nothing any more resets the connection: the other one still hears that.
    figure("WAN: seconds until both noticed a cut of one way", round(eventually(
        lambda: not first.seen(second)["isUp"] and not second.seen(first)["isUp"],
        NOTICE_LIMIT)[1], 2))
    for node in everyone:
        if node not in (first, second):
            assert node.seen(first)["isUp"] and node.seen(second)["isUp"]
    wan("heal")
    figure("WAN: seconds from healing one way to full mesh", round(mesh(everyone, HEAL_LIMIT), 2))


def test_a_split_heals(wan, far, figure):
    everyone, _ = far
    wan("split", "1 2 3", "4 5 6 7")
    halves = everyone[:3], everyone[3:]
    eventually(lambda: all(node.sees() == {n.name for n in half}
                           for half in halves for node in half), NOTICE_LIMIT)
    wan("heal")
    figure("WAN: seconds from healing a split to full mesh", round(mesh(everyone, HEAL_LIMIT), 2))


def test_all_restart_with_changed_addresses(wan, far, figure):
    """Each has the address that another one had; only the founder's name is right."""
    everyone, _ = far
    founder = everyone[0]
    identity = founder.id
    wan.name(NAME, 2)
    for node in everyone:
        node.kill()
    for place, node in enumerate(everyone, start=2):
        host = (place - 1) % COUNT + 1
        node.move(wan.address(host), wan.inside(host))
    for node in everyone[1:]:
        node.bootstrap = [f"{identity}@{NAME}:{founder.rpc_port}"]
        node.write_configuration()
    began = time.monotonic()
    for node in everyone:
        node.start(wait=False)
    for node in everyone:
        node.ready()
    mesh(everyone, HEAL_LIMIT)
    figure("WAN: seconds from a common start with new addresses to full mesh",
           round(time.monotonic() - began, 2))
    assert founder.status()["health"] == "healthy"
