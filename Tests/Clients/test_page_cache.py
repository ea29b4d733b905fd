"""Large blocks are written past the page cache (docs/decisions/0017), whichever buffer of the server they are written from."""

import ctypes
import mmap
import os

import pytest

from harness.names import MEBIBYTE, content
from harness.server import BUCKET, Server

libc = ctypes.CDLL(None, use_errno=True)

# Stored bytes from which on a block is written so, and what of such a file is no whole page.
PAGED_BYTES_MIN = 256 << 10
TAIL_BYTES = mmap.PAGESIZE


@pytest.fixture
def node(run_folder, request):
    server = Server(run_folder / "page-cache" / request.node.callspec.id).start()
    yield server
    server.kill()


def cached_bytes(path):
    """How much of the file is in the page cache, in whole pages."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        pages = (ctypes.c_ubyte * (-(-len(mapped) // mmap.PAGESIZE)))()
        first = ctypes.c_char.from_buffer(mapped)
        failed = libc.mincore(ctypes.byref(first), ctypes.c_size_t(len(mapped)), pages)
        del first
        assert not failed, os.strerror(ctypes.get_errno())
    return sum(page & 1 for page in pages) * mmap.PAGESIZE


def skip_where_all_is_cached(folder):
    path = folder / "probe"
    with mmap.mmap(-1, mmap.PAGESIZE) as page:
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_DIRECT, 0o600)
            os.write(file, page)
            os.fsync(file)
            os.close(file)
        except OSError as error:
            pytest.skip(f"no direct writing in {folder}: {error}")
    if cached_bytes(path):
        pytest.skip(f"in {folder} the cache keeps what is written directly")
    path.unlink()


@pytest.mark.parametrize("kept", [1.0, 0.6], ids=["plain", "compressed"])
def test_large_blocks_are_not_in_the_page_cache(node, kept):
    skip_where_all_is_cached(node.data[0])
    body = b"".join(
        content(int(kept * MEBIBYTE), number).ljust(MEBIBYTE, b"\0") for number in range(4))
    assert node.client().request("PUT", BUCKET, f"large {kept}", body=body).status == 200
    blocks = [path for path in node.data[0].rglob("*")
              if path.is_file() and path.stat().st_size >= PAGED_BYTES_MIN]
    assert blocks, "nothing large was stored"
    for path in blocks:
        assert cached_bytes(path) <= TAIL_BYTES, path
    # And they are what was sent.
    assert node.client().request("GET", BUCKET, f"large {kept}").body == body
