"""Three nodes by one token: all see each other, and see who is away."""

import signal
import time

from Cluster.nodes import NOTICE_LIMIT, eventually, mesh

# A killed process's connections are closed by the system: seen at once.
KILL_LIMIT = 2
TOGETHER_LIMIT = 15


def test_four_ways_to_give_a_token(nodes, figure, tmp_path):
    founder = nodes.founder()
    result = founder.command("invite", "--uses", "4", "--expires", "1h")
    token = result.stdout.removesuffix("\n")
    # Alone on its output, so that a script can pass it on; what the friend types is beside it.
    assert token.startswith("GRANGE1:") and token.isalnum() is False and "\n" not in token
    assert len(token) <= 619 and " " not in token
    assert "grange server --join" in result.stderr and "4" in result.stderr

    file = tmp_path / "token"
    file.write_text(token + "\n")
    file.chmod(0o600)
    flag = nodes.make("flag").start("--join", token)
    variable = nodes.make("variable").start(GRANGE_JOIN=token)
    secret = nodes.make("secret").start(GRANGE_JOIN_FILE=str(file))
    typed = nodes.make("typed").start()
    typed.command("join", "-", input=token[:40] + "\n" + token[40:].lower() + "\n")
    everyone = [founder, flag, variable, secret, typed]
    for node in everyone[1:]:
        node.wait_joined()
    figure("seconds from the last join to full mesh, five nodes", round(mesh(everyone), 2))

    for node in everyone:
        status = node.command_json("status")
        assert status["health"] == "healthy"
        assert {n["hostname"] for n in status["nodes"]} == {n.name for n in everyone}
        assert len({n["id"] for n in status["nodes"]}) == 5
        assert status["nodes"][0]["id"] == node.id, "this node is not first"
        for one in status["nodes"]:
            check_document(one, is_own=one["hostname"] == node.name)
        table = node.command("status").stdout
        assert all(n.name in table for n in everyone)
        assert node.command("status", "--health").returncode == 0
    listed = founder.command_json("invites")
    assert [(i["used"], i["uses"], i["state"]) for i in listed] == [(4, 4, "used")]


def check_document(node, is_own):
    assert len(node["id"]) == 64 and int(node["id"], 16)
    assert node["addresses"] and all(":" in address for address in node["addresses"])
    assert node["zone"] and node["capacity"] > 0 and node["tags"] == []
    assert node["isUp"] is True and node["state"] == "up"
    assert (node["role"] is not None) == (node["hostname"] == "founder")
    if is_own:
        assert node["lastSeen"] is None
    else:
        assert node["lastSeen"].endswith("Z") and node["lastSeenSecsAgo"] <= 10
        assert node["roundTripMilliseconds"] is None or 0 < node["roundTripMilliseconds"] < 1000


def test_who_is_away_is_seen(nodes, figure):
    founder, first, second = nodes.cluster("first", "second")

    second.kill()
    figure("seconds until a kill was seen", away(second, [founder, first], KILL_LIMIT))
    for node in (founder, first):
        assert node.status()["health"] == "degraded"
        assert node.command("status", "--health", check=False).returncode == 0
        assert "second" in node.attention and "is it running" in node.attention
        assert node.seen(second)["state"] == "down" and node.seen(second)["lastSeen"]
    second.start()
    mesh([founder, first, second])

    second.signal(signal.SIGSTOP)
    figure("seconds until silence was seen", away(second, [founder, first], NOTICE_LIMIT))
    second.signal(signal.SIGCONT)
    mesh([founder, first, second])

    founder.kill()
    away(founder, [first, second], KILL_LIMIT)
    for node in (first, second):
        assert node.status()["health"] == "unavailable"
        assert node.command("status", "--health", check=False).returncode == 1
    founder.start()
    figure("seconds until all were back", round(mesh([founder, first, second]), 2))
    assert founder.status()["health"] == "healthy"


def away(node, watchers, limit):
    """The seconds until all of `watchers` say that `node` is down."""
    return round(eventually(
        lambda: not any(watcher.seen(node)["isUp"] for watcher in watchers), limit)[1], 2)


def test_all_restart_at_once(nodes, figure):
    everyone = nodes.cluster("first", "second")
    ids = [node.id for node in everyone]
    for node in everyone:
        node.kill()
    began = time.monotonic()
    for node in everyone:
        node.start(wait=False)
    for node in everyone:
        node.ready()
    mesh(everyone, TOGETHER_LIMIT)
    figure("seconds from a common start to full mesh", round(time.monotonic() - began, 2))
    assert [node.id for node in everyone] == ids


def test_a_changed_address_is_recognised(nodes, figure):
    founder, first, second = nodes.cluster("first", "second")
    identity, port = second.id, second.rpc_port
    second.stop()
    second.move().start()
    figure("seconds until it was back elsewhere", round(mesh([founder, first, second]), 2))
    assert second.id == identity and second.rpc_port != port
    eventually(lambda: str(second.rpc_port) in founder.seen(second)["addresses"][0], 5)

    # Now the two others, at once: who has not moved knows where they are by what they say.
    for node in (founder, first):
        node.stop()
    for node in (founder, first):
        node.move().start()
    mesh([founder, first, second], TOGETHER_LIMIT)
    # And the new addresses are kept.
    second.restart()
    mesh([founder, first, second], TOGETHER_LIMIT)
