"""Who stores: three empty nodes decide it together, or the founder's first key decides it alone."""

from Cluster.nodes import eventually, mesh

ALLOWED = {"GRANGE_EXPERIMENTAL_CLUSTER": "1"}
SPREAD_LIMIT = 5


def three(nodes, **variables):
    """A founder without a key or bucket and two members, all connected."""
    founder = nodes.make("one").start(**variables)
    token = founder.token("--uses", "2")
    members = [nodes.make(name).start("--join", token, **variables) for name in ("two", "three")]
    for member in members:
        member.wait_joined()
    everyone = [founder, *members]
    mesh(everyone)

    def announced():
        """all have told what they can store"""
        return all(len(shown(n)["nodesWithoutRole"]) == 3
                   and all(m["capacity"] for m in shown(n)["nodesWithoutRole"]) for n in everyone)
    eventually(announced, SPREAD_LIMIT)
    return everyone


def shown(node):
    return node.command_json("layout", "show")


def test_three_empty_nodes_decide(nodes):
    one, two, three_ = everyone = three(nodes, **ALLOWED)
    assert "There is no layout yet" in one.command("layout", "show").stdout
    assert all(n.status()["layout"] is None for n in everyone)
    ids = {n.name: n.id for n in everyone}
    two.command("layout", "assign", "one", ids["two"][:8], ids["three"], "-c", "5G", "-t", "old,quiet")
    two.command("layout", "assign", "three", "--zone", "attic")
    two.command("layout", "config", "--replication", "3", "--redundancy", "2")
    text = two.command("layout", "show").stdout
    assert "grange layout apply --version 1" in text and "attic" in text and "old,quiet" in text
    # Staged where it was typed, and nowhere else; a restart keeps it.
    assert shown(one)["stagedRoleChanges"] == [] == shown(three_)["stagedRoleChanges"]
    two.restart(**ALLOWED)
    mesh(everyone)
    assert len(shown(two)["stagedRoleChanges"]) == 3
    assert "not the next one" in two.refused("layout", "apply", "--version", "2")
    applied = two.command_json("layout", "apply", "--version", "1")
    assert applied["version"] == 1 and applied["stagedRoleChanges"] == []

    eventually(lambda: all(shown(n) == applied for n in everyone), SPREAD_LIMIT)
    assert {r["id"] for r in applied["roles"]} == set(ids.values())
    assert [r["capacity"] for r in applied["roles"]] == [5 << 30] * 3
    assert all(r["tags"] == ["old", "quiet"] and not r["gateway"] for r in applied["roles"])
    assert {r["hostname"]: r["zone"] for r in applied["roles"]} == {
        "one": "one", "two": "two", "three": "attic"}
    assert applied["parameters"] == {
        "replicationFactor": 3, "zoneRedundancy": {"atLeast": 2}, "consistency": "consistent"}
    for node in everyone:
        versions = node.command_json("layout", "history")
        assert versions["currentVersion"] == 1
        assert [(v["version"], v["status"], v["storageNodes"]) for v in versions["versions"]] == [
            (1, "Current", 3)]
        status = node.command_json("status")
        assert status["layout"] == {"version": 1, "step": "settled", "waitingFor": []}
        assert all(n["role"]["capacity"] == 5 << 30 for n in status["nodes"])
    three_.command("layout", "assign", "one", "--gateway")
    assert "in use yet" in three_.refused("layout", "apply")
    three_.command("layout", "revert", "--yes")

    # A minority may go, and a majority stays.
    assert "no member any more" in two.command("node", "remove", "one", "--yes").stdout
    eventually(lambda: one.own["state"] == "ended", SPREAD_LIMIT)
    assert "no majority" in two.refused("node", "remove", "three", "--yes")
    assert "no majority" in three_.refused("leave", "--yes")


def test_without_the_variable(nodes):
    one, two, _ = three(nodes)
    for node in (one, two):
        line = node.refused("layout", "assign", "two")
        assert "GRANGE_EXPERIMENTAL_CLUSTER=1" in line and "multipart" in line, line
    assert shown(one)["stagedRoleChanges"] == []
    # The founder's own role needs nothing.
    two.command("layout", "assign", "one", "-z", "attic")
    two.command("layout", "apply")
    eventually(lambda: shown(one)["version"] == 1, SPREAD_LIMIT)
    assert [r["zone"] for r in shown(one)["roles"]] == ["attic"]


def test_a_key_decides_alone(nodes):
    one, two, three_ = three(nodes, **ALLOWED)
    two.command("layout", "assign", "one", "two", "three")
    one.command("key", "create", "k")
    eventually(lambda: shown(two)["version"] == 1, SPREAD_LIMIT)
    assert [r["hostname"] for r in shown(two)["roles"]] == ["one"]
    assert "in use yet" in two.refused("layout", "apply")
    assert "It cannot be applied" in two.command("layout", "show").stdout
    # A member without a role serves what the founder holds.
    eventually(lambda: two.command("key", "create", "l", check=False).returncode == 0, 10)
    assert "others hold copies" in one.refused("leave", "--yes")
    assert "others hold copies" in three_.refused("node", "remove", "one", "--yes")


def test_the_founder_is_away(nodes):
    one, two, _ = everyone = three(nodes, **ALLOWED)
    two.command("layout", "assign", "one", "two")
    one.stop()
    eventually(lambda: "one" not in two.sees(), 15)
    line = two.refused("layout", "apply")
    assert "one (" in line and "decides the first layout" in line and "no connection" in line, line
    one.start(**ALLOWED)
    mesh(everyone)
    two.command("layout", "apply")
    assert shown(two)["version"] == 1
