"""Objects through boto3: what is put is what is got, in whole and in ranges."""

import base64
import datetime
import hashlib
import zlib

import pytest
from botocore.exceptions import ClientError

from Clients import boto
from harness import names
from harness.names import MEBIBYTE

SIZES = [0, 1, 8191, 8192, 8193, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 5 * MEBIBYTE + 17]


def code_of(error):
    return error.value.response["Error"]["Code"]


def status_of(error):
    return error.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("size", SIZES)
def test_an_object_comes_back_with_its_etag(s3, bucket, size):
    data = names.content(size, f"object {size}")
    put = s3.put_object(Bucket=bucket, Key="object", Body=data)
    etag = '"' + hashlib.md5(data).hexdigest() + '"'
    assert put["ETag"] == etag
    head = s3.head_object(Bucket=bucket, Key="object")
    assert (head["ContentLength"], head["ETag"]) == (size, etag)
    got = s3.get_object(Bucket=bucket, Key="object")
    assert got["Body"].read() == data
    assert (got["ContentLength"], got["ETag"], got["AcceptRanges"]) == (size, etag, "bytes")


@pytest.mark.parametrize("key", names.FILE_NAMES + names.KEY_NAMES, ids=ascii)
def test_a_difficult_key_is_itself(s3, bucket, key):
    """Stored, read, listed and deleted under exactly the bytes that the client sent."""
    data = key.encode()
    s3.put_object(Bucket=bucket, Key=key, Body=data)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == data
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in listed] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("size", [0, 1, 1000, 8193, 3 * MEBIBYTE + 5])
def test_ranges_are_slices(s3, bucket, size):
    data = names.content(size, f"range {size}")
    s3.put_object(Bucket=bucket, Key="object", Body=data)
    edges = sorted({0, 1, 8191, 8192, MEBIBYTE - 1, MEBIBYTE, 2 * MEBIBYTE, size - 1, size // 2})
    for first in [edge for edge in edges if 0 <= edge < size]:
        for last in [edge for edge in edges if edge >= first] + [size + 10]:
            got = s3.get_object(Bucket=bucket, Key="object", Range=f"bytes={first}-{last}")
            end = min(last, size - 1)
            assert got["Body"].read() == data[first:end + 1], (first, last)
            assert got["ContentRange"] == f"bytes {first}-{end}/{size}"
            assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        got = s3.get_object(Bucket=bucket, Key="object", Range=f"bytes={first}-")
        assert got["Body"].read() == data[first:]
    if size:
        for suffix in (1, size, size + 5):
            got = s3.get_object(Bucket=bucket, Key="object", Range=f"bytes=-{suffix}")
            assert got["Body"].read() == data[-suffix:]
    for wrong in (f"bytes={size}-", f"bytes={size + 1}-{size + 2}", "bytes=-0"):
        with pytest.raises(ClientError) as error:
            s3.get_object(Bucket=bucket, Key="object", Range=wrong)
        assert (status_of(error), code_of(error)) == (416, "InvalidRange"), wrong


def test_headers_come_back(s3, bucket):
    sent = {
        "ContentType": "text/html; charset=utf-8", "CacheControl": "max-age=60",
        "ContentDisposition": 'attachment; filename="a b.txt"', "ContentEncoding": "gzip",
        "ContentLanguage": "fr", "WebsiteRedirectLocation": "/elsewhere", "Metadata": {"colour": "blue", "empty": "", "with-dash": "a  b"},
    }
    s3.put_object(Bucket=bucket, Key="object", Body=b"x", **sent)
    for answer in (s3.head_object(Bucket=bucket, Key="object"),
                   s3.get_object(Bucket=bucket, Key="object")):
        assert {name: answer[name] for name in sent} == sent
        assert answer["LastModified"].tzinfo is not None


def test_an_object_without_a_type_has_the_default_one(s3, bucket):
    s3.put_object(Bucket=bucket, Key="object", Body=b"x")
    assert s3.head_object(Bucket=bucket, Key="object")["ContentType"] == "binary/octet-stream"


def test_the_last_write_wins(s3, bucket):
    for number in range(20):
        size = [10, 9000, MEBIBYTE + 1, 0][number % 4]
        data = names.content(size, f"overwrite {number}")
        s3.put_object(Bucket=bucket, Key="object", Body=data)
        assert s3.get_object(Bucket=bucket, Key="object")["Body"].read() == data
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_a_deleted_object_is_gone(s3, bucket):
    s3.put_object(Bucket=bucket, Key="object", Body=b"x")
    assert s3.delete_object(Bucket=bucket, Key="object")["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="object")
    assert (status_of(error), code_of(error)) == (404, "NoSuchKey")
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=bucket, Key="object")
    assert status_of(error) == 404
    # To delete what is not there is a success as well.
    assert s3.delete_object(Bucket=bucket, Key="object")["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_many_are_deleted_in_one_request(s3, bucket):
    keys = [f"key {number} <&> \u00e9" for number in range(1000)]
    for key in keys[:40]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.put_object(Bucket=bucket, Key="kept", Body=b"x")
    answer = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    assert sorted(entry["Key"] for entry in answer["Deleted"]) == sorted(keys)
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["kept"]
    quiet = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "kept"}], "Quiet": True})
    assert "Deleted" not in quiet and "Errors" not in quiet


def test_a_wrong_checksum_stores_nothing(server, s3, bucket):
    data = b"hello"
    wrong = base64.b64encode((zlib.crc32(data) ^ 1).to_bytes(4, "big")).decode()
    cases = [
        ({"content-md5": base64.b64encode(hashlib.md5(b"other").digest()).decode()}, "BadDigest"),
        ({"content-md5": "not base64!"}, "InvalidDigest"),
        ({"x-amz-checksum-crc32": wrong}, "BadDigest"),
    ]
    client = server.client()
    for headers, code in cases:
        response = client.request("PUT", bucket, "object", headers=headers, body=data)
        assert (response.status, response.code) == (400, code), headers
    response = client.request(
        "PUT", bucket, "object", body=data, payload_hash=hashlib.sha256(b"other").hexdigest())
    assert (response.status, response.code) == (400, "XAmzContentSHA256Mismatch")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_virtual_host_style_reaches_the_same_objects(server, s3, bucket):
    from harness import hosts
    with hosts.resolved_here():
        virtual = boto.client(
            server, style="virtual", endpoint=f"{server.scheme}://s3.grange.localhost:{server.port}")
        virtual.put_object(Bucket=bucket, Key="by virtual host", Body=b"x")
        assert virtual.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    assert s3.get_object(Bucket=bucket, Key="by virtual host")["Body"].read() == b"x"


def test_a_body_may_be_signed_in_chunks(s3, server, bucket):
    """Over plain HTTP a client that does not add a trailer signs each chunk of its stream."""
    careful = boto.client(
        server, request_checksum_calculation="when_required",
        response_checksum_validation="when_required")
    data = names.content(3 * MEBIBYTE, "signed")
    careful.put_object(Bucket=bucket, Key="object", Body=data)
    assert s3.get_object(Bucket=bucket, Key="object")["Body"].read() == data


def test_conditions_of_reads_hold(s3, bucket):
    s3.put_object(Bucket=bucket, Key="object", Body=b"x")
    head = s3.head_object(Bucket=bucket, Key="object")
    etag, time = head["ETag"], head["LastModified"]
    earlier, later = time - datetime.timedelta(hours=1), time + datetime.timedelta(seconds=1)
    # S3 ignores it: nobody can have a copy from then.
    tomorrow = time + datetime.timedelta(days=1)
    place = {"Bucket": bucket, "Key": "object"}
    for condition in (
            {"IfMatch": etag}, {"IfNoneMatch": '"other"'}, {"IfModifiedSince": earlier},
            {"IfModifiedSince": tomorrow}, {"IfUnmodifiedSince": later}):
        assert s3.get_object(**place, **condition)["Body"].read() == b"x"
    for condition, status in (
            ({"IfMatch": '"other"'}, 412), ({"IfNoneMatch": etag}, 304),
            ({"IfModifiedSince": time}, 304), ({"IfUnmodifiedSince": earlier}, 412)):
        for call in (s3.get_object, s3.head_object):
            with pytest.raises(ClientError) as error:
                call(**place, **condition)
            assert status_of(error) == status, condition


def test_every_form_of_a_date_is_read(s3, server, bucket):
    s3.put_object(Bucket=bucket, Key="object", Body=b"x")
    time = s3.head_object(Bucket=bucket, Key="object")["LastModified"]
    client = server.client()
    for form in "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y":
        earlier = (time - datetime.timedelta(hours=1)).strftime(form)
        for name, date, status in (
                ("if-modified-since", time.strftime(form), 304), ("if-modified-since", earlier, 200),
                ("if-unmodified-since", time.strftime(form), 200),
                ("if-unmodified-since", earlier, 412)):
            assert client.request("GET", bucket, "object", headers={name: date}).status == status
            copy = client.request("PUT", bucket, "copy", headers={
                "x-amz-copy-source": f"{bucket}/object", f"x-amz-copy-source-{name}": date})
            assert copy.status == (412 if status == 304 else status), (name, date)
        for date, status in ((time.strftime(form), 206), (earlier, 200)):
            headers = {"range": "bytes=0-0", "if-range": date}
            assert client.request("GET", bucket, "object", headers=headers).status == status


def test_tags_are_told_and_copied_as_none(s3, bucket):
    s3.put_object(Bucket=bucket, Key="object", Body=b"x")
    assert s3.get_object_tagging(Bucket=bucket, Key="object")["TagSet"] == []
    with pytest.raises(ClientError) as error:
        s3.get_object_tagging(Bucket=bucket, Key="none")
    assert code_of(error) == "NoSuchKey"
    for directive in ("COPY", "REPLACE"):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "object"},
                       TaggingDirective=directive)
