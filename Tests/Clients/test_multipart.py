"""Multipart uploads: put together in order, replaced by part, refused when wrong, gone when aborted."""

import hashlib
import threading

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from Clients.test_objects import code_of, status_of
from harness import names
from harness.names import MEBIBYTE

PART = 5 * MEBIBYTE


def upload_parts(s3, bucket, key, upload, sizes, seed="multipart"):
    """Uploads a part of each size; returns (list for completion, the whole bytes)."""
    parts, whole = [], b""
    for number, size in enumerate(sizes, 1):
        data = names.content(size, f"{seed} {number}")
        etag = s3.upload_part(
            Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=data)["ETag"]
        assert etag == '"' + hashlib.md5(data).hexdigest() + '"'
        parts.append({"PartNumber": number, "ETag": etag})
        whole += data
    return parts, whole


def etag_of(parts):
    digests = b"".join(bytes.fromhex(part["ETag"].strip('"')) for part in parts)
    return f'"{hashlib.md5(digests).hexdigest()}-{len(parts)}"'


@pytest.mark.parametrize(
    "sizes", [[1], [PART], [PART, 1], [PART, PART + 12345, PART, 777], [0]], ids=str)
def test_parts_become_one_object(s3, bucket, sizes):
    created = s3.create_multipart_upload(
        Bucket=bucket, Key="object", ContentType="text/plain", Metadata={"a": "b"})
    upload = created["UploadId"]
    parts, whole = upload_parts(s3, bucket, "object", upload, sizes)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    done = s3.complete_multipart_upload(
        Bucket=bucket, Key="object", UploadId=upload, MultipartUpload={"Parts": parts})
    assert done["ETag"] == etag_of(parts)
    got = s3.get_object(Bucket=bucket, Key="object")
    assert got["Body"].read() == whole
    assert (got["ETag"], got["ContentType"], got["Metadata"]) == (
        etag_of(parts), "text/plain", {"a": "b"})
    for first, last in [(0, 0), (PART - 1, PART), (PART, 2 * PART), (len(whole) - 1, len(whole))]:
        if first < len(whole):
            ranged = s3.get_object(Bucket=bucket, Key="object", Range=f"bytes={first}-{last}")
            assert ranged["Body"].read() == whole[first:last + 1]


def test_a_part_sent_again_replaces_the_first(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="object")["UploadId"]
    upload_parts(s3, bucket, "object", upload, [PART, 100], seed="first")
    parts, whole = upload_parts(s3, bucket, "object", upload, [PART + 1, 200], seed="second")
    s3.complete_multipart_upload(
        Bucket=bucket, Key="object", UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key="object")["Body"].read() == whole


def test_a_part_that_is_not_named_is_left_out(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="object")["UploadId"]
    parts, _ = upload_parts(s3, bucket, "object", upload, [PART, PART, 9])
    s3.complete_multipart_upload(
        Bucket=bucket, Key="object", UploadId=upload,
        MultipartUpload={"Parts": [parts[0], parts[2]]})
    assert s3.head_object(Bucket=bucket, Key="object")["ContentLength"] == PART + 9


def test_part_numbers_go_to_ten_thousand(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="object")["UploadId"]
    for number in (10_001, 0):
        with pytest.raises(ClientError) as error:
            s3.upload_part(
                Bucket=bucket, Key="object", UploadId=upload, PartNumber=number, Body=b"x")
        assert (status_of(error), code_of(error)) == (400, "InvalidArgument")
    etag = s3.upload_part(
        Bucket=bucket, Key="object", UploadId=upload, PartNumber=10_000, Body=b"x")["ETag"]
    s3.complete_multipart_upload(
        Bucket=bucket, Key="object", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 10_000, "ETag": etag}]})
    assert s3.get_object(Bucket=bucket, Key="object")["Body"].read() == b"x"


def test_a_wrong_completion_changes_nothing(s3, bucket):
    s3.put_object(Bucket=bucket, Key="object", Body=b"before")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="object")["UploadId"]
    parts, whole = upload_parts(s3, bucket, "object", upload, [PART, 10, 20])
    wrong_etag = {"PartNumber": 1, "ETag": '"' + "0" * 32 + '"'}
    missing = {"PartNumber": 7, "ETag": parts[0]["ETag"]}
    cases = [
        ([wrong_etag], "InvalidPart"), ([missing], "InvalidPart"),
        ([parts[1], parts[0]], "InvalidPartOrder"), ([parts[0], parts[0]], "InvalidPartOrder"),
        (parts, "EntityTooSmall"),
    ]
    for named, code in cases:
        with pytest.raises(ClientError) as error:
            s3.complete_multipart_upload(
                Bucket=bucket, Key="object", UploadId=upload, MultipartUpload={"Parts": named})
        assert (status_of(error), code_of(error)) == (400, code), named
        assert s3.get_object(Bucket=bucket, Key="object")["Body"].read() == b"before"
    # The upload is still whole: a right completion works afterwards.
    s3.complete_multipart_upload(
        Bucket=bucket, Key="object", UploadId=upload, MultipartUpload={"Parts": parts[:2]})
    assert s3.get_object(Bucket=bucket, Key="object")["Body"].read() == whole[:PART + 10]


def test_an_aborted_upload_is_gone(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="object")["UploadId"]
    parts, _ = upload_parts(s3, bucket, "object", upload, [PART])
    s3.abort_multipart_upload(Bucket=bucket, Key="object", UploadId=upload)
    calls = [
        lambda: s3.upload_part(
            Bucket=bucket, Key="object", UploadId=upload, PartNumber=1, Body=b"x"),
        lambda: s3.complete_multipart_upload(
            Bucket=bucket, Key="object", UploadId=upload, MultipartUpload={"Parts": parts}),
        lambda: s3.abort_multipart_upload(Bucket=bucket, Key="object", UploadId=upload),
    ]
    for call in calls:
        with pytest.raises(ClientError) as error:
            call()
        assert (status_of(error), code_of(error)) == (404, "NoSuchUpload")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("upload", ["nonsense", "0" * 32, "../..", "x" * 2000])
def test_an_unknown_upload_is_refused(s3, bucket, upload):
    with pytest.raises(ClientError) as error:
        s3.upload_part(Bucket=bucket, Key="object", UploadId=upload, PartNumber=1, Body=b"x")
    assert (status_of(error), code_of(error)) == (404, "NoSuchUpload")


def test_an_upload_belongs_to_its_key(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="one")["UploadId"]
    with pytest.raises(ClientError) as error:
        s3.upload_part(Bucket=bucket, Key="two", UploadId=upload, PartNumber=1, Body=b"x")
    assert code_of(error) == "NoSuchUpload"
    s3.abort_multipart_upload(Bucket=bucket, Key="one", UploadId=upload)


def test_parts_arrive_at_once_and_out_of_order(s3, bucket):
    """What the transfer managers of the SDKs do."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key="object")["UploadId"]
    pieces = {number: names.content(PART + number, f"at once {number}") for number in range(1, 7)}
    etags = {}

    def send(number):
        etags[number] = s3.upload_part(
            Bucket=bucket, Key="object", UploadId=upload, PartNumber=number,
            Body=pieces[number])["ETag"]

    threads = [threading.Thread(target=send, args=(number,)) for number in (3, 1, 6, 2, 5, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    s3.complete_multipart_upload(
        Bucket=bucket, Key="object", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": n, "ETag": etags[n]} for n in sorted(etags)]})
    whole = b"".join(pieces[number] for number in sorted(pieces))
    assert s3.get_object(Bucket=bucket, Key="object")["Body"].read() == whole


@pytest.mark.big
def test_the_transfer_manager_moves_a_large_file(s3, bucket, tmp_path):
    (tmp_path / "file").write_bytes(names.content(100 * MEBIBYTE + 1, "transfer"))
    config = TransferConfig(multipart_chunksize=8 * MEBIBYTE, max_concurrency=4)
    s3.upload_file(str(tmp_path / "file"), bucket, "large", Config=config)
    s3.download_file(bucket, "large", str(tmp_path / "back"), Config=config)
    assert names.digest(tmp_path / "back") == names.digest(tmp_path / "file")


def test_uploads_and_parts_are_listed(s3, bucket):
    keys = ["a/1", "a/2", "b", "b"]
    uploads = {
        s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]: key for key in keys}
    listed = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert {entry["UploadId"]: entry["Key"] for entry in listed} == uploads
    assert [entry["Key"] for entry in listed] == keys
    only = s3.list_multipart_uploads(Bucket=bucket, Prefix="a/")["Uploads"]
    assert [entry["Key"] for entry in only] == ["a/1", "a/2"]
    upload = only[0]["UploadId"]
    parts, _ = upload_parts(s3, bucket, "a/1", upload, [100, 0, 3000])
    shown = s3.list_parts(Bucket=bucket, Key="a/1", UploadId=upload)["Parts"]
    assert [(part["PartNumber"], part["ETag"], part["Size"]) for part in shown] == [
        (part["PartNumber"], part["ETag"], size) for part, size in zip(parts, [100, 0, 3000])]
    for upload, key in uploads.items():
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_parts_are_listed_in_pages(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="object")["UploadId"]
    for number in range(1, 12):
        s3.upload_part(
            Bucket=bucket, Key="object", UploadId=upload, PartNumber=number, Body=b"x" * number)
    seen, marker = [], 0
    while True:
        page = s3.list_parts(
            Bucket=bucket, Key="object", UploadId=upload, MaxParts=4, PartNumberMarker=marker)
        seen += [(part["PartNumber"], part["Size"]) for part in page["Parts"]]
        if not page["IsTruncated"]:
            break
        marker = page["NextPartNumberMarker"]
    assert seen == [(number, number) for number in range(1, 12)]
    s3.abort_multipart_upload(Bucket=bucket, Key="object", UploadId=upload)


def test_one_part_of_an_object_can_be_read(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="object")["UploadId"]
    parts, whole = upload_parts(s3, bucket, "object", upload, [PART, PART + 7, 99])
    s3.complete_multipart_upload(
        Bucket=bucket, Key="object", UploadId=upload, MultipartUpload={"Parts": parts})
    start = 0
    for number, size in enumerate([PART, PART + 7, 99], 1):
        got = s3.get_object(Bucket=bucket, Key="object", PartNumber=number)
        assert got["Body"].read() == whole[start:start + size]
        assert got["PartsCount"] == 3
        start += size
