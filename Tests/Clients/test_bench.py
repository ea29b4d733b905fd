"""grange-bench measures what it says: each operation without an error, and what is wrong is noticed."""

import contextlib
import json
import os
import subprocess
from dataclasses import replace

import pytest

from harness.generators import Load, grange_bench, ours
from harness.server import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, ForeignServer, Server

OBJECTS = 200


@pytest.fixture(scope="module")
def node(run_folder, server):
    """A node of its own, as a run leaves thousands of objects; filled."""
    if isinstance(server, ForeignServer):
        pytest.skip("the foreign server's process is not ours to measure")
    node = Server(run_folder / "bench").start()
    try:
        filled = ours(node, Load("fill", concurrency=8, objects=OBJECTS, per_folder=10))
        assert filled["ops"] == OBJECTS
        yield node
    finally:
        node.stop()


@pytest.mark.parametrize("operation", ["get", "head", "put", "delete", "mixed"])
def test_every_operation_at_once(node, operation):
    writes = operation in ("put", "delete")
    load = Load(operation, seconds=0.3, concurrency=8, objects=OBJECTS, per_folder=10, page=100,
                prefix="gone/" if writes else "bench/")
    if operation == "delete":
        ours(node, Load("fill", concurrency=8, objects=OBJECTS, per_folder=10, prefix="gone/"))
    result = ours(node, load)
    assert result["ops"] > 0
    assert result["server_cpu_us_per_op"] > 0
    assert result["client_cpu_us_per_op"] > 0


@pytest.mark.parametrize("delimiter, page, pages, entries", [
    ("", 30, 7, OBJECTS),
    ("/", 8, 3, OBJECTS // 10),
])
def test_pages_go_on_where_the_last_one_ended(node, delimiter, page, pages, entries):
    fill = Load("fill", concurrency=8, objects=OBJECTS, per_folder=10, prefix="pages/")
    ours(node, fill)
    load = replace(fill, operation="list", concurrency=1, page=page, delimiter=delimiter,
                   ours_only=["--operations", pages, "--compare-all"])
    result = ours(node, load)
    assert result["entries"] == entries


def test_large_bodies_both_ways(node):
    load = Load("fill", size=3 << 20, concurrency=3, objects=4, prefix="large/")
    assert ours(node, load)["bytes"] == 4 * load.size
    read = ours(node, replace(load, operation="verify"))
    assert read["bytes"] == 4 * load.size
    assert ours(node, replace(load, operation="get", seconds=0.3))["mb_s"] > 0


def test_other_bytes_than_were_stored_are_an_error(node):
    load = Load("fill", objects=3, prefix="wrong/")
    ours(node, load)
    with contextlib.closing(node.client()) as client:
        assert client.request("PUT", BUCKET, "wrong/00000001", body=b"x" * 1024).status == 200
    errors, first = errors_of(node, "verify", "--prefix", "wrong/", "--objects", 3)
    assert errors == 1
    assert "other bytes" in first


def test_a_refusal_is_an_error(node):
    errors, first = errors_of(node, "get", "--prefix", "nothing/", "--operations", 5)
    assert errors == 5
    assert "404" in first and "NoSuchKey" in first


def errors_of(node, operation, *more):
    words = [grange_bench(), operation, "--json", "--seconds", 0.3, "--bucket", BUCKET,
             "--endpoint", f"127.0.0.1:{node.port}", "--region", REGION, "--access", ACCESS_KEY, *more]
    done = subprocess.run(
        list(map(str, words)), capture_output=True, text=True, timeout=60,
        env={**os.environ, "GRANGE_BENCH_SECRET": SECRET_KEY})
    assert done.returncode == 1
    result = json.loads(done.stdout)
    return result["errors"], result["first_error"]
