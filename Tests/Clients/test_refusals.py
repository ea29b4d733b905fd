"""What the server refuses, with the code that S3 clients expect; and what it does not do yet: 501."""

import datetime
import hashlib

import pytest

from Clients import boto
from harness.server import BUCKET
from harness.signing import Credentials, timestamp


@pytest.fixture
def client(server):
    client = server.client()
    yield client
    client.close()


def refusal(response):
    return response.status, response.code


def test_an_error_names_its_request(client):
    response = client.request("GET", BUCKET, "missing")
    assert refusal(response) == (404, "NoSuchKey")
    assert response.headers["content-type"].startswith("application/xml")
    assert response.xml.tag == "Error"
    assert response.xml.findtext("Message")
    assert response.xml.findtext("RequestId") == response.headers["x-amz-request-id"]


def test_a_stranger_is_refused(client, server):
    unknown = Credentials("GK" + "f" * 24, "0" * 64, server.credentials.region)
    assert refusal(client.request("GET", BUCKET, credentials=unknown)) == (403, "InvalidAccessKeyId")
    wrong = Credentials(server.credentials.access_key, "0" * 64, server.credentials.region)
    assert refusal(client.request("GET", BUCKET, credentials=wrong)) == (
        403, "SignatureDoesNotMatch")
    assert refusal(client.request("GET", BUCKET, signed=False)) == (403, "AccessDenied")
    assert refusal(client.request("PUT", BUCKET, "x", body=b"x", signed=False)) == (
        403, "AccessDenied")


def test_a_key_without_rights_is_refused(client, server):
    if not hasattr(server, "command_json"):
        pytest.skip("the foreign server has no commands of ours")
    key = server.command_json("key", "create", "without rights")
    stranger = Credentials(
        key["accessKeyId"], key["secretAccessKey"], server.credentials.region)
    for method, name, body in [("GET", None, b""), ("GET", "x", b""), ("PUT", "x", b"x"),
                               ("DELETE", "x", b"")]:
        response = client.request(method, BUCKET, name, body=body, credentials=stranger)
        assert refusal(response) == (403, "AccessDenied"), method
    assert refusal(client.request("PUT", "not-allowed", credentials=stranger)) == (
        403, "AccessDenied")
    listed = client.request("GET", credentials=stranger)
    assert (listed.status, listed.xml.findall("Buckets/Bucket")) == (200, [])
    server.command("bucket", "allow", BUCKET, "--key", key["accessKeyId"], "--read")
    assert client.request("GET", BUCKET, credentials=stranger).status == 200
    assert refusal(client.request("PUT", BUCKET, "x", body=b"x", credentials=stranger)) == (
        403, "AccessDenied")


@pytest.mark.parametrize("shift", [-1000, 1000])
def test_a_clock_far_off_is_refused(client, shift):
    response = client.request("GET", BUCKET, date=timestamp(shift))
    assert refusal(response) == (403, "RequestTimeTooSkewed")


def test_a_signature_of_another_region_is_refused(client, server):
    elsewhere = Credentials(
        server.credentials.access_key, server.credentials.secret_key, "elsewhere")
    response = client.request("GET", BUCKET, credentials=elsewhere)
    assert refusal(response) == (400, "AuthorizationHeaderMalformed")
    assert response.xml.findtext("Region") == server.credentials.region


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-3"])
def test_an_sdk_learns_the_region_from_the_refusal(server, bucket, region):
    """The region of who did not set one, and another: boto3 signs again for the region in the answer."""
    if not hasattr(server, "command_json"):
        pytest.skip("the foreign server has another region")
    def fresh():
        # What it learns it keeps for the bucket: so each first request needs a client of its own.
        s3 = boto.client(server, region=region)
        s3.meta.events.register("response-received.s3", lambda **facts: answers.append(
            facts["response_dict"]["status_code"]))
        return s3

    for ask, last in [
            (lambda s3: s3.put_object(Bucket=bucket, Key="k", Body=b"x"), 200),
            (lambda s3: s3.head_object(Bucket=bucket, Key="k"), 200),
            (lambda s3: s3.get_object(Bucket=bucket, Key="k"), 200),
            (lambda s3: s3.list_objects_v2(Bucket=bucket), 200),
            (lambda s3: s3.head_bucket(Bucket=bucket), 200)]:
        answers = []
        ask(fresh())
        assert answers[0] == 400 and answers[-1] == last


def test_a_changed_request_is_refused(client, server):
    """Every signed part matters: the path, the query, a signed header."""
    signer, host = server.credentials, client.host
    path = f"/{BUCKET}/x"
    headers = signer.sign("GET", path, [], {"host": host, "x-amz-meta-a": "b"})
    changes = [
        ("GET", path + "y", "", headers), ("GET", path, "versionId=null", headers),
        ("GET", path, "", {**headers, "x-amz-meta-a": "c"}), ("HEAD", path, "", headers),
        ("GET", path, "", {**headers, "x-amz-date": timestamp(-60)}),
    ]
    for method, changed_path, query, changed in changes:
        response = client.send(method, changed_path, query, changed, b"")
        assert response.status == 403, (method, changed_path, query)
    assert client.send("GET", path, "", headers, b"").status == 404


def test_an_unsigned_amz_header_is_refused(client, server):
    """A header that changes the meaning of a request must be covered by its signature."""
    headers = server.credentials.sign("PUT", f"/{BUCKET}/x", [], {"host": client.host})
    headers["x-amz-meta-added"] = "later"
    headers["content-length"] = "1"
    assert client.send("PUT", f"/{BUCKET}/x", "", headers, b"x").status == 403


def test_malformed_credentials_are_refused(client):
    for value in ["", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=x", "Basic abc", "AWS a:b",
                  "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=" + "0" * 64]:
        response = client.send(
            "GET", f"/{BUCKET}", "",
            {"host": client.host, "authorization": value, "x-amz-date": timestamp(),
             "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, b"")
        assert response.status in (400, 403), value


def test_a_key_longer_than_1024_bytes_is_refused(client):
    for key in ("k" * 1025, "\u00e9" * 513):
        response = client.request("PUT", BUCKET, key, body=b"x")
        assert refusal(response) == (400, "KeyTooLongError")
        assert client.request("GET", BUCKET, key).status in (400, 404)


def test_a_key_that_is_not_text_is_refused(client, server):
    path = f"/{BUCKET}/%ff%fe"
    headers = server.credentials.sign("PUT", path.upper().replace(BUCKET.upper(), BUCKET), [],
                                      {"host": client.host})
    headers["content-length"] = "1"
    assert client.send("PUT", f"/{BUCKET}/%FF%FE", "", headers, b"x").status == 400


def test_bad_xml_is_refused(client):
    bodies = [
        b"", b"<", b"not xml", b"<Delete></Delete>", b"<Other/>",
        b'<!DOCTYPE d [<!ENTITY e "x">]><Delete><Object><Key>&e;</Key></Object></Delete>',
        b"<Delete>" + b"<Object><Key>a</Key></Object>" * 1001 + b"</Delete>",
        b"<a>" * 10000, b"<Delete><Object><Key>\xff</Key></Object></Delete>",
    ]
    for body in bodies:
        digest = hashlib.sha256(body).hexdigest()
        response = client.request(
            "POST", BUCKET, query=[("delete", "")], body=body, payload_hash=digest)
        assert refusal(response) == (400, "MalformedXML"), body[:80]


def test_a_wrong_method_is_refused(client):
    for method in ("PATCH", "TRACE", "LINK"):
        assert client.request(method, BUCKET, "x").status in (405, 501), method


def test_an_expired_presigned_request_is_refused(client, server):
    signer, path = server.credentials, f"/{BUCKET}/x"
    old = timestamp(-3600)
    response = client.send(
        "GET", path, signer.presign("GET", client.host, path, expires=60, date=old),
        {"host": client.host}, b"")
    assert refusal(response) == (403, "AccessDenied")
    week = 7 * 24 * 3600
    response = client.send(
        "GET", path, signer.presign("GET", client.host, path, expires=week + 1),
        {"host": client.host}, b"")
    assert response.status in (400, 403)
    good = signer.presign("GET", client.host, path)
    assert client.send("GET", path, good, {"host": client.host}, b"").status == 404
    assert client.send("DELETE", path, good, {"host": client.host}, b"").status == 403


BUCKET_QUERIES = [
    "accelerate", "acl", "analytics", "cors", "encryption", "intelligent-tiering", "inventory",
    "lifecycle", "logging", "metrics", "notification", "object-lock", "ownershipControls", "policy",
    "policyStatus", "publicAccessBlock", "replication", "requestPayment", "tagging", "versioning",
    "website",
]
OBJECT_QUERIES = ["acl", "legal-hold", "retention", "tagging"]


@pytest.mark.parametrize("query", BUCKET_QUERIES)
def test_a_bucket_setting_is_not_implemented(client, query):
    if query != "policyStatus":
        response = client.request("PUT", BUCKET, query=[(query, "")], body=b"<x/>")
        assert refusal(response) == (501, "NotImplemented")


@pytest.mark.parametrize("query", OBJECT_QUERIES)
def test_an_object_setting_is_not_implemented(client, query):
    client.request("PUT", BUCKET, "object", body=b"x")
    response = client.request("PUT", BUCKET, "object", query=[(query, "")], body=b"<x/>")
    assert refusal(response) == (501, "NotImplemented")
    assert client.request("GET", BUCKET, "object").body == b"x"


@pytest.mark.parametrize("headers", [
    {"if-none-match": "*"}, {"if-match": '"abc"'},
    {"x-amz-server-side-encryption": "aws:kms"},
    {"x-amz-server-side-encryption-customer-algorithm": "AES256"},
    {"x-amz-object-lock-mode": "GOVERNANCE"},
    {"x-amz-tagging": "a=b"},
], ids=lambda headers: next(iter(headers)))
def test_a_put_that_asks_for_more_is_not_taken_for_a_plain_one(client, headers):
    """Ignoring the header would be an answer to another question."""
    client.request("DELETE", BUCKET, "asked")
    response = client.request("PUT", BUCKET, "asked", headers=headers, body=b"x")
    assert refusal(response) == (501, "NotImplemented")
    assert client.request("GET", BUCKET, "asked").status == 404


def test_the_date_of_the_answer_is_now(client):
    date = client.request("GET", BUCKET).headers["date"]
    when = datetime.datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT")
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert abs((now - when).total_seconds()) < 5
