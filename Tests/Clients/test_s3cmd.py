"""s3cmd: single files, whole trees, uploads in parts."""

import subprocess

import pytest

from Clients.programs import S3cmd
from harness import names


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_files_go_and_come_back(scheme, endpoints, set_up, tmp_path):
    s3cmd = set_up(S3cmd, endpoints(scheme))
    bucket = f"s3://s3cmd-{scheme}"
    assert b"created" in s3cmd("mb", bucket)
    assert bucket.encode() in s3cmd("ls")
    for name, size in (("small", 1000), ("a large + \u00e9 %", 17 * names.MEBIBYTE + 5)):
        place = f"{bucket}/folder/{name}"
        data = names.content(size, f"s3cmd {name}")
        (tmp_path / name).write_bytes(data)
        s3cmd("put", "--multipart-chunk-size-mb=5", tmp_path / name, place)
        s3cmd("get", place, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == data
        (tmp_path / "back").unlink()
        # s3cmd writes the digest of the whole into the metadata.
        info = s3cmd("info", place).decode()
        assert f"File size: {size}" in info
        assert f"MD5 sum:   {names.digest(tmp_path / name, 'md5')}" in info
        assert place in s3cmd("ls", f"{bucket}/folder/").decode()
    for words in (["ls", bucket], ["la"]):
        assert f"DIR  {bucket}/folder/" in s3cmd(*words).decode()
    assert len(s3cmd("ls", f"{bucket}/folder/").splitlines()) == 2
    # Nothing is left of the upload in parts.
    assert b"s3cmd" not in s3cmd("multipart", bucket).splitlines()[-1]
    assert b"Location:" in s3cmd("info", bucket)
    s3cmd("del", f"{bucket}/folder/small")
    assert len(s3cmd("ls", f"{bucket}/folder/").splitlines()) == 1
    assert s3cmd.attempt("rb", bucket).returncode != 0
    s3cmd("del", "--recursive", "--force", bucket)
    s3cmd("rb", bucket)
    assert bucket.encode() not in s3cmd("ls")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_tree_is_synchronised(scheme, endpoints, set_up, tmp_path):
    s3cmd = set_up(S3cmd, endpoints(scheme))
    bucket = f"s3://s3cmd-sync-{scheme}"
    tree, back = tmp_path / "tree", tmp_path / "back"
    expected = names.make_tree(tree, sizes=names.SIZES[:-4])
    s3cmd("mb", bucket)
    s3cmd("sync", f"{tree}/", f"{bucket}/")
    back.mkdir()
    s3cmd("sync", f"{bucket}/", f"{back}/")
    assert names.hashes(back) == expected
    assert b"upload:" not in s3cmd("sync", f"{tree}/", f"{bucket}/")

    (tree / "names" / "plain.txt").unlink()
    names.write(tree / "sizes" / "1.bin", b"changed")
    sent = s3cmd("sync", "--delete-removed", f"{tree}/", f"{bucket}/").decode()
    assert sent.count("upload:") == 1 and sent.count("delete:") == 1
    s3cmd("sync", "--delete-removed", f"{bucket}/", f"{back}/")
    assert names.hashes(back) == names.hashes(tree)
    s3cmd("rb", "--recursive", "--force", bucket)


def test_files_are_copied_and_moved_in_the_server(server, s3, set_up, tmp_path):
    s3cmd = set_up(S3cmd, server)
    bucket = "s3://s3cmd-copies"
    s3cmd("mb", bucket)
    # What is above the size of a part is copied in parts.
    for name, size in (("small", 1000), ("a large + \u00e9 %", 17 * names.MEBIBYTE + 5)):
        data = names.content(size, f"s3cmd copy {name}")
        (tmp_path / name).write_bytes(data)
        s3cmd("put", tmp_path / name, f"{bucket}/{name}")
        s3cmd("cp", f"{bucket}/{name}", f"{bucket}/folder/{name}")
        s3cmd("mv", f"{bucket}/folder/{name}", f"{bucket}/moved/{name}")
        for place in (f"{bucket}/{name}", f"{bucket}/moved/{name}"):
            s3cmd("get", "--force", place, tmp_path / "back")
            assert (tmp_path / "back").read_bytes() == data
        s3cmd("modify", "--add-header=x-amz-meta-color:blue", "--mime-type=text/x-test",
              f"{bucket}/moved/{name}")
        etag = s3.head_object(Bucket="s3cmd-copies", Key=f"moved/{name}")["ETag"]
        assert etag.endswith('-4"') == (name != "small")
        info = s3cmd("info", f"{bucket}/moved/{name}").decode()
        assert "blue" in info and "text/x-test" in info
    assert b"folder" not in s3cmd("la", "--recursive")
    s3cmd("rb", "--recursive", "--force", bucket)


def test_a_link_that_s3cmd_signs_is_refused_with_the_reason(server, set_up):
    """s3cmd signs links with version 2 only, which AWS regions opened since 2014 refuse as well."""
    s3cmd = set_up(S3cmd, server)
    link = s3cmd("signurl", "s3://first/object", "+60").decode().strip()
    done = subprocess.run(
        ["curl", "--silent", "--include", "--max-time", "10", link], capture_output=True, check=True)
    assert done.stdout.startswith(b"HTTP/1.1 400") and b"<Code>InvalidRequest</Code>" in done.stdout
    assert b"AWS4-HMAC-SHA256" in done.stdout
