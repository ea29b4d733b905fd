"""Fixtures of the client tests: a boto3 client, and a bucket of its own for each test."""

import itertools

import pytest

from Clients import boto
from harness import fuse

bucket_numbers = itertools.count(1)


@pytest.fixture
def s3(server):
    return boto.client(server)


@pytest.fixture
def bucket(s3):
    """An empty bucket, emptied and removed again."""
    name = f"test-{next(bucket_numbers)}"
    s3.create_bucket(Bucket=name)
    yield name
    empty(s3, name)
    s3.delete_bucket(Bucket=name)


@pytest.fixture
def set_up(client_environment, tmp_path):
    """Sets up a client program for a server: set_up(Rclone, server)."""
    return lambda program, server, style="path": program(
        server, client_environment, tmp_path, style)


@pytest.fixture
def mount_place(run_folder, request):
    """Where a client's file system can be mounted: below the folder that is cleaned after an abort."""
    if fuse.obstacle():
        pytest.skip(fuse.obstacle())
    return run_folder / "mounts" / f"{request.node.name}-{next(bucket_numbers)}"


def empty(s3, bucket):
    """One by one: a list of keys in XML cannot carry the control characters that some of them have."""
    while True:
        page = s3.list_objects_v2(Bucket=bucket)
        for entry in page.get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=entry["Key"])
        if not page["IsTruncated"]:
            return
