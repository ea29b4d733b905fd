"""Checksums as boto3 sends and asks for them: each algorithm, in one piece and in parts, right and wrong.

The values are computed here and by awscrt, not by the client under test.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

import base64
import hashlib

import pytest
from awscrt import checksums
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from Clients import boto
from Clients.test_objects import code_of, status_of
from harness import names
from harness.names import MEBIBYTE

ALGORITHMS = {
    "CRC32": lambda data: checksums.crc32(data).to_bytes(4, "big"),
    "CRC32C": lambda data: checksums.crc32c(data).to_bytes(4, "big"),
    "CRC64NVME": lambda data: checksums.crc64nvme(data).to_bytes(8, "big"),
    "SHA1": lambda data: hashlib.sha1(data).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
}
# What S3 knows; it refuses the others.
COMPOSITE = ["CRC32", "CRC32C", "SHA1", "SHA256"]
FULL_OBJECT = ["CRC32", "CRC32C", "CRC64NVME"]
PARTS = [names.content(size, f"checksums {size}") for size in (5 * MEBIBYTE, 5 * MEBIBYTE + 3, 17)]
WHOLE = b"".join(PARTS)


def base64_of(algorithm, data):
    return base64.b64encode(ALGORITHMS[algorithm](data)).decode()


def composite(algorithm, parts):
    joined = b"".join(ALGORITHMS[algorithm](part) for part in parts)
    return f"{base64_of(algorithm, joined)}-{len(parts)}"


@pytest.fixture(params=["http", "https"])
def either(request, endpoints):
    """A client of each server: boto3 sends its body in other forms over HTTPS."""
    return boto.client(endpoints(request.param))


@pytest.fixture
def place(either):
    """An object that is gone afterwards, in a bucket of its own."""
    either.create_bucket(Bucket="checksums")
    yield {"Bucket": "checksums", "Key": "object"}
    either.delete_object(Bucket="checksums", Key="object")
    either.delete_bucket(Bucket="checksums")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [0, 100, 2 * MEBIBYTE + 1])
def test_an_object_keeps_its_checksum(either, place, algorithm, size):
    data = names.content(size, algorithm)
    field, value = f"Checksum{algorithm}", base64_of(algorithm, data)
    put = either.put_object(**place, Body=data, ChecksumAlgorithm=algorithm)
    assert (put[field], put["ChecksumType"]) == (value, "FULL_OBJECT")
    got = either.get_object(**place, ChecksumMode="ENABLED")
    # Reading to the end makes boto3 verify the value.
    assert got["Body"].read() == data
    head = either.head_object(**place, ChecksumMode="ENABLED")
    for answer in (got, head):
        assert (answer[field], answer["ChecksumType"]) == (value, "FULL_OBJECT")
    assert field not in either.head_object(**place)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_given_value_is_verified(either, place, algorithm):
    data = names.content(1000, algorithm)
    given = {f"Checksum{algorithm}": base64_of(algorithm, data)}
    with pytest.raises(ClientError) as error:
        either.put_object(**place, Body=data + b"x", **given)
    assert (status_of(error), code_of(error)) == (400, "BadDigest")
    assert "Contents" not in either.list_objects_v2(Bucket=place["Bucket"])
    assert either.put_object(**place, Body=data, **given).items() >= given.items()


def test_defaults_send_and_verify_a_crc(either, place):
    """boto3 adds a CRC32 to what it sends and asks for one with what it gets, unasked."""
    put = either.put_object(**place, Body=WHOLE)
    assert put["ChecksumCRC32"] == base64_of("CRC32", WHOLE)
    got = either.get_object(**place)
    assert (got["ChecksumCRC32"], got["Body"].read() == WHOLE) == (put["ChecksumCRC32"], True)


def upload(s3, place, algorithm, kind, parts=PARTS, **wrong):
    """An upload in parts up to its completion; `wrong` replaces what the completion says."""
    field = f"Checksum{algorithm}"
    created = s3.create_multipart_upload(
        **place, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    assert (created["ChecksumAlgorithm"], created["ChecksumType"]) == (algorithm, kind)
    done = []
    for number, data in enumerate(parts, 1):
        sent = s3.upload_part(
            **place, UploadId=created["UploadId"], PartNumber=number, Body=data,
            ChecksumAlgorithm=algorithm)
        assert sent[field] == base64_of(algorithm, data)
        done.append({"PartNumber": number, "ETag": sent["ETag"], field: sent[field]})
    listed = s3.list_parts(**place, UploadId=created["UploadId"])
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == (algorithm, kind)
    assert [part[field] for part in listed["Parts"]] == [part[field] for part in done]
    try:
        return s3.complete_multipart_upload(
            **place, UploadId=created["UploadId"],
            **{"MultipartUpload": {"Parts": done}, "ChecksumType": kind, **wrong})
    except ClientError:
        s3.abort_multipart_upload(**place, UploadId=created["UploadId"])
        raise


@pytest.mark.parametrize("algorithm, kind", [
    *((algorithm, "COMPOSITE") for algorithm in COMPOSITE),
    *((algorithm, "FULL_OBJECT") for algorithm in FULL_OBJECT)])
def test_parts_have_a_checksum_together(either, place, algorithm, kind):
    field = f"Checksum{algorithm}"
    value = base64_of(algorithm, WHOLE) if kind == "FULL_OBJECT" else composite(algorithm, PARTS)
    done = upload(either, place, algorithm, kind)
    assert (done[field], done["ChecksumType"]) == (value, kind)
    got = either.get_object(**place, ChecksumMode="ENABLED")
    assert got["Body"].read() == WHOLE
    head = either.head_object(**place, ChecksumMode="ENABLED")
    for answer in (got, head):
        assert (answer[field], answer["ChecksumType"]) == (value, kind)


@pytest.mark.parametrize("algorithm", FULL_OBJECT)
def test_a_completion_verifies_the_whole(either, place, algorithm):
    field = f"Checksum{algorithm}"
    with pytest.raises(ClientError) as error:
        upload(either, place, algorithm, "FULL_OBJECT", **{field: base64_of(algorithm, b"other")})
    assert (status_of(error), code_of(error)) == (400, "BadDigest")
    assert "Contents" not in either.list_objects_v2(Bucket=place["Bucket"])
    right = {field: base64_of(algorithm, WHOLE), "MpuObjectSize": len(WHOLE)}
    assert upload(either, place, algorithm, "FULL_OBJECT", **right)[field] == right[field]


@pytest.mark.parametrize("algorithm, kind", [
    ("CRC64NVME", "COMPOSITE"), ("SHA1", "FULL_OBJECT"), ("SHA256", "FULL_OBJECT")])
def test_a_combination_that_s3_does_not_know_is_refused(either, place, algorithm, kind):
    with pytest.raises(ClientError) as error:
        either.create_multipart_upload(**place, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    assert (status_of(error), code_of(error)) == (400, "InvalidRequest")


def test_a_completion_names_the_checksums_of_its_parts(either, place):
    parts = [{"PartNumber": 1, "ETag": f'"{hashlib.md5(PARTS[0]).hexdigest()}"',
              "ChecksumSHA256": base64_of("SHA256", b"other")}]
    with pytest.raises(ClientError) as error:
        upload(either, place, "SHA256", "COMPOSITE", PARTS[:1], MultipartUpload={"Parts": parts})
    assert (status_of(error), code_of(error)) == (400, "InvalidPart")


def test_a_composite_checksum_needs_those_of_the_parts(either, place):
    parts = [{"PartNumber": 1, "ETag": f'"{hashlib.md5(PARTS[0]).hexdigest()}"'}]
    with pytest.raises(ClientError) as error:
        upload(either, place, "SHA256", "COMPOSITE", PARTS[:1], MultipartUpload={"Parts": parts})
    assert (status_of(error), code_of(error)) == (400, "InvalidRequest")


def test_a_completion_has_the_type_of_its_upload(either, place):
    with pytest.raises(ClientError) as error:
        upload(either, place, "CRC32", "FULL_OBJECT", PARTS[:1], ChecksumType="COMPOSITE")
    assert (status_of(error), code_of(error)) == (400, "BadDigest")


def test_who_sends_no_checksum_gets_one(server, bucket):
    """As from S3 since 2025, of an object in one piece and of one in parts."""
    place = {"Bucket": bucket, "Key": "object"}
    plain = boto.client(
        server, request_checksum_calculation="when_required",
        response_checksum_validation="when_required")
    plain.put_object(**place, Body=WHOLE)
    wanted = (base64_of("CRC64NVME", WHOLE), "FULL_OBJECT")
    head = plain.head_object(**place, ChecksumMode="ENABLED")
    assert (head["ChecksumCRC64NVME"], head["ChecksumType"]) == wanted
    created = plain.create_multipart_upload(**place)
    done = []
    for number, data in enumerate(PARTS, 1):
        sent = plain.upload_part(
            **place, UploadId=created["UploadId"], PartNumber=number, Body=data)
        done.append({"PartNumber": number, "ETag": sent["ETag"]})
    plain.complete_multipart_upload(
        **place, UploadId=created["UploadId"], MultipartUpload={"Parts": done})
    head = plain.head_object(**place, ChecksumMode="ENABLED")
    assert (head["ChecksumCRC64NVME"], head["ChecksumType"]) == wanted
    told = plain.get_object_attributes(**place, ObjectAttributes=["Checksum", "ObjectParts"])
    assert told["Checksum"]["ChecksumCRC64NVME"] == wanted[0]
    assert told["ObjectParts"]["TotalPartsCount"] == len(PARTS)
    assert "Parts" not in told["ObjectParts"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_transfer_manager_sends_each(either, place, algorithm, tmp_path):
    (tmp_path / "file").write_bytes(WHOLE)
    config = TransferConfig(multipart_threshold=5 * MEBIBYTE, multipart_chunksize=5 * MEBIBYTE)
    either.upload_file(
        str(tmp_path / "file"), *place.values(), Config=config,
        ExtraArgs={"ChecksumAlgorithm": algorithm})
    either.download_file(*place.values(), str(tmp_path / "back"), Config=config)
    assert (tmp_path / "back").read_bytes() == WHOLE
    head = either.head_object(**place, ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"]
