"""A tree of difficult names and sizes goes to the server and comes back byte for byte.

With each client a person would use, over HTTP and HTTPS, path style and virtual-host style.
"""

import pytest

from Clients.programs import Awscli, Rclone, make_bucket
from harness import names

MATRIX = [
    pytest.param("http", "path", True, id="http-path", marks=pytest.mark.big),
    pytest.param("https", "virtual", True, id="https-virtual", marks=pytest.mark.big),
    pytest.param("http", "virtual", False, id="http-virtual"),
    pytest.param("https", "path", False, id="https-path"),
]


@pytest.mark.parametrize("program", [Awscli, Rclone])
@pytest.mark.parametrize("scheme, style, big", MATRIX)
def test_a_tree_comes_back_unchanged(
        program, scheme, style, big, endpoints, set_up, tmp_path, request):
    if style == "virtual":
        request.getfixturevalue("needs_hosts")
    server = endpoints(scheme)
    bucket = f"sync-{program.__name__.lower()}-{scheme}-{style}"
    make_bucket(server, bucket)
    client = set_up(program, server, style)
    tree, back = tmp_path / "tree", tmp_path / "back"
    expected = names.make_tree(tree, big=big)

    client.up(tree, bucket)
    back.mkdir()
    client.down(bucket, back)
    assert names.hashes(back) == expected

    # A second run finds nothing to do: sizes, times and checksums agree with what was stored.
    assert b"upload:" not in client.up(tree, bucket)
