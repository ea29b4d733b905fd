"""s3fs: a bucket as a file system, written, read, renamed, cut short, emptied."""

import os
import shutil

import pytest

from Clients.programs import S3fs, make_bucket
from harness import names

# s3fs sends from 20 MB on in parts.
SIZES = [0, 1, 65537, names.MEBIBYTE + 1, 25 * names.MEBIBYTE + 7]


# With nocopyapi s3fs reads and sends again instead of asking for a copy in the server.
@pytest.mark.parametrize("scheme, options", [("http", ()), ("https", ()), ("https", ("nocopyapi",))])
def test_a_bucket_is_a_file_system(scheme, options, endpoints, set_up, mount_place, tmp_path):
    server = endpoints(scheme)
    bucket = f"s3fs-{scheme}-{len(options)}"
    make_bucket(server, bucket)
    s3fs = set_up(S3fs, server)
    tree = tmp_path / "tree"
    # The same is done to a folder of this machine, which says what must come of it.
    names.make_tree(tree, names=names.FILE_NAMES[:20], sizes=SIZES)
    with s3fs.mounted(bucket, mount_place / "first", *options) as place:
        for name in ("names", "sizes"):
            shutil.copytree(tree / name, place / name, copy_function=shutil.copyfile)
        shutil.rmtree(tree / "deep")
        assert names.hashes(place) == names.hashes(tree)
        for folder in (place, tree):
            change(folder)
        assert names.hashes(place) == names.hashes(tree)
    # Another mount, with nothing in its cache.
    with s3fs.mounted(bucket, mount_place / "second", *options) as place:
        assert names.hashes(place) == names.hashes(tree)
        shutil.rmtree(place / "names")
        shutil.rmtree(place / "sizes")
        assert os.listdir(place) == []
    assert server.client().request("DELETE", bucket).status == 204


def change(folder):
    large = folder / "sizes" / f"{SIZES[-1]}.bin"
    with open(large, "r+b") as file:
        file.seek(12 * names.MEBIBYTE)
        file.write(b"in the middle")
    with open(folder / "names" / "plain.txt", "ab") as file:
        file.write(b"at the end")
    # Through an open file: s3fs 1.90 sends zeros, without having read, for a closed one cut short by name.
    with open(folder / "sizes" / "65537.bin", "r+b") as file:
        file.truncate(1000)
    os.truncate(folder / "sizes" / "1.bin", 0)
    (folder / "names" / "with space").rename(folder / "sizes" / "renamed \u00e9")
    # Onto a file that is there already.
    (folder / "names" / "%").replace(folder / "names" / "%25")
    (folder / "sizes" / "0.bin").unlink()
    large.rename(folder / "sizes" / "large, renamed")
    (folder / "names").joinpath("made", "below").mkdir(parents=True)
    (folder / "names" / "made" / "below" / "file").write_bytes(names.content(5000, "below"))
    (folder / "names" / "made").rename(folder / "names" / "moved")
