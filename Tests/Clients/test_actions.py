"""Every action of S3 that the Python SDK knows: what is not done here does nothing, and reading is answered."""

import botocore.session
import pytest

from harness.server import BUCKET

# Sub-resources of which even reading is not implemented: sessions are of directory buckets, S3 gave torrents up, and
# annotations are a feature of its own.
UNREAD = {"CreateSession", "DeleteObjectAnnotation", "GetObjectAnnotation", "GetObjectTorrent",
          "ListObjectAnnotations"}


def actions():
    """(name, method, whether of an object, query) of each action on a sub-resource."""
    model = botocore.session.get_session().get_service_model("s3")
    for name in model.operation_names:
        operation = model.operation_model(name)
        path, _, query = operation.http["requestUri"].partition("?")
        pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
        shape = operation.input_shape
        # Whatever goes into the query and has to, has a value.
        for member in shape.required_members if shape else []:
            place = shape.members[member].serialization
            if place.get("location") == "querystring":
                pairs.append((place["name"], "1"))
        pairs = [(key, value) for key, value in pairs if key != "x-id"]
        if pairs and "{Bucket}" in path:
            yield name, operation.http["method"], "{Key" in path, pairs


@pytest.mark.parametrize("name, method, is_object, query", list(actions()), ids=lambda value: str(value))
def test_an_action_is_known(server, name, method, is_object, query):
    client = server.client()
    client.request("PUT", BUCKET, "object", body=b"kept")
    key = "object" if is_object else None
    response = client.request(method, BUCKET, key, query=query, body=b"<x/>" if method == "PUT" else b"")
    if method in ("GET", "DELETE") and name not in UNREAD:
        assert response.status != 501, response.body
        if response.status == 200:
            assert response.xml is not None
    # Whatever it was, it did not become something else.
    assert client.request("GET", BUCKET, "object").body == b"kept", response.body
    assert client.request("HEAD", BUCKET).status == 200


def test_setting_is_not_implemented(server):
    """But reading and deleting is answered, so that tools get to the point where they set something."""
    client = server.client()
    for name, method, is_object, query in actions():
        if method == "PUT" and not name.startswith("UploadPart"):
            response = client.request(
                "PUT", BUCKET, "object" if is_object else None, query=query, body=b"<x/>")
            assert (response.status, response.code) == (501, "NotImplemented"), name


def test_a_missing_configuration_is_what_the_sdk_expects(s3, bucket):
    """The default documents are read by botocore as what AWS returns for a new bucket."""
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    notification = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert set(notification) == {"ResponseMetadata"}
    for listing in (
            s3.list_bucket_analytics_configurations, s3.list_bucket_inventory_configurations,
            s3.list_bucket_metrics_configurations,
            s3.list_bucket_intelligent_tiering_configurations):
        assert listing(Bucket=bucket)["IsTruncated"] is False
    for code, call in (
            ("NoSuchBucketPolicy", s3.get_bucket_policy),
            ("NoSuchCORSConfiguration", s3.get_bucket_cors),
            ("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration),
            ("NoSuchTagSet", s3.get_bucket_tagging)):
        with pytest.raises(s3.exceptions.ClientError) as error:
            call(Bucket=bucket)
        assert error.value.response["Error"]["Code"] == code
