"""awscli: the commands of `aws s3`, and `aws s3api` for every operation that the server has."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from Clients.programs import Awscli
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


def test_every_operation_has_its_command_here():
    source = (state.ROOT / "Sources" / "S3API" / "S3Operation.swift").read_text()
    operations = re.findall(r'^  case \w+ = "(\w+)"$', source, re.MULTILINE)
    assert len(operations) >= 18
    here = Path(__file__).read_text()
    # GetBucketLocation is get-bucket-location, ListObjectsV2 is list-objects-v2.
    commands = {name: re.sub("(?<=.)(?=[A-Z])", "-", name).lower() for name in operations}
    assert [name for name, command in commands.items() if f'"{command}"' not in here] == []
