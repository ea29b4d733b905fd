"""Buckets: made, found, listed, removed when empty."""

import pytest
from botocore.exceptions import ClientError

from Clients.test_objects import code_of, status_of
from harness.server import BUCKET, REGION


def test_a_bucket_lives_and_ends(s3):
    s3.create_bucket(Bucket="short-lived")
    s3.head_bucket(Bucket="short-lived")
    assert "short-lived" in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    s3.delete_bucket(Bucket="short-lived")
    with pytest.raises(ClientError) as error:
        s3.head_bucket(Bucket="short-lived")
    assert status_of(error) == 404
    assert "short-lived" not in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    # The name is free again.
    s3.create_bucket(Bucket="short-lived")
    s3.delete_bucket(Bucket="short-lived")


def test_the_bucket_of_the_first_start_is_there(s3):
    entries = {entry["Name"]: entry for entry in s3.list_buckets()["Buckets"]}
    assert BUCKET in entries
    assert entries[BUCKET]["CreationDate"].tzinfo is not None


def test_a_bucket_with_objects_stays(s3, bucket):
    s3.put_object(Bucket=bucket, Key="object", Body=b"x")
    with pytest.raises(ClientError) as error:
        s3.delete_bucket(Bucket=bucket)
    assert (status_of(error), code_of(error)) == (409, "BucketNotEmpty")


def test_the_location_is_the_region(s3, bucket):
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] in (REGION, None)


@pytest.mark.parametrize(
    "name", ["ab", "Upper", "under_score", "-dash", "dash-", "a..b", "192.168.0.1", "x" * 64])
def test_an_impossible_name_is_refused(server, name):
    response = server.client().request("PUT", name)
    assert (response.status, response.code) == (400, "InvalidBucketName")


def test_making_a_bucket_again_is_refused_or_harmless(s3, bucket):
    """Amazon answers 200 in one region and BucketAlreadyOwnedByYou in the others."""
    try:
        s3.create_bucket(Bucket=bucket)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "BucketAlreadyOwnedByYou"


def test_a_missing_bucket_is_said(s3):
    for call in (
            lambda: s3.list_objects_v2(Bucket="no-such-bucket"),
            lambda: s3.get_object(Bucket="no-such-bucket", Key="x"),
            lambda: s3.put_object(Bucket="no-such-bucket", Key="x", Body=b"x"),
            lambda: s3.delete_object(Bucket="no-such-bucket", Key="x"),
            lambda: s3.delete_bucket(Bucket="no-such-bucket"),
            lambda: s3.get_bucket_location(Bucket="no-such-bucket")):
        with pytest.raises(ClientError) as error:
            call()
        assert (status_of(error), code_of(error)) == (404, "NoSuchBucket")
