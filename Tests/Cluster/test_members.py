"""What operators do with members: with data, leaving, expelling, connecting."""

import re
import subprocess
from pathlib import Path

from Cluster.nodes import eventually, mesh

DISCARD_LIMIT = 30


def test_a_joined_node_stores_nothing_yet(nodes):
    founder, member = nodes.cluster("member")
    for command in (["bucket", "list"], ["bucket", "create", "b"], ["key", "list"],
                    ["key", "create", "k"], ["bucket", "info", "b"], ["key", "info", "k"]):
        line = member.refused(*command)
        assert "stores nothing yet" in line and "use founder" in line, line
    client = member.client(timeout=5)
    for method, path in (("GET", ""), ("GET", "first/key"), ("PUT", "first/key")):
        answer = client.request(method, path)
        assert answer.status == 503 and b"stores nothing yet" in answer.body, answer.body
        assert b"ServiceUnavailable" in answer.body or b"SlowDown" in answer.body
    client.close()
    assert founder.command_json("key", "create", "k")["accessKeyId"]


def test_quickstart_on_a_joiner_makes_nothing(nodes):
    founder = nodes.founder()
    member = nodes.make("member").start(
        "--quickstart", "--join", founder.token(), GRANGE_DEFAULT_BUCKET="mine",
        GRANGE_DEFAULT_ACCESS_KEY="GK0123456789abcdef01234567",
        GRANGE_DEFAULT_SECRET_KEY="00112233445566778899aabbccddeeff")
    member.wait_joined()
    assert "GK0123456789abcdef01234567" not in member.log()
    assert "mine" not in founder.command("bucket", "list").stdout


def test_joining_with_data(nodes, figure):
    founder = nodes.founder()
    rich = nodes.make("rich").start("--quickstart")
    identity, process = rich.id, rich.process.pid
    rich.command("bucket", "create", "precious")
    token = founder.token()
    line = rich.refused("join", token)
    assert "--discard-data" in line and "moved aside" in line
    assert rich.id == identity and "precious" in rich.command("bucket", "list").stdout

    said = rich.command("join", token, "--discard-data").stdout
    assert "moves its folders aside" in said and "log" in said

    def joined():
        """joined with nothing"""
        try:
            return rich.own["id"] != identity and rich.own["state"] == "up"
        except (OSError, ValueError, AssertionError):
            return False
    figure("seconds from join --discard-data to a member", round(
        eventually(joined, DISCARD_LIMIT)[1], 2))
    mesh([founder, rich])
    assert rich.process.poll() is None and rich.process.pid == process
    places = re.findall(r"moved aside to=(\S+)", rich.log())
    assert len(places) == 2 and all(Path(p).is_dir() for p in places), rich.log_tail()

    # What was moved is a node as it was: with its key, its bucket, its cluster.
    old = nodes.make("old")
    for place, name in zip(sorted(places), ("data", "meta")):
        subprocess.run(["cp", "-a", place, old.folder / name], check=True)
    old.start()
    assert old.id == identity and "precious" in old.command("bucket", "list").stdout
    # The token was used once, for this.
    rich.restart("--join", token)
    rich.wait_joined()
    assert rich.id != identity


def test_leaving(nodes):
    founder, leaver, stays = nodes.cluster("leaver", "stays")
    assert "--yes" in leaver.refused("leave")
    assert "others hold copies" in founder.refused("leave", "--yes")
    assert founder.own["state"] == "up"
    assert "has left" in leaver.command("leave", "--yes").stdout
    for node in (founder, stays):
        eventually(lambda: node.seen(leaver) is None, 5)
    eventually(lambda: leaver.own["state"] == "ended", 5)
    assert len(leaver.status()["nodes"]) == 1
    assert "no member of its cluster any more" in leaver.refused("invite")
    mesh([founder, stays])
    # Its folders are moved aside for a new beginning under another key.
    identity = leaver.id
    leaver.command("join", founder.token(), "--discard-data")
    eventually(lambda: leaver.name in founder.sees(), DISCARD_LIMIT)
    assert leaver.id != identity


def test_expelling(nodes):
    founder, first, second, third, away = nodes.cluster("first", "second", "third", "away")
    for name in ("first", first.id[:12]):
        line = founder.refused("node", "remove", name)
        assert "--yes" in line and "only as a new node" in line
    first.token()
    shown = founder.refused("node", "remove", "first")
    assert "open invites that it made" in shown and "no members any more either" not in shown
    assert "others hold copies" in first.refused("node", "remove", "founder", "--yes")
    assert "grange leave" in first.refused("node", "remove", "first", "--yes")
    assert "no member has this host name" in first.refused("node", "remove", "nobody", "--yes")
    mesh([founder, first, second, third, away])

    away.kill()
    # By any member, by its name or the beginning of its ID.
    assert "no member any more" in first.command("node", "remove", "second", "--yes").stdout
    first.command("node", "remove", third.id[:8], "--yes")
    founder.command("node", "remove", "away", "--yes")
    for node in (founder, first):
        eventually(lambda: {n["hostname"] for n in node.status()["nodes"]}
                   == {"founder", "first"}, 5)
    for node in (founder, first):
        assert f"first ({first.id[:16]}) removed " in node.attention
        assert "second" in node.attention and "founder" in node.attention
    for node in (second, third):
        node.waits("was removed", "ask a member for a token")
        assert node.own["state"] == "ended"
        assert "no member of its cluster any more" in node.refused("invite")
        node.restart()
        assert node.own["state"] == "ended"
    # One that was away when it happened gets nowhere, asks why, and knows it from then on.
    away.start()
    away.waits("has left its cluster or was removed", limit=30)
    assert away.own["state"] == "ended"
    for node in (founder, first):
        node.kill()
    away.restart()
    assert away.own["state"] == "ended"
    for node in (founder, first):
        node.start()
    mesh([founder, first])
    assert founder.sees() == {"founder", "first"} == first.sees()


def test_connecting(nodes):
    founder, member = nodes.cluster("member")
    stranger = nodes.make("stranger").start()
    line = founder.refused("node", "connect", f"{stranger.id}@127.0.0.1:{stranger.rpc_port}")
    assert "no member" in line and "grange invite" in line
    assert "<node ID>@host:port" in founder.refused("node", "connect", "127.0.0.1:1")
    printed = member.command("node", "id").stdout.split()
    assert printed[0] == f"{member.id}@127.0.0.1:{member.rpc_port}"
    assert "connected" in founder.command("node", "connect", printed[0]).stdout
    listed = founder.command_json("node", "list")
    assert {n["hostname"] for n in listed} == {"founder", "member"}

    # Both elsewhere at once: neither knows where the other is, until somebody says it.
    for node in (founder, member):
        node.kill()
    for node in (founder, member):
        node.move().start()
    assert founder.sees() == {"founder"}
    founder.waits("no connection to member", "Connection refused")
    founder.command("node", "connect", f"{member.id}@127.0.0.1:{member.rpc_port}")
    mesh([founder, member])


def test_a_bootstrap_peer_is_enough(nodes):
    founder, first, second = everyone = nodes.cluster("first", "second")
    for node in everyone:
        node.kill()
    for node in everyone:
        node.move()
    # One name that is right: the founder's, at the two others.
    for node in (first, second):
        node.bootstrap = [f"{node_id(founder)}@localhost:{founder.rpc_port}"]
        node.write_configuration()
    for node in everyone:
        node.start()
    mesh(everyone, 30)


def node_id(node):
    """The ID of a node that does not run, from its certificate's key."""
    seed = bytes.fromhex((node.folder / "meta" / "node_key").read_text().strip())
    made = subprocess.run(
        ["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"],
        input=bytes.fromhex("302e020100300506032b657004220420") + seed, capture_output=True,
        check=True)
    return made.stdout[-32:].hex()
