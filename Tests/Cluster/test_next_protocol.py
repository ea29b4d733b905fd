"""A node of the next version among nodes of this one: they work together, and nothing that it says is lost on the way."""

import shutil
import sqlite3

import pytest

from Cluster import next_program
from Cluster.nodes import eventually, mesh

# As Tests/NextProtocol/next-protocol.patch adds it to everything.
FIELD = b"of the next version"
# docs/formats/cluster-state.md, "Records"; nothing writes settings yet.
KINDS = {1: "admission", 2: "ending", 3: "invite", 4: "revocation", 5: "announcement"}


@pytest.fixture(scope="module")
def newer():
    return next_program.built()


def test_next_version(nodes, newer, tmp_path):
    founder = nodes.founder()
    # The newer one asks an older one, and lets older ones in itself.
    next_one = nodes.make("next", program=newer).start("--join", founder.token())
    next_one.wait_joined()
    key = bytes.fromhex(next_one.id)
    other, expelled = [nodes.make(name).start("--join", next_one.token()) for name in ("other", "expelled")]
    for node in (other, expelled):
        node.wait_joined()
    mesh([founder, next_one, other, expelled])
    next_one.command("invite")
    mark = next(i["id"] for i in next_one.command_json("invites") if i["state"] == "open")
    next_one.command("invite", "revoke", mark)
    next_one.command("node", "remove", "expelled", "--yes")
    everyone = [founder, next_one, other]
    for node in everyone:
        eventually(lambda: node.seen(expelled) is None, 10)
    mesh(everyone)

    # What older nodes keep, and hand to others, is what the newer one signed.
    for node in (founder, other):
        eventually(lambda: marked(node, key, tmp_path) == set(KINDS.values()), 10)
    # An older one alone tells the next that joins.
    next_one.stop()
    late = nodes.make("late").start("--join", founder.token())
    late.wait_joined()
    eventually(lambda: marked(late, key, tmp_path) == set(KINDS.values()), 10)
    for node in (founder, other):
        node.restart()
    next_one.start()
    mesh([*everyone, late], 15)
    assert marked(founder, key, tmp_path) == set(KINDS.values())
    states = {i["id"]: i["state"] for i in late.command_json("invites")}
    assert states[mark] == "revoked"
    for node in (founder, other, late):
        assert "error" not in node.log(), node.log_tail()


def marked(node, key, place):
    """The kinds of records by the node of that key that `node` holds with the newer field."""
    copy = place / "metadata.sqlite"
    for suffix in ("", "-wal"):
        source = node.folder / "meta" / f"metadata.sqlite{suffix}"
        if source.exists():
            shutil.copy(source, f"{copy}{suffix}")
    database = sqlite3.connect(copy)
    try:
        tables = [name for name, in database.execute("select name from sqlite_master where type = 'table'")]
        values = [value for table in tables for row in database.execute(f'select * from "{table}"')
                  for value in row if isinstance(value, bytes)]
    finally:
        database.close()
    return {KINDS[value[1]] for value in values
            if value[:1] == b"\1" and value[1:2] and value[1] in KINDS and FIELD in value and key in value}
