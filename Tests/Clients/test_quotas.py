"""Quotas of buckets: set by the command, kept towards clients."""

import pytest
from botocore.exceptions import ClientError

from Clients.test_multipart import PART
from Clients.test_objects import code_of, status_of
from harness import names


@pytest.fixture
def limit(server, bucket):
    if not hasattr(server, "command_json"):
        pytest.skip("the foreign server has no commands of ours")
    return lambda *limits: server.command_json("bucket", "quota", bucket, *limits)


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    assert (status_of(error), code_of(error)) == (403, "QuotaExceeded")
    return error.value.response["Error"]["Message"]


def test_a_full_bucket_takes_no_more(s3, server, bucket, limit):
    assert limit("--max-size", "1M")["quotas"] == {"maxSize": 1 << 20, "maxObjects": None}
    s3.put_object(Bucket=bucket, Key="a", Body=names.content(1 << 20, "quota"))
    message = refused(s3.put_object, Bucket=bucket, Key="b", Body=b"x")
    assert "may hold 1 MiB (1048576 bytes)" in message
    refused(s3.put_object, Bucket=bucket, Key="a", Body=names.content(8 << 20, "quota"))
    refused(s3.copy_object, Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
    s3.put_object(Bucket=bucket, Key="a", Body=b"smaller")
    s3.put_object(Bucket=bucket, Key="b", Body=b"x")
    limit("--max-objects", "2")
    info = limit("--max-size", "none")
    assert info["quotas"] == {"maxSize": None, "maxObjects": 2}
    assert (info["objects"], info["bytes"]) == (2, 8)
    refused(s3.put_object, Bucket=bucket, Key="c", Body=b"")
    s3.delete_object(Bucket=bucket, Key="b")
    s3.put_object(Bucket=bucket, Key="c", Body=names.content(8 << 20, "quota"))


def test_parts_count_until_they_are_aborted(s3, bucket, limit):
    limit("--max-size", str(2 * PART))
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    place = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    data = names.content(PART, "quota")
    for number in (1, 2):
        etag = s3.upload_part(**place, PartNumber=number, Body=data)["ETag"]
    refused(s3.upload_part, **place, PartNumber=3, Body=b"x")
    refused(s3.put_object, Bucket=bucket, Key="other", Body=b"x")
    parts = [{"PartNumber": number, "ETag": etag} for number in (1, 2)]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    refused(s3.put_object, Bucket=bucket, Key="other", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="k")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    place["UploadId"] = upload
    s3.upload_part(**place, PartNumber=1, Body=data + data)
    refused(s3.put_object, Bucket=bucket, Key="other", Body=b"x")
    s3.abort_multipart_upload(**place)
    s3.put_object(Bucket=bucket, Key="other", Body=b"x")
