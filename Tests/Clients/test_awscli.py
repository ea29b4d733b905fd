"""awscli: the commands of `aws s3`, and `aws s3api` for every operation that the server has."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from Clients.programs import Awscli, make_bucket
from harness import names, state
from harness.names import MEBIBYTE
from harness.server import BUCKET, REGION


def test_files_are_copied_listed_and_removed(server, set_up, tmp_path):
    program = set_up(Awscli, server)

    def aws(*words):
        return program("s3", *words).decode()

    data = names.content(3 * MEBIBYTE, "awscli")
    (tmp_path / "file").write_bytes(data)
    assert "make_bucket" in aws("mb", "s3://awscli-commands")
    aws("cp", tmp_path / "file", "s3://awscli-commands/folder/a file")
    assert "folder/a file" in aws("ls", "--recursive", "s3://awscli-commands")
    assert "PRE folder/" in aws("ls", "s3://awscli-commands/")
    assert "awscli-commands" in aws("ls")
    aws("cp", "s3://awscli-commands/folder/a file", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data
    aws("rm", "--recursive", "s3://awscli-commands")
    assert aws("ls", "--recursive", "s3://awscli-commands") == ""
    assert "remove_bucket" in aws("rb", "s3://awscli-commands")


def test_files_are_copied_and_moved_in_the_server(server, set_up, tmp_path):
    program = set_up(Awscli, server)
    make_bucket(server, "awscli-copies")
    place = "s3://awscli-copies"
    # Above 8 MiB awscli copies in parts.
    for name, size in (("small", 1000), ("large + \u00e9", 18 * MEBIBYTE + 1)):
        data = names.content(size, f"copy {name}")
        (tmp_path / "file").write_bytes(data)
        program("s3", "cp", tmp_path / "file", f"{place}/{name}", "--content-type", "text/x-test")
        program("s3", "cp", f"{place}/{name}", f"{place}/copy of/{name}")
        program("s3", "mv", f"{place}/copy of/{name}", f"{place}/moved/{name}")
        program("s3", "cp", f"{place}/moved/{name}", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == data
    program("s3", "sync", place, f"{place}/again", "--exclude", "again/*")
    program("s3", "sync", f"{place}/again", tmp_path / "all")
    assert names.hashes(tmp_path / "all") == {
        f"{folder}{name}": names.digest(tmp_path / "all" / name)
        for folder in ("", "moved/") for name in ("small", "large + \u00e9")}
    listed = program("s3", "ls", "--recursive", place).decode()
    assert len(listed.splitlines()) == 8 and "copy of" not in listed
    program("s3", "rb", "--force", place)


@pytest.fixture
def s3api(set_up, endpoints):
    """s3api("put-object", "--bucket", ...): what the command answers, decoded."""
    def over(scheme):
        program = set_up(Awscli, endpoints(scheme))

        def run(command, *words):
            text = program("s3api", command, "--output", "json", *words)
            return json.loads(text) if text.strip() else {}

        run.attempt = lambda *words: program.attempt("s3api", *words)
        return run
    return over


def test_buckets(s3api):
    api = s3api("http")
    place = ["--bucket", "awscli-buckets"]
    api("create-bucket", *place)
    api("head-bucket", *place)
    assert {BUCKET, "awscli-buckets"} <= {entry["Name"] for entry in api("list-buckets")["Buckets"]}
    assert api("get-bucket-location", *place)["LocationConstraint"] == REGION
    api("delete-bucket", *place)
    done = api.attempt("head-bucket", *place)
    assert done.returncode != 0 and b"(404)" in done.stderr


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_object(scheme, s3api, tmp_path):
    api = s3api(scheme)
    api("create-bucket", "--bucket", "awscli-object")
    key = ["--bucket", "awscli-object", "--key", "a key + \u00e9 %"]
    data = names.content(100_000, "s3api")
    (tmp_path / "file").write_bytes(data)
    etag = f'"{hashlib.md5(data).hexdigest()}"'
    put = api("put-object", *key, "--body", tmp_path / "file", "--content-type", "text/x-test",
              "--metadata", "one=1,two=2", "--cache-control", "no-cache")
    assert put["ETag"] == etag
    expected = {
        "ETag": etag, "ContentLength": len(data), "ContentType": "text/x-test",
        "Metadata": {"one": "1", "two": "2"}, "CacheControl": "no-cache"}
    head = api("head-object", *key)
    assert {name: head[name] for name in expected} == expected
    got = api("get-object", *key, tmp_path / "back")
    assert {name: got[name] for name in expected} == expected
    assert (tmp_path / "back").read_bytes() == data
    part = api("get-object", *key, "--range", "bytes=10-19", tmp_path / "back")
    assert (part["ContentLength"], part["ContentRange"]) == (10, f"bytes 10-19/{len(data)}")
    assert (tmp_path / "back").read_bytes() == data[10:20]
    api("delete-object", *key)
    assert b"(404)" in api.attempt("head-object", *key).stderr
    api("delete-bucket", "--bucket", "awscli-object")


def test_listings_and_deletion_of_many(s3api, s3, bucket):
    api, place = s3api("http"), ["--bucket", bucket]
    keys = ["a/1", "a/2", "b", "c\u00e9 <&>"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for command in ("list-objects", "list-objects-v2"):
        listed = api(command, *place)["Contents"]
        assert [(entry["Key"], entry["Size"]) for entry in listed] == [
            (key, len(key.encode())) for key in keys]
        folded = api(command, *place, "--delimiter", "/", "--page-size", "1")
        assert [entry["Prefix"] for entry in folded["CommonPrefixes"]] == ["a/"]
        assert [entry["Key"] for entry in folded["Contents"]] == keys[2:]
    objects = json.dumps({"Objects": [{"Key": key} for key in keys[1:]]})
    deleted = api("delete-objects", *place, "--delete", objects)["Deleted"]
    assert sorted(entry["Key"] for entry in deleted) == sorted(keys[1:])
    assert [entry["Key"] for entry in api("list-objects-v2", *place)["Contents"]] == keys[:1]


def test_an_upload_in_parts(s3api, bucket, tmp_path):
    api, place = s3api("http"), ["--bucket", bucket]
    key = [*place, "--key", "in parts"]
    upload = api("create-multipart-upload", *key, "--metadata", "a=b")["UploadId"]
    parts, whole = [], b""
    for number, size in enumerate((5 * MEBIBYTE, 77), 1):
        data = names.content(size, number)
        (tmp_path / "part").write_bytes(data)
        sent = api("upload-part", *key, "--upload-id", upload, "--part-number", str(number),
                   "--body", tmp_path / "part")
        parts.append({"PartNumber": number, "ETag": sent["ETag"]})
        whole += data
    listed = api("list-parts", *key, "--upload-id", upload)["Parts"]
    assert [{name: part[name] for name in ("PartNumber", "ETag")} for part in listed] == parts
    assert [entry["UploadId"] for entry in api("list-multipart-uploads", *place)["Uploads"]] == [upload]
    api("complete-multipart-upload", *key, "--upload-id", upload,
        "--multipart-upload", json.dumps({"Parts": parts}))
    assert api("get-object", *key, tmp_path / "back")["Metadata"] == {"a": "b"}
    assert (tmp_path / "back").read_bytes() == whole

    upload = api("create-multipart-upload", *key)["UploadId"]
    api("abort-multipart-upload", *key, "--upload-id", upload)
    assert "Uploads" not in api("list-multipart-uploads", *place)


def test_copies(s3api, s3, bucket, tmp_path):
    api = s3api("http")
    data = names.content(6 * MEBIBYTE, "source")
    s3.put_object(Bucket=bucket, Key="a source", Body=data, Metadata={"a": "1"})
    source = ["--copy-source", f"{bucket}/a source"]
    key = ["--bucket", bucket, "--key", "copy"]
    copied = api("copy-object", *key, *source)["CopyObjectResult"]
    assert copied["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    assert api("get-object", *key, tmp_path / "back")["Metadata"] == {"a": "1"}
    assert (tmp_path / "back").read_bytes() == data
    api("copy-object", *key, *source, "--metadata-directive", "REPLACE", "--metadata", "b=2")
    assert api("head-object", *key)["Metadata"] == {"b": "2"}

    upload = ["--upload-id", api("create-multipart-upload", *key)["UploadId"]]
    parts = []
    for number, words in enumerate(([], ["--copy-source-range", "bytes=100-299"]), 1):
        part = api("upload-part-copy", *key, *upload, *source, "--part-number", str(number), *words)
        parts.append({"PartNumber": number, "ETag": part["CopyPartResult"]["ETag"]})
    api("complete-multipart-upload", *key, *upload, "--multipart-upload", json.dumps({"Parts": parts}))
    api("get-object", *key, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data + data[100:300]


def test_what_is_told_of_a_bucket_and_an_object(s3api, s3, bucket):
    api, place, key = s3api("http"), ["--bucket", bucket], ["--bucket", bucket, "--key", "object"]
    s3.put_object(Bucket=bucket, Key="object", Body=b"hello")
    etag = hashlib.md5(b"hello").hexdigest()
    assert "Status" not in api("get-bucket-versioning", *place)
    for acl in (api("get-bucket-acl", *place), api("get-object-acl", *key)):
        assert [grant["Permission"] for grant in acl["Grants"]] == ["FULL_CONTROL"]
        assert acl["Grants"][0]["Grantee"]["ID"] == acl["Owner"]["ID"]
    told = api("get-object-attributes", *key, "--object-attributes", "ETag", "ObjectSize", "Checksum")
    assert (told["ETag"], told["ObjectSize"]) == (etag, 5)
    assert told["Checksum"]["ChecksumCRC32"] == "NhCmhg=="
    assert api("get-object-tagging", *key)["TagSet"] == []
    assert api("delete-object-tagging", *key) == {}
    (version,) = api("list-object-versions", *place)["Versions"]
    assert [version[name] for name in ("Key", "VersionId", "IsLatest", "ETag", "Size")] == [
        "object", "null", True, f'"{etag}"', 5]


def test_every_operation_has_its_command_here():
    source = (state.ROOT / "Sources" / "S3API" / "Requests" / "S3Operation.swift").read_text()
    cases = re.findall(r'^  case (\w+) = "(\w+)"$', source, re.MULTILINE)
    # What was never set is asked for, action by action, in test_actions.py.
    unset = (state.ROOT / "Sources" / "S3API" / "Buckets" / "UnsetConfiguration.swift").read_text()
    operations = [name for case, name in cases if not re.search(rf"\.{case}\b", unset)]
    assert len(operations) >= 18
    here = Path(__file__).read_text()
    # GetBucketLocation is get-bucket-location, ListObjectsV2 is list-objects-v2.
    commands = {name: re.sub("(?<=.)(?=[A-Z])", "-", name).lower() for name in operations}
    assert [name for name, command in commands.items() if f'"{command}"' not in here] == []
