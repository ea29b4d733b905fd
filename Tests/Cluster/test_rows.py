"""Buckets, keys and small objects on three nodes: any of them may die, and comes back by itself."""

import time

import pytest

from Cluster.nodes import eventually
from Cluster.storing import EXPERIMENTAL, Tenant, document, health, storing, wait_healthy

SMALL = 1024


def body(number):
    return (b"%016d" % number) * (SMALL // 16)


def test_one_dies_and_comes_back_and_another_dies(nodes, figure):
    """The visible end of rows on three nodes."""
    one, two, three = everyone = storing(nodes)
    tenant = Tenant(two)
    for number in range(40):
        assert tenant.put(one, f"first/{number}", body(number)).status == 200
    for number in range(40):
        assert tenant.get(three, f"first/{number}").body == body(number)
    assert tenant.keys(two, "first/") == sorted(f"first/{n}" for n in range(40))

    two.kill()
    for number in range(300):
        node = (one, three)[number % 2]
        assert tenant.put(node, f"second/{number}", body(number)).status == 200
        assert tenant.get((three, one)[number % 2], f"second/{number}").body == body(number)
    for number in range(20):
        assert tenant.delete(three, f"first/{number}").status == 204
    eventually(lambda: health(one) == "degraded", 10)

    began = time.monotonic()
    two.start(**EXPERIMENTAL)
    seen = [(one.seen(two)["state"], health(one))]
    while seen[-1] != ("up", "healthy"):
        assert time.monotonic() - began < 30, seen
        state = (one.seen(two)["state"], health(one))
        seen += [] if state == seen[-1] else [state]
    assert ("catching up", "degraded") in seen, seen
    figure("seconds from a start to healthy, 300 rows behind", round(time.monotonic() - began, 2))

    one.kill()
    for node in (two, three):
        assert tenant.keys(node, "second/") == sorted(f"second/{n}" for n in range(300))
        assert tenant.keys(node, "first/") == sorted(f"first/{n}" for n in range(20, 40))
        for number in range(300):
            assert tenant.get(node, f"second/{number}").body == body(number)
        assert tenant.get(node, "first/3").status == 404
    assert tenant.put(two, "third", b"more").status == 200
    assert tenant.get(three, "third").body == b"more"
    one.start(**EXPERIMENTAL)
    wait_healthy(everyone)
    assert tenant.get(one, "third").body == b"more"


def test_one_of_three_alone_refuses_and_loses_nothing(nodes):
    one, two, three = everyone = storing(nodes)
    tenant = Tenant(one)
    assert tenant.put(one, "key", b"before").status == 200
    two.kill()
    three.kill()
    eventually(lambda: health(one) == "unavailable", 10)
    refused = tenant.put(one, "key", b"after")
    assert refused.status == 503 and refused.code == "ServiceUnavailable"
    assert tenant.get(one, "key").status == 503
    assert one.command("status", "--health", check=False).returncode == 1
    two.start(**EXPERIMENTAL)
    three.start(**EXPERIMENTAL)
    wait_healthy(everyone)
    # What was answered with an error may have taken effect.
    assert tenant.get(two, "key").body in (b"before", b"after")


def test_members_without_a_role_are_gateways(nodes):
    *_, gateway = everyone = storing(nodes, gateways=["gateway"])
    one, two, three = everyone[:3]
    wait_healthy(everyone)
    tenant = Tenant(gateway)
    for number in range(20):
        assert tenant.put(gateway, f"key/{number}", body(number)).status == 200
    assert tenant.keys(gateway) == sorted(f"key/{n}" for n in range(20))
    for node in everyone:
        assert tenant.get(node, "key/7").body == body(7)
    # A right that is taken away on one node is away on another within a gossip round.
    two.command("bucket", "deny", tenant.bucket, "--key", tenant.access_key, "--write")
    eventually(lambda: tenant.put(gateway, "refused", b"x").status == 403, 10)
    # Without holders it says so, and serves again by itself.
    gateway.restart(**EXPERIMENTAL)
    eventually(lambda: tenant.get(gateway, "key/7").status == 200, 20)
    for node in (one, two, three):
        node.kill()
    eventually(lambda: tenant.get(gateway, "key/7").status == 503, 20)
    for node in (one, two, three):
        node.start(**EXPERIMENTAL)
    eventually(lambda: tenant.get(gateway, "key/7").body == body(7), 70)


@pytest.fixture(scope="module")
def together(shared):
    everyone = storing(shared)
    return everyone, Tenant(everyone[0])


def test_what_needs_blocks_is_refused(together):
    (one, *_), tenant = together
    large = tenant.put(one, "large", bytes(100_000))
    assert large.status == 501 and large.code == "NotImplemented" and b"8192 bytes" in large.body
    client = tenant.client(one)
    upload = client.request("POST", tenant.bucket, "large", query=[("uploads", "")])
    assert upload.status == 501 and b"multipart" in upload.body
    assert tenant.get(one, "large").status == 404
    assert tenant.put(one, "fits", bytes(8192)).status == 200


def test_keys_and_buckets_made_on_one_node_are_known_on_all(together):
    (one, two, three), tenant = together
    two.command("bucket", "create", "made-on-two")
    for node in (one, two, three):
        assert node.command("bucket", "info", "made-on-two").returncode == 0
    key = document(three, "key", "create", "made-on-three")
    assert one.command("key", "info", key["accessKeyId"]).returncode == 0
    assert "taken" in one.refused("bucket", "create", "made-on-two")
    one.command("bucket", "delete", "--yes", "made-on-two")
    for node in (one, two, three):
        assert node.command("bucket", "info", "made-on-two", check=False).returncode == 1
    two.command("bucket", "create", "made-on-two")
    assert three.command("bucket", "info", "made-on-two").returncode == 0


def test_a_bucket_with_objects_is_not_deleted_anywhere(together):
    (one, two, three), tenant = together
    one.command("bucket", "create", "full")
    one.command("bucket", "allow", "full", "--key", tenant.access_key, "--read", "--write")
    client = tenant.client(two)
    eventually(lambda: client.request("PUT", "full", "object", body=b"x").status == 200, 5)
    assert "holds objects" in three.refused("bucket", "delete", "--yes", "full")
    assert client.request("GET", "full", "object").body == b"x"
    assert client.request("DELETE", "full", "object").status == 204
    three.command("bucket", "delete", "--yes", "full")
    eventually(lambda: client.request("PUT", "full", "object", body=b"x").status == 404, 5)


def test_a_quota_is_counted_by_all(together):
    (one, two, three), tenant = together
    one.command("bucket", "create", "small")
    one.command("bucket", "allow", "small", "--key", tenant.access_key, "--read", "--write")
    one.command("bucket", "quota", "small", "--max-objects", "3")
    clients = [tenant.client(node) for node in (one, two, three)]
    eventually(lambda: clients[2].request("PUT", "small", "0", body=b"x").status == 200, 5)
    for number in (1, 2):
        assert clients[number].request("PUT", "small", str(number), body=b"x").status == 200
    for client in clients:
        full = client.request("PUT", "small", "4", body=b"x")
        assert full.status == 403 or full.status == 409 or full.code == "QuotaExceeded", full.body
    assert clients[1].request("DELETE", "small", "0").status == 204
    assert clients[0].request("PUT", "small", "4", body=b"x").status == 200
