"""Somebody in the middle: he learns nothing, and nothing that he passes on or repeats is worth anything."""

import contextlib
import os
import time

import pytest

from Cluster.keys import Key, admission, record_id
from Cluster.middle import ENDS_TLS, PASSES, REPLAYS, Exporting, Middle
from Cluster.nodes import eventually, mesh
from Cluster.stranger import Recorder, Stranger, everything, framed, join_request
from Cluster.tokens import Token, varint

WRONG_PROOF = 5
# Both sides dial; each has tried again several times by then.
TRIES_MIN = 3
# The pause between tries has grown meanwhile.
BACK_LIMIT = 20
CUT_OFF_LIMIT = 11.5


@pytest.fixture(scope="module")
def gone(shared, founder):
    """A member that does not run: its key is what somebody in the middle may have."""
    node = shared.make("gone").start("--join", founder.token())
    node.wait_joined()
    node.stop()
    return node


def thief(folder, node, key=None, source="127.0.0.1"):
    folder.mkdir()
    return Stranger(folder, node, source=source, seed=(key or Key()).seed)


@pytest.mark.parametrize("whose", ["his own", "a member's"])
def test_a_joiner_says_nothing_to_who_ends_its_tls(nodes, founder, gone, tmp_path, whose):
    key = Key.of(gone) if whose == "a member's" else Key()
    said = len(founder.log())
    with Middle(thief(tmp_path / "thief", founder, key), ENDS_TLS).before(founder) as middle:
        token = Token(founder.token()).naming(founder.id, middle.address)
        joiner = nodes.make("joiner").start("--join", token.text)
        joiner.waits("not joined yet", f"{middle.address}: somebody else answers there")
        assert joiner.own["state"] == "joining"
        assert middle.tries and not middle.secured and not middle.heard
        assert joiner.id not in {n["id"] for n in founder.status()["nodes"]}
        # Not even a question that was refused.
        assert "admitted" not in founder.log()[said:]
        # He was in the way, and nothing else was wrong.
        middle.turn(PASSES)
        joiner.wait_joined()
    founder.command("node", "remove", joiner.id, "--yes")


@pytest.mark.parametrize("whose", ["his own", "a member's"])
def test_members_say_nothing_to_who_ends_their_tls(nodes, tmp_path, figure, whose):
    """All ways from one to the other lead through the middle, in both directions."""
    with Middle() as to_founder, Middle() as to_member:
        middles = [to_founder, to_member]
        founder = nodes.make("founder", public=to_founder.address).start("--quickstart")
        to_founder.before(founder)
        token = founder.token("--uses", "2")
        member = nodes.make("member", public=to_member.address)
        to_member.before(member.start("--join", token))
        third = nodes.make("third").start("--join", token)
        mesh([founder, member, third])
        key = Key.of(third) if whose == "a member's" else Key()
        third.stop()
        for middle in middles:
            middle.thief = thief(tmp_path / str(middle.port), founder, key)
            middle.turn(ENDS_TLS)
        apart = ({"founder"}, {"member"})
        eventually(lambda: (founder.sees(), member.sees()) == apart, 5)

        def tried():
            """each was tried again and again, in vain"""
            assert (founder.sees(), member.sees()) == apart
            return all(middle.tries >= TRIES_MIN for middle in middles)
        eventually(tried, BACK_LIMIT)
        for middle in middles:
            assert not middle.secured and not middle.heard
        assert "no connection to member" in founder.attention
        assert "the peer's key is not the one expected" in founder.attention

        for middle in middles:
            middle.turn(PASSES)
        figure("seconds from the middle's end to a connection",
               round(mesh([founder, member], BACK_LIMIT), 1))


def test_a_recorded_join_is_worth_nothing(nodes, founder, tmp_path):
    """Neither to a member, which is told all that the joiner said, nor to a joiner, told what the member answered."""
    with Middle().before(founder) as middle:
        invite = founder.command_json("invite", "--uses", "3")
        token = Token(invite["token"]).naming(founder.id, middle.address)
        first = nodes.make("first").start("--join", token.text)
        first.wait_joined()
        join = next(r for r in middle.recorded if r["answered"])
        assert len(join["asked"]) > 500 and len(join["answered"]) > 1000
        before = {n["id"] for n in founder.status()["nodes"]}
        greeting = 5 + int.from_bytes(join["asked"][3:5], "big")
        for pieces in ([join["asked"]], [join["asked"][:greeting], join["asked"][greeting:]]):
            began = time.monotonic()
            link = thief(tmp_path / str(len(pieces)), founder, source="127.0.0.65").plain()
            with link, contextlib.suppress(OSError):
                for piece in pieces:
                    link.sendall(piece)
                    time.sleep(0.3)
                answer = everything(link)
                # The handshake, which only who has the keys can go on with.
                assert len(answer) < len(join["answered"])
            assert time.monotonic() - began < CUT_OFF_LIMIT
        assert {n["id"] for n in founder.status()["nodes"]} == before
        used = {i["id"]: i["used"] for i in founder.command_json("invites")}
        assert used[invite["id"]] == 1

        middle.replay = join["answered"]
        middle.turn(REPLAYS)
        second = nodes.make("second").start("--join", token.text)
        second.waits("not joined yet", middle.address)
        assert second.own["state"] == "joining" and middle.tries
        middle.turn(PASSES)
        second.wait_joined()


def test_a_proof_does_not_carry_over(nodes, founder, tmp_path):
    """Somebody has an invite of his own, and a joiner who asks him. He gets himself in, and nobody else."""
    own, theirs = Token(founder.token("--uses", "9")), Token(founder.token())
    key = Key()
    him = thief(tmp_path / "thief", founder, key, source="127.0.0.66")
    with Recorder(him) as recorder:
        forged = Token(theirs.text).naming(key.id, f"127.0.0.1:{recorder.port}")
        joiner = nodes.make("joiner").start("--join", forged.text)
        question = recorder.question()
    joiner_id = bytes.fromhex(joiner.id)

    def proof(exported, joiner):
        return Key.of_invite(own.secret).sign(
            b"grange join proof\0" + exported + own.invite + joiner)

    def asked(make):
        with Exporting(him) as session:
            return session.ask(make(session.exported))

    # As it came, and under his own invite.
    assert asked(lambda _: question) == WRONG_PROOF
    assert asked(lambda _: question[:37] + own.invite + question[53:]) == WRONG_PROOF
    # His own proofs: for the joiner; of another session; for another invite.
    assert asked(lambda e: join_request(own, proof(e, joiner_id))) == WRONG_PROOF
    assert asked(lambda _: join_request(own, proof(os.urandom(32), key.public))) == WRONG_PROOF
    with Exporting(him) as other:
        assert asked(
            lambda _: join_request(own, proof(other.exported, key.public))) == WRONG_PROOF
    assert asked(lambda e: join_request(theirs, proof(e, key.public))) == WRONG_PROOF
    ids = {n["id"] for n in founder.status()["nodes"]}
    assert not ids & {joiner.id, key.id}
    # Only what he could do anyway.
    assert asked(lambda e: join_request(own, proof(e, key.public))) == 0
    assert {n["id"] for n in founder.status()["nodes"]} == ids | {key.id}
    founder.command("node", "remove", key.id, "--yes")


def test_a_member_that_lets_in_to_a_cluster_of_its_own(nodes, founder, tmp_path):
    """The token says which cluster: a peer that it names cannot take the new node elsewhere."""
    key, token, other = Key(), Token(founder.token()), os.urandom(32)
    with Recorder(thief(tmp_path / "bad", founder, key)) as recorder:
        address = f"127.0.0.1:{recorder.port}"
        joiner = nodes.make("joiner").start("--join", Token(token.text).naming(key.id, address).text)
        for cluster in (other, token.cluster):
            recorder.question(framed(welcome(cluster, key, bytes.fromhex(joiner.id))))
            if cluster == other:
                joiner.waits("not joined yet", f"{address}: it lets in to another cluster")
                assert joiner.own["state"] == "joining"
    # Not because the answer was none.
    joiner.wait_joined()


def welcome(cluster, founder, joiner):
    """The answer that makes `joiner` a member of a cluster of which we are the founder."""
    records = sorted((admission(cluster, subject, founder.public, founder)
                      for subject in (founder.public, joiner)), key=record_id)
    state = b"\x01" + cluster + founder.public + varint(len(records))
    state += b"".join(varint(len(r)) + r for r in records)
    return b"\x01\x01" + cluster + os.urandom(32) + founder.public + varint(len(state)) + state
