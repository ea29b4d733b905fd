"""rclone: copies, compares, streams, and mounts a bucket as a file system."""

import shutil

import pytest

from Clients.programs import Rclone, make_bucket
from harness import names

SIZES = [0, 1, 65537, names.MEBIBYTE + 1, 8 * names.MEBIBYTE + 1]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_rclone_copies_and_compares(scheme, endpoints, set_up, tmp_path):
    server = endpoints(scheme)
    rclone = set_up(Rclone, server)
    tree, place = tmp_path / "tree", "grange:rclone-copy"
    make_bucket(server, "rclone-copy")
    expected = names.make_tree(tree, names=names.FILE_NAMES[:20], sizes=SIZES)
    rclone("copy", tree, place)
    rclone("check", "--one-way", tree, place)
    rclone("check", "--download", tree, place)
    listed = rclone("lsf", "--recursive", "--files-only", place).decode().splitlines()
    assert sorted(listed) == sorted(expected)
    rclone("copy", place, tmp_path / "back")
    assert names.hashes(tmp_path / "back") == expected

    # One byte that differs, one file too few: check says so, sync puts it right.
    changed = tree / "sizes" / "65537.bin"
    names.write(changed, bytes([changed.read_bytes()[0] ^ 1]) + changed.read_bytes()[1:])
    (tree / "names" / "plain.txt").unlink()
    for words in (["check"], ["check", "--download"]):
        different = rclone.attempt(*words, tree, place)
        assert different.returncode == 1 and b"2 differences found" in different.stderr
    rclone("sync", "--checksum", tree, place)
    rclone("check", "--download", tree, place)
    rclone("purge", "grange:rclone-copy")
    assert b"rclone-copy" not in rclone("lsf", "grange:")


def test_rclone_copies_and_moves_in_the_server(server, s3, set_up, tmp_path):
    rclone = set_up(Rclone, server)
    tree, place = tmp_path / "tree", "grange:rclone-server-side"
    make_bucket(server, "rclone-server-side")
    names.make_tree(tree / "one", names=names.FILE_NAMES, sizes=SIZES)
    # Without the path that fills a key's 1024 bytes: behind another name it would not fit.
    shutil.rmtree(tree / "one" / "deep")
    rclone("copy", tree, place)
    # Copied in parts above the cutoff.
    cutoff = ["--s3-copy-cutoff", "6M"]
    rclone("copy", *cutoff, f"{place}/one", f"{place}/two")
    rclone("check", "--download", tree / "one", f"{place}/two")
    large = s3.head_object(Bucket="rclone-server-side", Key=f"two/sizes/{SIZES[-1]}.bin")
    assert large["ETag"].endswith('-2"')
    rclone("move", *cutoff, f"{place}/two", f"{place}/three")
    rclone("check", "--download", tree / "one", f"{place}/three")
    rclone("moveto", f"{place}/three/names/plain.txt", f"{place}/other/+ % \u00e9")
    assert rclone("cat", f"{place}/other/+ % \u00e9") == (tree / "one/names/plain.txt").read_bytes()
    rclone("check", "--download", tree / "one", f"{place}/one")
    folders = rclone("lsf", "--dirs-only", place).decode().split()
    assert sorted(folders) == ["one/", "other/", "three/"]
    # A new time of a file is a copy onto itself.
    rclone("touch", "--timestamp", "2001-02-03T04:05:06", f"{place}/one/names/plain.txt")
    assert "2001-02-03" in rclone("lsl", f"{place}/one/names/plain.txt").decode()
    assert rclone("cat", f"{place}/one/names/plain.txt") == (tree / "one/names/plain.txt").read_bytes()
    rclone("purge", place)


def test_rclone_streams_and_removes(server, set_up):
    make_bucket(server, "rclone-commands")
    rclone = set_up(Rclone, server)
    data = names.content(7 * names.MEBIBYTE, "rclone")
    rclone("rcat", "grange:rclone-commands/streamed", data=data)
    assert rclone("cat", "grange:rclone-commands/streamed") == data
    assert rclone("lsf", "grange:rclone-commands").decode() == "streamed\n"
    rclone("deletefile", "grange:rclone-commands/streamed")
    assert rclone("lsf", "grange:rclone-commands") == b""
    rclone("rmdir", "grange:rclone-commands")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_bucket_is_mounted(scheme, endpoints, set_up, mount_place, tmp_path):
    server = endpoints(scheme)
    make_bucket(server, "rclone-mount")
    rclone = set_up(Rclone, server)
    tree = tmp_path / "tree"
    expected = names.make_tree(tree, names=names.FILE_NAMES[:20], sizes=SIZES)
    with rclone.mounted("rclone-mount", mount_place / "first") as place:
        shutil.copytree(tree, place, dirs_exist_ok=True)
        assert names.hashes(place) == expected
        with open(place / "sizes" / "65537.bin", "r+b") as file:
            file.seek(60_000)
            file.write(b"in the middle")
            file.truncate(65_000)
        with open(place / "names" / "plain.txt", "ab") as file:
            file.write(b"at the end")
        (place / "sizes" / "1.bin").unlink()
    for name, change in {
            "sizes/65537.bin": lambda data: (data[:60_000] + b"in the middle" + data[60_013:])[:65_000],
            "names/plain.txt": lambda data: data + b"at the end"}.items():
        (tree / name).write_bytes(change((tree / name).read_bytes()))
    (tree / "sizes" / "1.bin").unlink()
    # Another mount, with nothing in its cache.
    with rclone.mounted("rclone-mount", mount_place / "second") as place:
        assert names.hashes(place) == names.hashes(tree)
    rclone("check", "--download", tree, "grange:rclone-mount")
    rclone("purge", "grange:rclone-mount")


def test_rclone_lists_keys_that_xml_cannot_hold(server, s3, bucket, set_up):
    """With the line of the README: listings come percent-encoded. Else rclone tries each again for 40 s."""
    s3.put_object(Bucket=bucket, Key="a\x01b", Body=b"x")
    s3.put_object(Bucket=bucket, Key="c d+%e", Body=b"x")
    listed = set_up(Rclone, server)("lsf", f"grange:{bucket}").decode()
    assert "c d+%e" in listed.splitlines() and len(listed.splitlines()) == 2
