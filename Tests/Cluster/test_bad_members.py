"""A member that goes bad: it has a valid key, speaks the protocol, and says what it likes."""

import contextlib
import os
import ssl

import pytest

from Cluster.keys import (
    ADMISSION, ANNOUNCEMENT, ENDING, INVITE, SETTING, Key, admission, announcement, ending, invite, now, record,
    record_id, string)
from Cluster.nodes import eventually, mesh
from Cluster.stranger import Stranger, inquiry
from Cluster.tokens import Token
from Cluster.wire import Member, Reset

HEAR_LIMIT = 10
# Codes of refusal at the joiners' door.
UNKNOWN_INVITE, ENDED_KEY = 1, 8
# What changes only when somebody does something.
KINDS = ADMISSION, ENDING, INVITE, SETTING


class Bad:
    """A member whose program was replaced by us, and the two nodes of its cluster that are as they were."""

    def __init__(self, nodes, folder):
        self.folder = folder
        self.founder, self.member, own = self.nodes = [
            nodes.make(name) for name in ("founder", "member", "bad")]
        self.founder.start("--quickstart", GRANGE_LOG_LEVEL="debug")
        self.token = Token(self.founder.token("--uses", "2"))
        for node in (self.member, own):
            node.start("--join", self.token.text, GRANGE_LOG_LEVEL="debug")
            node.wait_joined()
        mesh(self.nodes)
        own.stop()
        self.nodes.remove(own)
        mesh(self.nodes)
        self.cluster, self.key, self.stranger = self.token.cluster, Key.of(own), Key()
        self.founder_id, self.member_id = Key.of(self.founder).public, Key.of(self.member).public

    def to(self, node, key=None):
        return Member(self.folder, node, self.cluster, (key or self.key).seed)

    def push(self, *records, key=None):
        """Gives records to all; returns once all have looked at them."""
        for node in self.nodes:
            with self.to(node, key) as link:
                link.push(*records)

    def held(self, kinds=KINDS):
        """The records of these kinds that each node holds."""
        found = []
        for node in self.nodes:
            with self.to(node) as link:
                found.append({r for r in link.records() if r[1] in kinds})
        return found

    def listed(self):
        """The IDs of the members, as each node says."""
        return [{n["id"] for n in node.status()["nodes"]} for node in self.nodes]


@pytest.fixture(scope="module")
def bad(shared, tmp_path_factory):
    return Bad(shared, tmp_path_factory.mktemp("bad"))


def by(bad, signer, key):
    """An admission of a stranger by `signer`, says `key`."""
    return admission(bad.cluster, bad.stranger.public, signer, key)


def changed(bad):
    """The admission of the member with another key in the place of its own: a record that all hold."""
    found = next(r for r in bad.held()[0] if r[1] == ADMISSION and bad.member_id in r)
    return found.replace(bad.member_id, bad.stranger.public)


FORGED = {
    "itself as the founder": (
        lambda b: admission(b.cluster, b.key.public, b.key.public, b.key), "selfAdmission"),
    "a stranger as the founder": (
        lambda b: by(b, b.stranger.public, b.stranger), "unknownSigner"),
    "the founder once more": (
        lambda b: admission(b.cluster, b.founder_id, b.founder_id, b.key), "wrongSignature"),
    "an admission in the founder's name": (lambda b: by(b, b.founder_id, b.key), "wrongSignature"),
    "an admission in a member's name": (lambda b: by(b, b.member_id, b.key), "wrongSignature"),
    "an admission by a stranger": (
        lambda b: admission(b.cluster, Key().public, b.stranger.public, b.stranger),
        "unknownSigner"),
    "an admission that was changed": (changed, "wrongSignature"),
    "an admission of another cluster": (
        lambda b: admission(os.urandom(32), b.stranger.public, b.key.public, b.key),
        "wrongCluster"),
    "another cluster's founder": (
        lambda b: admission(os.urandom(32), b.key.public, b.key.public, b.key), "wrongCluster"),
    "the founder's ending in another cluster": (
        lambda b: ending(os.urandom(32), b.founder_id, b.key.public, b.key), "wrongCluster"),
    "the founder's leave": (
        lambda b: ending(b.cluster, b.founder_id, b.founder_id, b.key), "wrongSignature"),
    "the founder's ending in a member's name": (
        lambda b: ending(b.cluster, b.founder_id, b.member_id, b.key), "wrongSignature"),
    "the founder's ending by a stranger": (
        lambda b: ending(b.cluster, b.founder_id, b.stranger.public, b.stranger), "unknownSigner"),
    "a member's ending in the founder's name": (
        lambda b: ending(b.cluster, b.member_id, b.founder_id, b.key), "wrongSignature"),
    "an invite in the founder's name": (
        lambda b: invite(b.cluster, b.founder_id, b.key, b.stranger), "wrongSignature"),
    "addresses in the founder's name": (
        lambda b: announcement(b.cluster, b.founder_id, b.key, [(1, "127.0.0.1:1")]),
        "wrongSignature"),
    "a setting in the founder's name": (
        lambda b: record(SETTING, b.cluster + string("layout") + string("manual")
                         + now().to_bytes(8, "big") + b.founder_id, b.key), "wrongSignature"),
    "an admission with something behind it": (
        lambda b: by(b, b.key.public, b.key) + b"\0", "malformed"),
    "a record of an unknown kind": (lambda b: record(77, b.cluster, b.key), "malformed"),
    "a record of nothing": (lambda b: b"", "malformed"),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_is_forged_changes_nothing(bad, name):
    make, reason = FORGED[name]
    forged = make(bad)
    before, members = bad.held(), bad.listed()
    assert members[0] == members[1] and len(members[0]) == 3
    logs = [len(node.log()) for node in bad.nodes]
    bad.push(forged)
    for node, place in zip(bad.nodes, logs):
        line = next(x for x in node.log()[place:].splitlines() if "a record was refused" in x)
        assert reason in line and bad.key.id[:16] in line, line
    assert bad.held() == before
    assert all(forged not in held for held in bad.held([*KINDS, ANNOUNCEMENT]))
    assert bad.listed() == members
    mesh(bad.nodes)
    assert all(node.own["state"] == "up" for node in bad.nodes)


def test_forged_records_beside_a_valid_one(bad):
    """All in one message: what is valid is taken, so that the refusals are no matter of how we write records."""
    valid = announcement(
        bad.cluster, bad.key.public, bad.key, [(1, "127.0.0.1:1")], name="still-bad")
    bad.push(*(make(bad) for make, _ in FORGED.values()), valid)
    for node in bad.nodes:
        eventually(lambda: "still-bad" in {n["hostname"] for n in node.status()["nodes"]},
                   HEAR_LIMIT)
    assert {n for view in bad.listed() for n in view} == {
        bad.founder.id, bad.member.id, bad.key.id}


def test_what_an_expelled_one_signed_in_secret(nodes, tmp_path):
    """Once a member is expelled nothing counts that it had signed in secret before, whoever brings it."""
    bad = Bad(nodes, tmp_path)
    accomplice, late = Key(), Key()
    # It may let in whom it likes.
    bad.push(admission(bad.cluster, accomplice.public, bad.key.public, bad.key))
    assert all(accomplice.id in view for view in bad.listed())
    secret = [admission(bad.cluster, late.public, bad.key.public, bad.key),
              ending(bad.cluster, bad.member_id, bad.key.public, bad.key)]
    expel(bad)
    # Nobody takes anything from it, but the accomplice is a member still.
    bad.push(*secret, key=accomplice)
    mine = {bad.founder.id, bad.member.id, accomplice.id}
    assert bad.listed() == [mine, mine]
    for node in bad.nodes:
        refused(bad, node, late)
    mesh_stands(bad)


def test_an_expelled_one_at_the_door(nodes, tmp_path):
    """It is told why, and that is all: what it brings ends nobody, not even whoever expelled it."""
    bad = Bad(nodes, tmp_path)
    late, kept = Key(), signed_by_founder(bad)
    expel(bad)
    mine = {bad.founder.id, bad.member.id}
    brought = [
        ending(bad.cluster, bad.founder_id, bad.key.public, bad.key, kept),
        ending(bad.cluster, bad.member_id, bad.key.public, bad.key),
        admission(bad.cluster, late.public, bad.key.public, bad.key)]
    for node in bad.nodes:
        code, answer = Stranger(tmp_path, node, seed=bad.key.seed).ask(inquiry(bad.cluster, brought))
        assert code == ENDED_KEY and "was removed from it" in answer
        # Who was never let in is told nothing at all.
        code, answer = Stranger(tmp_path, node, seed=Key().seed).ask(inquiry(bad.cluster, brought))
        assert code == UNKNOWN_INVITE and answer.endswith("ask for a new one\0")
    assert bad.listed() == [mine, mine]
    mesh_stands(bad)
    refused(bad, bad.founder, late)


def mesh_stands(bad):
    assert all(node.own["state"] == "up" for node in bad.nodes)
    assert all(n["isUp"] for node in bad.nodes for n in node.status()["nodes"]
               if n["hostname"] in ("founder", "member"))


def expel(bad, by=None):
    (by or bad.founder).command("node", "remove", bad.key.id, "--yes")
    for node in bad.nodes:
        eventually(lambda: bad.key.id not in {n["id"] for n in node.status()["nodes"]}, HEAR_LIMIT)
        refused(bad, node)


def refused(bad, node, key=None):
    with pytest.raises((OSError, ssl.SSLError, Reset)):
        bad.to(node, key).close()


@pytest.mark.parametrize("remover, keeps, out", [
    ("founder", True, {"founder"}), ("member", True, set()),
    ("member", False, {"founder", "member"})])
def test_a_secret_ending_of_the_founder(nodes, tmp_path, remover, keeps, out):
    """Against who expelled it, or let that one in, it counts, as if both had done it at once: docs/security.md."""
    bad, accomplice = Bad(nodes, tmp_path), Key()
    bad.push(admission(bad.cluster, accomplice.public, bad.key.public, bad.key))
    kept = signed_by_founder(bad) if keeps else []
    secret = ending(bad.cluster, bad.founder_id, bad.key.public, bad.key, kept)
    expel(bad, getattr(bad, remover))
    # Who has heard it of another may refuse the accomplice, whose admission it voids.
    with contextlib.suppress(OSError, Reset):
        bad.push(secret, key=accomplice)
    eventually(lambda: {n.name for n in bad.nodes if n.own["state"] == "ended"} == out, HEAR_LIMIT)
    if not out:
        mine = {bad.founder.id, bad.member.id, accomplice.id}
        assert bad.listed() == [mine, mine]
        mesh_stands(bad)
    elif "member" not in out:
        eventually(lambda: bad.listed()[1] == {bad.member.id, accomplice.id}, HEAR_LIMIT)


@pytest.mark.parametrize("keeps", [True, False])
def test_a_member_can_expel_the_founder(nodes, tmp_path, keeps):
    """As docs/security.md says: this is not protected yet. Whoever hears it first, all agree."""
    bad = Bad(nodes, tmp_path)
    kept = signed_by_founder(bad) if keeps else []
    with bad.to(bad.founder) as link, contextlib.suppress(Reset):
        link.push(ending(bad.cluster, bad.founder_id, bad.key.public, bad.key, kept))
    eventually(lambda: bad.founder.own["state"] == "ended", HEAR_LIMIT)
    assert bad.founder.client(timeout=5).request("GET", "").status == 503
    bad.founder.restart()
    assert bad.founder.own["state"] == "ended"
    if not keeps:
        # With the founder go all that it let in.
        eventually(lambda: bad.member.own["state"] == "ended", HEAR_LIMIT)
        assert "was removed from the cluster, and its admission with it" in bad.member.attention
        return
    eventually(lambda: bad.listed()[1] == {bad.member.id, bad.key.id}, HEAR_LIMIT)
    # Whom it did not expel can expel it.
    bad.member.command("node", "remove", bad.key.id, "--yes")
    assert bad.listed()[1] == {bad.member.id}


def signed_by_founder(bad):
    """What a careful ending of the founder keeps: else all whom it let in would go with it."""
    return [record_id(r) for r in bad.held()[0] if r[1] == ADMISSION and bad.founder_id in r]
