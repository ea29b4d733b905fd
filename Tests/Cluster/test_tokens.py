"""Tokens that do not let a node in: each says why, and what to do."""

import re
import subprocess
import time

import pytest

from Cluster import namespace
from Cluster.nodes import eventually
from Cluster.stranger import Stranger, join_request
from Cluster.tokens import Token
from harness import state
from harness.server import free_port

# A node that is no member any more is up for 15 s before it stops.
FAREWELL_LIMIT = 35
WRONG_TRIES_MAX = 10
TOO_MANY_TRIES = 9


@pytest.fixture(scope="module")
def other(shared):
    """The founder of another cluster."""
    return shared.founder("other")


def given(nodes, token, *words, name="joiner"):
    """A node that was given `token`, waits, and says so in these words; it serves nothing of its own."""
    node = nodes.make(name).start("--join", token)
    text = node.waits("not joined yet", *words)
    serves_nothing(node)
    return node, text


def serves_nothing(node):
    assert node.own["state"] == "joining" and node.own["role"] is None
    assert node.status()["health"] == "unavailable"
    client = node.client(timeout=5)
    answer = client.request("GET", "")
    assert answer.status == 503, answer.body
    assert b"waits to join" in answer.body
    client.close()
    for command in (["key", "create", "mine"], ["bucket", "create", "mine"], ["key", "list"],
                    ["bucket", "list"]):
        assert "waits to join" in node.refused(*command)
    assert "waits to join" in node.refused("invite")


def test_a_wrong_secret(nodes, founder):
    token = Token(founder.token())
    token.secret = bytes(16)
    node, _ = given(nodes, token.text, "secret is wrong", "copy the token again")
    assert "a node was not admitted" in founder.log()
    # The right token, given to the running node, lets it in without a restart.
    node.command("join", founder.token())
    node.wait_joined()


def test_an_expired_token(nodes, founder):
    token = founder.token("--expires", "1s")
    time.sleep(1.2)
    _, text = given(nodes, token, "the invite ended at 20", "here: ask for a new one")
    assert re.search(r"ended at \S+Z, and it is \S+Z here", text)


def test_a_token_that_leads_nowhere(nodes):
    """Who makes it hears so, and not the friend first."""
    nowhere = nodes.make("nowhere", public=None).start("--quickstart")
    warned(nowhere, "names no address")
    # Whoever says where the node is knows better, be it a name or an address in a VPN.
    for number, public in enumerate(("home.example.org:3901", "192.168.1.7:3901")):
        said = nodes.make(f"said{number}", public=public).start("--quickstart")
        assert "Attention" not in said.command("invite").stderr


@pytest.mark.skipif(not namespace.is_available(), reason="network namespaces need root")
def test_a_token_that_leads_nowhere_else(nodes):
    hall = namespace.Namespace(1)
    try:
        at_home = nodes.make("at-home", host=hall.address(1), wrapper=hall.wrapper, public=None)
        warned(at_home.start("--quickstart"), "own network only")
    finally:
        nodes.end()
        nodes.all.clear()
        hall.end()


def warned(node, words):
    result = node.command("invite")
    assert words in result.stderr and "rpc.public_addresses" in result.stderr
    assert len(result.stdout.split()) == 1


def test_a_used_token(nodes, founder):
    token = founder.token()
    first = nodes.make("first").start("--join", token)
    first.wait_joined()
    given(nodes, token, "the invite was used (1 of 1)", "ask for a new one",
          "folder may not be persistent", name="second")
    states = {i["state"] for i in founder.command_json("invites")}
    assert "used" in states


def test_a_used_token_with_the_folder_lost(nodes, founder):
    token = founder.token()
    node = nodes.make("container").start(GRANGE_JOIN=token)
    node.wait_joined()
    node.stop()
    subprocess.run(["rm", "-r", node.folder / "meta", node.folder / "data"], check=True)
    node.start(GRANGE_JOIN=token)
    node.waits("was used", "may not be persistent")


def test_a_revoked_token(nodes, founder):
    invite = founder.command_json("invite")
    assert "revoked" in founder.command("invite", "revoke", invite["id"][:8]).stdout
    given(nodes, invite["token"], "taken back", "ask for a new one")
    assert "no invite begins with ffffffff" in founder.refused("invite", "revoke", "ffffffff")


def test_an_unknown_invite(nodes, founder):
    token = Token(founder.token())
    token.invite = bytes(range(1, 17))
    given(nodes, token.text, "no such invite is known here", "ask for a new one")


MISREAD = {
    "truncated": (lambda t: t[:-9], "the token's end is missing", "copy the whole line"),
    "mistyped": (lambda t: t[:60] + ("A" if t[60] != "A" else "B") + t[61:],
                 "mistyped", "copy it again"),
    "two exchanged": (lambda t: swapped(t), "mistyped", "copy it again"),
    "too long": (lambda t: t + "AA", "mistyped", "copy it again"),
    "a zero": (lambda t: t[:30] + "0" + t[31:], "character 31", "is it the letter O?"),
    "no prefix": (lambda t: t[8:], "begins with GRANGE1:", "copy the whole line"),
    "another version": (lambda t: "GRANGE2" + t[7:], "GRANGE2", "install the version"),
    "another thing": (lambda t: "hello", "this is no token", "copy the whole line"),
    "nothing": (lambda t: " \n", "the token is empty", "paste the line"),
}


def swapped(text):
    place = next(i for i in range(20, len(text) - 1) if text[i] != text[i + 1])
    return text[:place] + text[place + 1] + text[place] + text[place + 2:]


@pytest.fixture(scope="module")
def fresh(shared):
    return shared.make("fresh").start()


@pytest.mark.parametrize("name", MISREAD)
def test_a_misread_token_is_refused_at_once(founder, fresh, name):
    change, *words = MISREAD[name]
    line = fresh.refused("join", "-", input=change(founder.token()))
    assert all(word in line for word in words), line
    # Nothing was taken note of: the node is what it was.
    assert fresh.own["state"] == "up"


@pytest.mark.parametrize("name", ["truncated", "mistyped"])
def test_a_node_given_a_misread_token_serves_nothing(nodes, founder, name):
    change, *words = MISREAD[name]
    node, _ = given(nodes, change(founder.token()), *words)
    # Also without the key that it might make itself, and after a restart as before.
    node.restart("--join", change(founder.token()), "--quickstart")
    serves_nothing(node)
    assert "GK" not in node.log()
    # Without a token it is as fresh as ever, and may found a cluster of its own.
    node.restart()
    assert node.own["state"] == "up" and len(node.status()["nodes"]) == 1
    assert node.command_json("key", "create", "mine")["accessKeyId"].startswith("GK")


def test_nobody_answers(nodes, founder):
    token = Token(founder.token())
    dead, closed = f"127.0.0.1:{free_port()}", f"127.0.0.2:{free_port()}"
    token.naming(founder.id, dead, closed)
    _, text = given(nodes, token.text, "no member that the token names answers", dead, closed,
                    "port open?")
    assert text.count("refused") >= 2, text


def test_somebody_else_answers(nodes, founder, other):
    """The joiner says nothing to a node with another key: who sits in the middle learns nothing."""
    token = Token(founder.token()).naming(founder.id, f"127.0.0.1:{other.rpc_port}")
    given(nodes, token.text, f"127.0.0.1:{other.rpc_port}: somebody else answers there")
    assert "was not admitted" not in other.log()


def test_a_token_of_another_cluster_at_the_door(nodes, founder, other):
    token = Token(other.token()).naming(founder.id, f"127.0.0.1:{founder.rpc_port}")
    given(nodes, token.text, "the token is of another cluster")


def test_a_member_ignores_a_token_of_another_cluster(nodes, founder, other):
    member = nodes.make("member").start("--join", founder.token())
    member.wait_joined()
    identity = member.id
    member.restart("--join", other.token())
    text = member.waits("the join token is of another cluster", "is ignored", "--discard-data")
    assert member.id == identity, text
    eventually(lambda: "founder" in member.sees(), 10)
    line = member.refused("join", other.token())
    assert "--discard-data" in line and "moved aside, not deleted" in line
    # And one that cannot be read.
    member.restart(GRANGE_JOIN="GRANGE1:AAAA")
    member.waits("cannot be read", "is ignored")


def test_a_token_that_a_command_gave_outlives_a_restart(nodes):
    founder = nodes.founder()
    token = founder.token("--uses", "2")
    founder.stop()
    waiting, giving_up, rich = [nodes.make(name).start() for name in ("waiting", "giving-up", "rich")]
    rich.command("bucket", "create", "mine")
    for node in (waiting, giving_up, rich):
        node.command("join", token, *(["--discard-data"] if node is rich else []))
        eventually(lambda: "no member that the token names answers" in asked(node), 30)
        node.kill()
        node.start()
        node.waits("no member that the token names answers")
        assert "waits to join" in node.refused("bucket", "create", "mine")
    # Who does not want to wait says so, and begins a cluster of its own.
    assert "asks no more" in giving_up.command("leave", "--yes").stdout
    giving_up.restart()
    giving_up.command("bucket", "create", "mine")
    assert giving_up.own["state"] == "up"
    founder.start()
    waiting.wait_joined(limit=70)
    waiting.restart()
    waiting.wait_joined()
    # One from the configuration is taken out there.
    wrong = Token(token)
    wrong.secret = bytes(16)
    configured = nodes.make("configured").start("--join", wrong.text)
    configured.waits("secret is wrong")
    assert "take that away" in configured.refused("leave", "--yes")


def asked(node):
    """What it says of its joining; nothing while it begins anew."""
    try:
        return node.attention
    except (OSError, ValueError, AssertionError):
        return ""


def test_a_member_ignores_its_own_clusters_token(nodes, founder):
    token = founder.token()
    member = nodes.make("member").start("--join", token)
    member.wait_joined()
    member.restart("--join", token)
    member.wait_joined()
    assert "token" not in member.attention
    assert "member of that cluster already" in member.command("join", token).stdout


def test_who_left_or_was_removed_does_not_come_back(nodes, founder):
    token = founder.token("--uses", "3")
    runs = []
    for name, end in (("left", lambda n: n.command("leave", "--yes")),
                      ("removed", lambda n: founder.command("node", "remove", n.id, "--yes"))):
        node = nodes.make(name).start("--join", token)
        node.wait_joined()
        # One that is not connected when it is removed cannot hear of it.
        eventually(lambda: name in founder.sees() and "founder" in node.sees(), 10)
        end(node)
        text = node.waits("left its cluster or was removed", "--discard-data")
        assert "as a new node" in text and node.own["state"] == "ended"
        node.stop()
        runs.append((node, subprocess.Popen(
            [node.program, "server", "--config", node.configuration], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", "GRANGE_JOIN": token})))
        state.record_process(runs[-1][1].pid)
    for node, run in runs:
        # It tells who does not know yet, and stops.
        _, said = run.communicate(timeout=FAREWELL_LIMIT)
        line = said.strip().splitlines()[-1]
        assert run.returncode == 1, said
        assert "does not come back by a token" in line and "start with empty folders" in line
        # Without the token it runs, and says what it is.
        node.start()
        assert node.own["state"] == "ended"
        assert node.client().request("GET", "").status == 503


def test_guessing_is_limited(nodes, founder, tmp_path):
    """Ten wrong proofs a minute from one address; who comes from elsewhere gets in meanwhile."""
    token = Token(founder.token("--uses", "2"))
    stranger = Stranger(tmp_path, founder, source="127.0.0.77")
    codes = [stranger.ask(join_request(token, bytes(64)))[0] for _ in range(WRONG_TRIES_MAX + 2)]
    assert codes == [5] * WRONG_TRIES_MAX + [TOO_MANY_TRIES] * 2
    node = nodes.make("friend").start("--join", token.text)
    node.wait_joined()
    eventually(lambda: "friend" in founder.sees(), 5)
